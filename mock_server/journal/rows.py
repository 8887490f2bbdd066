"""A row of the journal, and the chain of checksums that makes two prefixes comparable by their last row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

GENESIS = bytes(32)


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One change: what is kept, and what is shipped."""

    idx: int
    epoch: int
    payload: bytes
    checksum: bytes
    keys: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Row({self.idx}, epoch={self.epoch}, {len(self.payload)} bytes, keys={list(self.keys)})"


class Head(NamedTuple):
    """The end of a journal. Index 0 is the empty one."""

    idx: int
    checksum: bytes


EMPTY = Head(0, GENESIS)


def chain(previous: bytes, epoch: int, idx: int, payload: bytes) -> bytes:
    """The checksum of a row: it covers the row and, by `previous`, all rows before it."""
    return hashlib.sha256(b"%b%b%b%b" % (previous, _u64(epoch), _u64(idx), payload)).digest()


def next_row(head: Head, epoch: int, payload: bytes, keys: Mapping[str, bytes]) -> Row:
    """The row that continues a journal."""
    idx = head.idx + 1
    return Row(idx, epoch, payload, chain(head.checksum, epoch, idx, payload), dict(keys))


def continues(head: Head, rows: list[Row]) -> bool:
    """Whether `rows` come right after `head`, unaltered."""
    idx, checksum = head
    for row in rows:
        idx += 1
        checksum = chain(checksum, row.epoch, idx, row.payload)
        if row.idx != idx or row.checksum != checksum:
            return False
    return True


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")
