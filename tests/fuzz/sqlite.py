"""Files of SQLite, damaged by a list of edits that is JSON: rows, single bytes, a file that is cut short.

{"table": "journal", "row": 2, "column": "payload", "value": "hex:00ff"}
{"table": "aggregate", "row": 0}                        it is deleted
{"byte": 4711, "value": 255}
{"cut": 8192}
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["damaged"]

_MOST = 20


class Edit(msgspec.Struct):
    table: str = ""
    row: int = 0
    column: str = ""
    value: str | int | float | None = None
    byte: int | None = None
    cut: int | None = None


def damaged(path: Path, edits: bytes) -> bool:
    """Carry out the edits on the file; False where they are none."""
    try:
        wanted = msgspec.json.decode(edits, type=list[Edit])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    for edit in wanted[:_MOST]:
        if edit.byte is not None or edit.cut is not None:
            _edit_bytes(path, edit)
        else:
            with contextlib.suppress(sqlite3.Error, OverflowError, UnicodeEncodeError):
                _edit_row(path, edit)
    return True


def _edit_bytes(path: Path, edit: Edit) -> None:
    data = bytearray(path.read_bytes())
    if edit.byte is not None and data:
        data[edit.byte % len(data)] = edit.value & 0xFF if isinstance(edit.value, int) else 0
    if edit.cut is not None:
        del data[edit.cut % (len(data) + 1) :]
    path.write_bytes(data)


def _edit_row(path: Path, edit: Edit) -> None:
    value: Any = edit.value
    if isinstance(value, str) and value.startswith("hex:"):
        with contextlib.suppress(ValueError):
            value = bytes.fromhex(value[4:])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if edit.table not in tables:
            return
        columns = [found[1] for found in db.execute(f"PRAGMA table_info('{edit.table}')")]
        keys = [found[1] for found in db.execute(f"PRAGMA table_info('{edit.table}')") if found[5]]
        rows = db.execute(f"SELECT {', '.join(keys)} FROM {edit.table}").fetchall()  # noqa: S608
        if not rows:
            return
        key = rows[edit.row % len(rows)]
        where = " AND ".join(f"{name} = ?" for name in keys)
        if not edit.column:
            db.execute(f"DELETE FROM {edit.table} WHERE {where}", key)  # noqa: S608
        elif edit.column in columns:
            db.execute(f"UPDATE {edit.table} SET {edit.column} = ? WHERE {where}", (value, *key))  # noqa: S608
