"""A whole copy of a journal, from the node that serves to one that is too far behind.

The Active makes it with SQLite's backup interface, in steps, from a connection of its own that keeps to one
state: who writes meanwhile is not hindered and not seen. The other node takes the bytes into a file of
another name, checks all of it, and only then puts it in the place of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from mock_server.journal.problems import COPY_DAMAGED
from mock_server.journal.rows import Head
from mock_server.journal.store import Journal, create_private, head_of

SENDING, RECEIVING = "sending", "receiving"
_STEP = 256  # pages


class CopyStopped(Exception):
    """Nobody waits for the copy any more."""


def beside(journal: Path, what: str) -> Path:
    """The name of a copy that is being sent or received."""
    return journal.with_name(f"{journal.name}-{what}")


def remove(path: Path) -> None:
    """Remove a copy, whole or not, with all that SQLite may have put beside it."""
    for suffix in ("", "-wal", "-shm", "-journal", "-tip"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def remove_all(journal: Path) -> None:
    """Remove what a process that died in the middle of a copy has left beside a journal."""
    for what in (SENDING, RECEIVING):
        remove(beside(journal, what))


def make(journal: Path, wanted: Callable[[], bool]) -> tuple[Path, Head]:
    """Copy a journal that is in use; the copy's file and its last row. CopyStopped once not `wanted`."""
    path = beside(journal, SENDING)
    remove(path)
    create_private(path)

    def step(_status: int, _remaining: int, _total: int) -> None:
        if not wanted():
            raise CopyStopped

    try:
        with (
            contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as source,
            contextlib.closing(sqlite3.connect(path)) as copy,
        ):
            source.execute("BEGIN")
            head = head_of(source)
            copy.execute("PRAGMA synchronous = OFF")  # it is thrown away after it was sent
            source.backup(copy, pages=_STEP, progress=step)
    except BaseException:
        remove(path)
        raise
    return path, head


class Outgoing:
    """The bytes of a copy, in chunks. Blocks on the disk."""

    def __init__(self, path: Path) -> None:
        self.size = path.stat().st_size
        self._file = path.open("rb", buffering=0)
        self._path = path
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data

    def digest(self) -> bytes:
        return self._digest.digest()

    def close(self) -> None:
        self._file.close()
        remove(self._path)


class Incoming:
    """A copy that arrives. Blocks on the disk."""

    def __init__(self, journal: Path) -> None:
        self.path = beside(journal, RECEIVING)
        remove(self.path)
        create_private(self.path)
        self.size = 0
        self._file = self.path.open("r+b", buffering=0)
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Take a chunk; how much there is now."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._digest.update(data)
        self.size += len(data)
        return self.size

    def finish(self, size: int, digest: bytes, head: Head) -> None:
        """Check that the copy is whole: its bytes, every change in it, and what they add up to."""
        os.fsync(self._file.fileno())
        self._file.close()
        if self.size != size or self._digest.digest() != digest:
            raise COPY_DAMAGED(detail=f"{self.size} of {size} bytes, or other ones")
        journal = Journal(self.path)
        try:
            for _ in journal.aggregates():
                pass
            if journal.head != head:
                raise COPY_DAMAGED(detail=f"it ends at change {journal.head.idx}, not {head.idx}")
        finally:
            journal.close()

    def close(self) -> None:
        """Remove what is still there under the copy's name."""
        self._file.close()
        remove(self.path)
