"""What people type: lines of a server's console and of a device's shell, and words after `show license`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mock_server.cluster.commands import table
from smartlic_client.cli import words
from smartlic_client.errors import SmartlicError
from smartlic_client.show import commands
from tests.fuzz.target import Read, Target


def _console(line: str) -> None:
    table.completions(line)
    found = table.read(line)
    if found is not None:
        table.plain(*found)


def _shell(line: str) -> None:
    words.completions(line)
    words.keepable(line)
    words.read(line)


def _show(line: str) -> None:
    given = line.split()
    commands.complete(given[:-1], given[-1] if given else "")
    commands.resolve(given)


_READERS: tuple[Callable[[str], None], ...] = (_console, _shell, _show)


def prepare() -> Read:
    def read(data: bytes) -> None:
        if not data:
            return
        try:
            _READERS[data[0] % len(_READERS)](data[1:].decode("utf-8", "replace"))
        except SmartlicError as error:
            assert error.mend

    return read


_LINES = (
    *((0, f"{name} --x '1'") for name in table.COMMANDS),
    *((0, line) for line in ("help ha_status", "logout", "ha_deploy 'a b'", 'x "')),
    *((1, form) for form, _ in words.COMMANDS),
    *((1, line) for line in ("do sh lic all", "license smart register idtoken ABC force", "! remark", "?")),
    *((2, " ".join(command)) for command in commands.COMMANDS),
)


def seeds() -> Iterator[bytes]:
    for kind, line in _LINES:
        yield bytes((kind,)) + line.encode()


_WORDS = (b"license smart ", b"idtoken ", b" force", b"show license ", b"'", b'"', b"\\", b"--", b"help ")
TARGETS = (Target("lines", prepare, seeds, longest=256, words=_WORDS),)
