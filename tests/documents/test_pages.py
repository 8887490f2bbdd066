"""What the pages of the docs say is so: the tutorial is typed, codes and fields are those of the code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from docs.generate import _all_modules
from mock_server.cluster import config
from smartlic_client.errors import PROBLEMS
from smartlic_client.preflight.catalogue import catalogue
from smartlic_client.protocol import messages
from tests.support import new_addresses

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOW_TO = sorted((DOCS / "how-to").glob("*.md"))
MINE = [
    DOCS / "tutorial/first-hour.md",
    DOCS / "reference/messages.md",
    DOCS / "reference/files.md",
    DOCS / "reference/administration.md",
    DOCS / "reference/cssm.md",
    DOCS / "reference/library.md",
    DOCS / "reference/rest-api.md",
    DOCS / "reference/pages.md",
    DOCS / "explanation/how-nothing-is-lost.md",
    DOCS / "explanation/simulation.md",
    *HOW_TO,
]

# Words of the pages in the form of a code that are none.
NO_CODES = {
    "smartlic-mock",
    "annanr-39",
    "in-compliance",
    "out-of-compliance",
    "network-down",
    "switch-over",
}
# What differs from run to run, in a page and in what is printed alike.
_VARIES = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4} UTC", "DATE"),
    (r'"pid": \d+', '"pid": N'),
    (r"\d+ changes? behind", "N changes behind"),
    (r"\b[0-9a-f]{40}\b", "PASSWORD"),
    (r"-{3,}", "---"),
    (r"\s+", " "),
)


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _steps(page: Path) -> list[tuple[list[str], str]]:
    """Each console block's commands, and the text block that shows what they print."""
    blocks = re.findall(r"```(console|text)\n(.*?)```", _read(page), re.DOTALL)
    steps: list[tuple[list[str], str]] = []
    for kind, body in blocks:
        if kind == "console":
            steps.append(([line[2:] for line in body.splitlines()], ""))
        else:
            steps[-1] = (steps[-1][0], body)
    return steps


def _plain(text: str) -> str:
    for pattern, word in _VARIES:
        text = re.sub(pattern, word, text)
    return text.strip()


class Terminal:
    """A shell in which one command after another is typed; `home` is the user's own folder in it."""

    def __init__(self, home: Path, addresses: dict[str, str]) -> None:
        self._addresses = addresses
        self._home = str(home)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SMARTLIC_")}
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=home,
            env={**clean, "HOME": self._home, "PATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str, last: str = "") -> tuple[int, str]:
        """Exit code and output of a command; or what it printed up to the line that holds `last`."""
        for page, real in self._addresses.items():
            command = re.sub(rf"\b{re.escape(page)}\b", real, command)
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.write(f'{{ {command}\n}} </dev/null\nprintf "\\nEXIT %s\\n" $?\n')
        self._shell.stdin.flush()
        said: list[str] = []
        code = 0
        for line in self._shell.stdout:
            if line.startswith("EXIT "):
                code = int(line.split()[1])
                break
            said.append(line)
            if last and last in line:
                break
        text = "".join(said).replace(self._home, "/home/you")
        for page, real in self._addresses.items():
            text = re.sub(rf"\b{re.escape(real)}\b", page, text)
        return code, text

    def wait(self) -> int:
        """What is under way ends, and the shell with it."""
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        return self._shell.wait(timeout=30)

    def kill(self) -> None:
        """End the shell's cluster, if a step left it behind."""
        children = Path(f"/proc/{self._shell.pid}/task/{self._shell.pid}/children")
        for pid in children.read_text().split() if self._shell.poll() is None else ():
            os.kill(int(pid), signal.SIGINT)
        self._shell.__exit__(None, None, None)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[tuple[Terminal, Terminal]]:
    """Two terminals; the page's default addresses stand for addresses of this test's own."""
    own = new_addresses()
    addresses = {"127.0.0.5": own.primary, "127.0.0.10": own.secondary, "127.0.0.12": own.vip}
    config.create(tmp_path / "first-hour/cluster", config.configure(own.primary, own.secondary, own.vip))
    pair = Terminal(tmp_path, addresses), Terminal(tmp_path, addresses)
    yield pair
    for terminal in reversed(pair):
        terminal.kill()


@pytest.mark.real
def test_the_first_hour_works_as_it_is_written(terminals: tuple[Terminal, Terminal]) -> None:
    """Every command of the tutorial, in its order, prints what the page shows; one that fails is shown so."""
    first, second = terminals
    (*setup, up), shown = _steps(DOCS / "tutorial/first-hour.md")[0]
    assert up == "smartlic-mock up"
    for command in setup[1:]:
        first.run(command)
    _, said = first.run(up, last="Ctrl-C")
    _same(up, said, shown)
    for commands, shown in _steps(DOCS / "tutorial/first-hour.md")[1:]:
        printed = ""
        for command in commands:
            if command == ". .venv/bin/activate":
                continue
            code, said = second.run(command)
            assert (code != 0) == shown.startswith("error:"), (command, said)
            printed += said
        _same(str(commands), printed, shown)
    second.wait()
    assert first.wait() == 0


def _same(what: str, printed: str, shown: str) -> None:
    """What is shown is what was printed, apart from line breaks; `…` stands for anything."""
    pattern = ".*".join(re.escape(_plain(part)) for part in shown.split("…"))
    assert re.fullmatch(pattern, _plain(printed)), f"{what}\nprinted:\n{printed}\nshown:\n{shown}"


def test_every_code_of_the_how_to_pages_is_a_problem_that_there_is() -> None:
    """What stands there in the form of a code is a problem of the programs, or a finding of the check."""
    _all_modules()
    with_codes = 0
    for page in HOW_TO:
        text = re.sub(r"```.*?```", "", _read(page), flags=re.DOTALL)
        rows = re.findall(r"^\| (`[^|]*?) \|", text, re.MULTILINE)
        first_cells = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}
        hyphened = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", text))
        printed = set(re.findall(r"\[([a-z-]+)\]$", _read(page), re.MULTILINE))
        with_codes += len(first_cells) > 5
        known = PROBLEMS.keys() | catalogue().keys() | NO_CODES
        unknown = (first_cells | hyphened | printed) - known
        assert not unknown, f"{page.name}: {unknown}"
    assert with_codes > 2


def test_messages_names_every_field_of_the_messages() -> None:
    """The reference of messages has each field of each structure that travels, and each request type."""
    text = _read(DOCS / "reference/messages.md")
    structures = [
        value
        for value in vars(messages).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == messages.__name__
    ]
    assert len(structures) > 15
    fields = {field.encode_name for one in structures for field in msgspec.structs.fields(one)}
    tags = {str(one.__struct_config__.tag_field) for one in structures if one.__struct_config__.tag_field}
    assert tags == {"request_type", "type"}
    assert not (fields | tags) - set(re.findall(r"`([a-z_]+)`", text))
    for structure in messages.Request.__args__:
        assert re.search(rf"^\| {structure.__struct_config__.tag} \|", text, re.MULTILINE), structure


def test_messages_lists_the_refusals_with_their_public_numbers() -> None:
    """Each refusal that may come over the wire stands in the table with the number that travels with it."""
    from smartlic_client.protocol.errors import REFUSALS, agent_error

    text = _read(DOCS / "reference/messages.md").partition("## Refusals")[2].partition("## ")[0]
    listed = {
        code: (int(number), name)
        for codes, number, name in re.findall(r"^\| (`.*?) \| (\d+) \| (\w+) \|$", text, re.MULTILINE)
        for code in re.findall(r"`([a-z-]+)`", codes)
    }
    assert listed == {code: agent_error(code) for code in REFUSALS}


def test_the_page_of_cssm_names_every_field_of_its_documents() -> None:
    """A request, an answer and a purchase as they are sealed."""
    from mock_server.domain.synchronization import Purchase, SyncAnswer, SyncRequest

    text = _read(DOCS / "reference/cssm.md").partition("## Documents")[2].partition("## ")[0]
    fields = {field for form in (SyncRequest, SyncAnswer, Purchase) for field in form.__struct_fields__}
    assert not fields - set(re.findall(r"`([a-z_]+)`", text))


def test_alerts_are_those_of_the_page() -> None:
    """Each alert stands in the table, with a severity that there is."""
    from mock_server.domain.alerts import Kind, Severity

    text = _read(DOCS / "reference/administration.md").partition("## Alerts")[2]
    rows = re.findall(r"^\| (\w[\w -]+) \| (\w+) \|", text, re.MULTILINE)[1:]
    assert [kind for kind, _ in rows] == sorted((kind for kind, _ in rows), key=list(Kind).index)
    assert {kind for kind, _ in rows} == set(Kind)
    assert {severity for _, severity in rows} == set(Severity)


def test_lines_of_prose_are_short() -> None:
    """A line that is no table, code or link has at most 110 characters."""
    for page in MINE:
        text = re.sub(r"```.*?```", "", _read(page), flags=re.DOTALL)
        long = [line for line in text.splitlines() if len(line) > 110 and not line.startswith("|")]
        assert not long, f"{page.name}: {long}"
