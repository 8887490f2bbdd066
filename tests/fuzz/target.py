"""What is fuzzed: bytes go in, and either they are read, or there is an error with a code."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.fuzz.mutation import Mutator, plain

__all__ = ["Read", "Target", "guarded", "kind_of"]

Read = Callable[[bytes], None]
"""Reads one input. What it raises is a finding, so it keeps in what is allowed."""

_OURS = ("smartlic_client", "mock_server")


@dataclass(frozen=True)
class Target:
    """`prepare`: done once a process. `seeds`: real messages to begin with. `longest`: bytes of an input.
    `words`: what stands in such inputs often."""

    name: str
    prepare: Callable[[], Read]
    seeds: Callable[[], Iterable[bytes]]
    mutator: Mutator = plain
    longest: int = 4096
    words: Sequence[bytes] = ()


def guarded(read: Read, data: bytes) -> BaseException | None:
    """Read an input; what was raised that should not be. Warnings of libraries are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read(data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of a library is no Exception
            return error
    return None


def kind_of(error: BaseException) -> str:
    """One finding has one kind: what was raised, and the innermost line of ours that it went through."""
    place = "?"
    for frame in traceback.extract_tb(_whole(error)):
        parts = Path(frame.filename).parts
        if any(name in parts for name in _OURS):
            place = f"{'/'.join(parts[-2:])}:{frame.lineno}"
    return f"{type(error).__name__} at {place}"


def _whole(error: BaseException) -> TracebackType | None:
    return error.__traceback__
