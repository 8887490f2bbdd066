"""Many rows in one statement: each statement lets go of the interpreter, and has to get it back from a loop
that is busy, which takes as long as the interpreter's switch interval."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, TypeVar

__all__ = ["chunks", "put_all"]

_TOGETHER: Final = 16

R = TypeVar("R", bound=tuple[Any, ...])


def chunks(rows: list[R]) -> Iterator[list[R]]:
    """Parts of so many rows, and the rest one by one: two texts of each statement to keep prepared."""
    whole = len(rows) - len(rows) % _TOGETHER
    for start in range(0, whole, _TOGETHER):
        yield rows[start : start + _TOGETHER]
    for row in rows[whole:]:
        yield [row]


def put_all(db: sqlite3.Connection, insert: str, rows: list[R]) -> None:
    """Write all rows: `insert` is the statement up to its values."""
    for together in chunks(rows):
        one = f"({', '.join('?' * len(together[0]))})"
        db.execute(insert + ", ".join([one] * len(together)), list(chain.from_iterable(together)))
