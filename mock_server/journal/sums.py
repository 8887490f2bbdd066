"""What shows that a journal was altered or cut short: sums over the aggregates, and the tip beside the file.

The rows of changes are a chain and show it themselves. An aggregate has a checksum in its row, and the sum
of all of them is kept in the same transaction. The tip is the last row that was committed, in a small file
of its own: a write-ahead log that was removed or cut leaves an older state that is whole, and only the tip
knows that there was more. It is written after the commit and not forced to the disk: after a loss of power
it may be older than the journal, and is never newer. Only before a cut it is forced: it must not name a row
that is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

from mock_server.journal.rows import EMPTY, Head

log = logging.getLogger(__name__)

SUM_MASK = 2**64 - 1
_TIP_BYTES = 8 + 32 + 8


def body_sum(kind: str, key: str, body: bytes) -> int:
    """The checksum of an aggregate, 63 bits: SQLite's integers have a sign."""
    name = f"{kind}\0{key}\0".encode()
    return int.from_bytes(hashlib.blake2b(name + body, digest_size=8).digest(), "big") >> 1


def key_sum(name: str, idx: int, pem: bytes) -> int:
    """The checksum of a private key in the key store."""
    return body_sum("key store", f"{name}\0{idx}", pem)


class Tip:
    """`<journal>-tip`: index and checksum of the last row that was committed."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}-tip")
        self._descriptor: int | None = None

    def read(self) -> Head:
        """The last row that is known to have been there; the empty head when nothing is known."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return EMPTY
        if len(data) != _TIP_BYTES or _proof(data[:40]) != data[40:]:
            return EMPTY
        return Head(int.from_bytes(data[:8], "big"), data[8:40])

    def write(self, head: Head, *, sync: bool = False) -> None:
        """Note a row. What cannot be written is a weaker check and no failure: the change is safe already.

        `sync`: force it to the disk, where an older note would name what is about to be cut."""
        data = head.idx.to_bytes(8, "big") + head.checksum
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._descriptor, data + _proof(data), 0)
            if sync:
                os.fsync(self._descriptor)
        except OSError as error:
            log.warning("the tip of the journal cannot be written: %s", error)

    def forget(self) -> None:
        """Nothing is known any more: another journal is about to take this one's place."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def _proof(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()
