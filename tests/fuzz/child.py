"""One process that fuzzes one target: `python -m tests.fuzz.child NAME FOLDER [arguments of libFuzzer]`.

What a target raises is noted once for each kind, and the fuzzing goes on; a hang or too much memory ends
the process, as libFuzzer does it. Needs atheris.
"""

from __future__ import annotations

import hashlib
import logging
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any

import atheris

from tests.fuzz.mutation import plain
from tests.fuzz.target import guarded, kind_of

_MARK = "FINDING"
_FUZZED = ["smartlic_client", "mock_server", "tests.fuzz.targets.planted"]


def main(name: str, folder: Path, arguments: list[str]) -> None:
    from tests.fuzz.targets import target as named

    target = named(name)
    logging.disable(logging.CRITICAL)
    read = target.prepare()
    known: set[str] = set()

    def one(data: bytes) -> None:
        error = guarded(read, data)
        if error is None:
            return
        kind = kind_of(error)
        if kind not in known:
            known.add(kind)
            path = note(folder, data, error)
            print(f"{_MARK} {path} {kind}", flush=True)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        return target.mutator(bytes(data), most, number, atheris.Mutate)

    own = [f"-max_len={target.longest}"]
    if target.words:
        words = folder / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        own.append(f"-dict={words}")
    more: dict[str, Any] = {} if target.mutator is plain else {"custom_mutator": mutate}
    atheris.Setup([str(_launcher(name, folder)), *own, *arguments], one, **more)
    atheris.Fuzz()


def _launcher(name: str, folder: Path) -> Path:
    """libFuzzer starts itself again when it merges, by the first word of its command line."""
    path = folder / "again"
    words = [sys.executable, "-m", "tests.fuzz.child", name, str(folder)]
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o700)
    return path


def note(folder: Path, data: bytes, error: BaseException) -> Path:
    """The input, and beside it what it led to."""
    path = folder / "findings" / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))
    return path


def _escaped(word: bytes) -> str:
    plain = {*range(0x20, 0x7F)} - {0x22, 0x5C}
    return "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    # To the end: modules are also imported where they are needed first.
    with atheris.instrument_imports(include=_FUZZED):
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
