"""The journal of one node: a SQLite file with the changes, the aggregates they built, and the key store.

A group of changes, the bodies of the aggregates that it touched and its private keys are one transaction, so
a restart reads aggregates and replays nothing. Write-ahead log with synchronous=FULL: what was committed
survives a loss of power. Methods block; `JournalWorker` runs them in threads.

All of it is checked when it is read: the chain of all changes when the file is opened, the aggregates and
keys when they are loaded. A file that was altered or cut short is refused by its name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mock_server.errors import SmartlicError
from mock_server.files import sync_folder
from mock_server.journal.machine import Machine
from mock_server.journal.problems import FOLDER_VERSION, JOURNAL_DAMAGED, JOURNAL_NOT_WRITABLE
from mock_server.journal.rows import EMPTY, GENESIS, Head, Row, chain
from mock_server.journal.statements import checksums, put_all
from mock_server.journal.sums import SUM_MASK, Tip, body_sum, key_sum

FORMAT = 2
_READABLE = ("1", str(FORMAT))

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (
    idx INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, payload BLOB NOT NULL, checksum BLOB NOT NULL,
    key_names TEXT NOT NULL);
CREATE TABLE aggregate (
    kind TEXT, key TEXT, body BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE key_store (name TEXT, idx INTEGER, pem BLOB NOT NULL, PRIMARY KEY (name, idx)) WITHOUT ROWID;
"""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)

Aggregate = tuple[str, str, bytes | None]
"""Kind, key and body; body None: the aggregate is gone."""


class Journal:
    """One node's file. One thread writes; another may read at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = EMPTY
        self._sum = 0
        self._tip = Tip(path)
        known = self._tip.read()
        with self._damage():
            if known.idx and (not path.exists() or not path.stat().st_size):
                raise self._damaged(f"it is gone, and once held change {known.idx}")
            new = create_private(path)
            self._connect()
            try:
                if new or not self._has_tables():
                    self._make_tables()
                self._open(known)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the file; its write-ahead log is folded into it."""
        self._tip.close()
        self._reader.close()
        self._writer.close()

    # --- writing

    def append(self, rows: Sequence[Row], aggregates: Iterable[Aggregate]) -> None:
        """Make a group durable, whole or not at all."""
        bodies = {(kind, key): body for kind, key, body in aggregates}
        written = [
            (kind, key, body, body_sum(kind, key, body))
            for (kind, key), body in bodies.items()
            if body is not None
        ]
        gone = [name for name, body in bodies.items() if body is None]
        with self._transaction() as db:
            total = self._sum - checksums(db, bodies) + sum(row[3] for row in written)
            changes = [
                (row.idx, row.epoch, row.payload, row.checksum, " ".join(sorted(row.keys))) for row in rows
            ]
            put_all(db, "INSERT INTO journal VALUES ", changes)
            put_all(db, "INSERT OR REPLACE INTO aggregate VALUES ", written)
            if gone:
                db.executemany("DELETE FROM aggregate WHERE kind = ? AND key = ?", gone)
            keys = [(name, row.idx, pem) for row in rows if row.keys for name, pem in row.keys.items()]
            if keys:
                db.executemany("INSERT INTO key_store VALUES (?, ?, ?)", keys)
                total += sum(key_sum(*key) for key in keys)
            self._keep_sum(total)
        self._sum = total & SUM_MASK
        self.head = Head(rows[-1].idx, rows[-1].checksum)
        self._tip.write(self.head)

    def cut_after(self, idx: int, machine: Machine) -> int:
        """Drop all rows after `idx` and rebuild the aggregates by a replay through `machine`, which then
        holds the state at `idx`. Returns how many rows were dropped (rule 6)."""
        count = self.head.idx - idx
        if count <= 0:
            return 0
        checksum = self.checksum_at(idx)
        if checksum is None:
            raise self._damaged(f"change {idx} is missing")
        self._tip.write(Head(idx, checksum), sync=True)
        machine.reset()
        touched: dict[tuple[str, str], None] = {}
        with self._transaction() as db:
            db.execute("DELETE FROM journal WHERE idx > ?", (idx,))
            db.execute("DELETE FROM key_store WHERE idx > ?", (idx,))
            for (payload,) in db.execute("SELECT payload FROM journal ORDER BY idx"):
                touched.update(dict.fromkeys(machine.apply(payload)))
            db.execute("DELETE FROM aggregate")
            bodies = ((kind, key, machine.row(kind, key)) for kind, key in touched)
            db.executemany(
                "INSERT INTO aggregate VALUES (?, ?, ?, ?)",
                (
                    (kind, key, body, body_sum(kind, key, body))
                    for kind, key, body in bodies
                    if body is not None
                ),
            )
            self._keep_sum(self._sum_of_all())
        self.refresh()
        return count

    def limit(self, on: bool) -> None:
        """A full disk, for drills: with `on` the file may not grow by a page."""
        pages = self._writer.execute("PRAGMA page_count").fetchone()[0] if on else 2**32 - 2
        self._writer.execute(f"PRAGMA max_page_count = {pages}")

    # --- reading

    def read(self, first: int, limit: int = 1000, max_bytes: int = 1 << 20) -> list[Row]:
        """Rows from index `first` up, at most `limit`, ended after `max_bytes` of payload."""
        rows: list[Row] = []
        size = 0
        with self._damage():
            for row in self._rows("WHERE idx >= ? ORDER BY idx LIMIT ?", first, limit):
                rows.append(row)
                size += len(row.payload)
                if size >= max_bytes:
                    break
        return rows

    def read_newest(self, after: int, limit: int) -> list[Row]:
        """The newest rows above index `after`, newest first."""
        with self._damage():
            return list(self._rows("WHERE idx > ? ORDER BY idx DESC LIMIT ?", after, limit))

    def checksum_at(self, idx: int) -> bytes | None:
        """The checksum of the row `idx`; None past the end."""
        if idx == 0:
            return GENESIS
        with self._damage():
            found = self._reader.execute("SELECT checksum FROM journal WHERE idx = ?", (idx,)).fetchone()
        return None if found is None else bytes(found[0])

    def aggregates(self) -> Iterator[tuple[str, str, bytes]]:
        """All aggregates as of the last row, each checked, and at the end the sum of all of them."""
        total = 0
        with self._damage():
            for kind, key, body, checksum in self._writer.execute(
                "SELECT kind, key, body, checksum FROM aggregate"
            ):
                if body_sum(kind, key, body) != checksum:
                    raise self._damaged(f"the {kind} {key!r} was altered")
                total += checksum
                yield kind, key, body
            if (total + self._sum_of_keys()) & SUM_MASK != self._sum:
                raise self._damaged("what its changes add up to is not all there")

    def keys(self) -> dict[str, bytes]:
        """The key store: the newest key of each name."""
        with self._damage():
            return dict(self._writer.execute("SELECT name, pem FROM key_store ORDER BY idx"))

    def backup(self, path: Path) -> None:
        """Copy the whole journal into a new private file, consistent and durable."""
        create_private(path)
        copy = sqlite3.connect(path)
        try:
            self._reader.backup(copy)
        finally:
            copy.close()

    def save_lost(self, epoch: int) -> Path:
        """Keep a copy before a cut that may take acknowledged changes (rule 6, after a forced start)."""
        path = self.path.with_name(f"lost-{epoch}.sqlite")
        number = 1
        while path.exists():
            number += 1
            path = self.path.with_name(f"lost-{epoch}-{number}.sqlite")
        self.backup(path)
        return path

    def replace(self, copy: Path) -> Head:
        """Put a whole copy, checked and on the disk, in this journal's place. Whatever happens in between,
        there is the old one or the new one. Nobody may use this journal meanwhile."""
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()
        self._tip.forget()
        # A log that stayed would be taken for the new file's.
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        copy.replace(self.path)
        sync_folder(self.path.parent)
        self._connect()
        self._tip.write(self.refresh())
        return self.head

    def refresh(self) -> Head:
        """Read the end of the file again: after a commit that failed, the file says how it went."""
        self.head = head_of(self._writer)
        self._sum = self._read_sum()
        return self.head

    # --- inside

    def _connect(self) -> None:
        self._writer = _connect(self.path)
        self._reader = _connect(self.path)

    def _open(self, known: Head) -> None:
        """Check all changes, make an older file one of this format, and read where it ends."""
        version = self._version()
        self.head = self._check_changes()
        if known.idx and self.checksum_at(known.idx) != known.checksum:
            had = f"once held change {known.idx}" if self.head.idx < known.idx else "once held others"
            raise self._damaged(f"it ends at change {self.head.idx}, and {had}")
        if version != str(FORMAT):
            self._migrate()
        self._sum = self._read_sum()
        self._tip.write(self.head)

    def _rows(self, where: str, *values: int) -> Iterator[Row]:
        query = f"SELECT idx, epoch, payload, checksum, key_names FROM journal {where}"  # noqa: S608
        for idx, epoch, payload, checksum, names in self._reader.execute(query, values):
            yield Row(idx, epoch, payload, checksum, self._keys_of(idx) if names else {})

    def _keys_of(self, idx: int) -> dict[str, bytes]:
        return dict(self._reader.execute("SELECT name, pem FROM key_store WHERE idx = ?", (idx,)))

    def _check_changes(self) -> Head:
        """Walk the whole chain (some 4 seconds a million changes); the last row."""
        idx, expected = EMPTY
        keys: dict[int, list[str]] = {}
        for number, name in self._reader.execute("SELECT idx, name FROM key_store ORDER BY idx, name"):
            keys.setdefault(number, []).append(name)
        for found, epoch, payload, checksum, names in self._reader.execute(
            "SELECT idx, epoch, payload, checksum, key_names FROM journal ORDER BY idx"
        ):
            idx += 1
            if found != idx:
                raise self._damaged(f"change {idx} is missing")
            expected = chain(expected, epoch, idx, payload)
            if expected != checksum:
                raise self._damaged(f"change {idx} was altered")
            # As they are written now, or in the order in which earlier releases did.
            if " ".join(sorted(names.split(" "))) != " ".join(keys.get(idx, ())):
                raise self._damaged(f"the keys of change {idx} are others")
        return Head(idx, expected)

    def _sum_of_all(self) -> int:
        found = self._writer.execute("SELECT checksum FROM aggregate")
        return self._sum_of_keys() + sum(int(checksum) for (checksum,) in found)

    def _sum_of_keys(self) -> int:
        return sum(key_sum(*row) for row in self._writer.execute("SELECT name, idx, pem FROM key_store"))

    def _keep_sum(self, total: int) -> None:
        self._writer.execute("UPDATE meta SET value = ? WHERE name = 'sum'", (f"{total & SUM_MASK:x}",))

    def _read_sum(self) -> int:
        found = self._writer.execute("SELECT value FROM meta WHERE name = 'sum'").fetchone()
        try:
            return int(found[0], 16)
        except (TypeError, ValueError):
            raise self._damaged("its sum is missing") from None

    def _has_tables(self) -> bool:
        return self._writer.execute("SELECT 1 FROM sqlite_master").fetchone() is not None

    def _make_tables(self) -> None:
        with self._transaction() as db:
            for statement in _SCHEMA.split(";")[:-1]:
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('format', ?), ('sum', '0')", (str(FORMAT),))

    def _version(self) -> str:
        found = self._writer.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        if found is None or found[0] not in _READABLE:
            version = None if found is None else found[0]
            raise FOLDER_VERSION(path=str(self.path), found=version, wanted=FORMAT)
        return str(found[0])

    def _migrate(self) -> None:
        """Format 1 has no checksums of aggregates."""
        with self._transaction() as db:
            db.create_function("body_sum", 3, body_sum, deterministic=True)
            db.execute("ALTER TABLE aggregate ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
            db.execute("UPDATE aggregate SET checksum = body_sum(kind, key, body)")
            db.execute("INSERT INTO meta VALUES ('sum', '0')")
            self._keep_sum(self._sum_of_all())
            db.execute("UPDATE meta SET value = ? WHERE name = 'format'", (str(FORMAT),))

    def _damaged(self, detail: str) -> SmartlicError:
        return JOURNAL_DAMAGED(path=str(self.path), detail=detail)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:  # a full disk ends it by itself
                self._writer.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            # Python's own errors, such as of a text that is no UTF-8, have none.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise JOURNAL_NOT_WRITABLE(path=str(self.path), detail=str(error)) from error
            raise self._damaged(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise JOURNAL_NOT_WRITABLE(path=str(self.path), detail=error.strerror) from error
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise self._damaged("there are values in it that were never written so") from error


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = OFF")
    return db


def head_of(db: sqlite3.Connection) -> Head:
    """The last row of a journal's file."""
    found = db.execute("SELECT idx, checksum FROM journal ORDER BY idx DESC LIMIT 1").fetchone()
    return EMPTY if found is None else Head(*found)


def create_private(path: Path) -> bool:
    """Make the file with mode 0600 first: SQLite gives its write-ahead log the mode of the file."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    return True
