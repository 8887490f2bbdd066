"""Many rows in one statement: each statement lets go of the interpreter, and has to get it back from a loop
that is busy, which takes as long as the interpreter's switch interval."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, TypeVar

__all__ = ["checksums", "put_all"]

_TOGETHER: Final = 16
"""Rows in one statement, where there are as many; what is left goes one by one."""

R = TypeVar("R", bound=tuple[Any, ...])

_NAMED = ", ".join(["(?, ?)"] * _TOGETHER)
# In this order each is looked up by its key; SQLite's own choice may be a scan of the table.
_CHECKSUMS = (
    f"SELECT group_concat(checksum) FROM (VALUES {_NAMED}) AS named "  # noqa: S608 - places for values
    "CROSS JOIN aggregate ON kind = named.column1 AND key = named.column2"
)
_CHECKSUM = "SELECT checksum FROM aggregate WHERE kind = ? AND key = ?"


def checksums(db: sqlite3.Connection, names: Iterable[tuple[str, str]]) -> int:
    """The checksums of these aggregates as they are in the file, added up (SQLite's sum ends at 63 bits)."""
    total = 0
    many, rest = _parted(list(names))
    for together in many:
        ((found,),) = db.execute(_CHECKSUMS, list(chain.from_iterable(together))).fetchall()
        total += sum(map(int, found.split(","))) if found is not None else 0
    for name in rest:
        one = db.execute(_CHECKSUM, name).fetchone()
        total += one[0] if one is not None else 0
    return total


def put_all(db: sqlite3.Connection, insert: str, rows: list[R]) -> None:
    """Write all rows: `insert` is the statement up to its values."""
    if not rows:
        return
    many, rest = _parted(rows)
    values = f"({', '.join('?' * len(rows[0]))})"
    for together in many:
        db.execute(insert + ", ".join([values] * _TOGETHER), list(chain.from_iterable(together)))
    db.executemany(insert + values, rest)


def _parted(rows: list[R]) -> tuple[list[list[R]], list[R]]:
    whole = len(rows) - len(rows) % _TOGETHER
    return [rows[start : start + _TOGETHER] for start in range(0, whole, _TOGETHER)], rows[whole:]
