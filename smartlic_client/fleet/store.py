"""The state of a whole fleet in one SQLite file.

A device's state is saved before each of its messages (protocol, "Exactly once, over failover"). What many
devices want to save at the same time goes to the disk in one transaction, so that a save costs a share of a
flush. The file holds private keys: only its owner can read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import filelock
import msgspec

from smartlic_client.errors import BusyError, CallerError, SmartlicError, problem
from smartlic_client.protocol.record import Record, contradiction

__all__ = ["FleetLock", "FleetStore", "Row"]

FLEET_BUSY = problem(
    "fleet-busy",
    BusyError,
    "The fleet in {path} is in use by another process.",
    "Wait until that one has ended, or give another file with --state.",
)
FLEET_UNUSABLE = problem(
    "fleet-unusable",
    CallerError,
    "The fleet's file {path} cannot be used: {why}.",
    "Make room on the disk, or give another file with --state; what was saved before is whole.",
)
FLEET_VERSION = problem(
    "fleet-version",
    CallerError,
    "The fleet's file {path} has format {version}, and this release reads {newest}.",
    "Use the release that wrote it, or give another file with --state.",
)

FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS device (
  name TEXT PRIMARY KEY, started REAL NOT NULL, due REAL, registration TEXT NOT NULL,
  authorization TEXT NOT NULL, settled INTEGER NOT NULL, record BLOB NOT NULL
) WITHOUT ROWID;
"""
# A statement lets go of the interpreter and has to get it back from a loop that is busy: many rows in one.
_TOGETHER = 16
_ONE = "INSERT OR REPLACE INTO device VALUES (?, ?, ?, ?, ?, ?, ?)"
_MANY = _ONE + ", (?, ?, ?, ?, ?, ?, ?)" * (_TOGETHER - 1)


class Row(NamedTuple):
    """One device. `started`: when the fleet began it; `due`: when it wants attention (None: never)."""

    name: str
    started: float
    due: float | None
    record: Record

    @property
    def settled(self) -> bool:
        """Whether it is registered, and has told its counts."""
        record = self.record
        return record.identity is not None and record.in_flight is None and not record.to_report


class FleetLock:
    """Holds a fleet against other commands, from `with` to its end. Raises fleet-busy, fleet-unusable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = filelock.FileLock(f"{path}.lock", mode=0o600)

    def __enter__(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise FLEET_BUSY(path=str(self._path)) from None
        except OSError as error:
            raise FLEET_UNUSABLE(path=str(self._path), why=error.strerror or str(error)) from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class FleetStore:
    """An object for one process; a `FleetLock` keeps other commands away. `make` the file once, before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: queue.SimpleQueue[tuple[tuple[Any, ...], asyncio.Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None
        with _told(self.path):
            # Two: a read that is under way on the writer's own would hold it to an old state of the file.
            self._reader, self._writer = _connected(path), _connected(path)
            self._check_format()

    @staticmethod
    def make(path: Path) -> None:
        """Make the file if it is not there. Raises fleet-unusable and fleet-version."""
        with _told(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with contextlib.closing(_connected(path)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_TABLES)
                db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
        FleetStore(path).close()

    def _check_format(self) -> None:
        found = self._reader.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        version = "none" if found is None else found[0]
        if version != str(FORMAT):
            self.close()
            raise FLEET_VERSION(path=str(self.path), version=version, newest=FORMAT)

    def close(self) -> None:
        """Write what waits, and let the file go."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
        self._reader.close()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- reading ------------------------------------------------------------------------------------------
    def load(self, name: str) -> Row | None:
        with _told(self.path):
            found = self._reader.execute(
                "SELECT name, started, due, record FROM device WHERE name = ?", (name,)
            ).fetchall()
            if not found:
                return None
            *head, record = found[0]
            name, started, due = msgspec.convert(head, tuple[str, float, float | None])
            row = Row(name, started, due, msgspec.msgpack.decode(record, type=Record))
        if why := contradiction(row.record):
            raise FLEET_UNUSABLE(path=str(self.path), why=f"the record of {name} is none: {why}")
        return row

    def known(self) -> Iterator[tuple[str, str, str, bool]]:
        """Name, both states, and whether it is settled, of all devices that were begun."""
        with _told(self.path):
            yield from self._reader.execute("SELECT name, registration, authorization, settled FROM device")

    # ---- saving -------------------------------------------------------------------------------------------
    async def save(self, row: Row) -> None:
        """Return when the row is on the disk. Raises fleet-unusable; what was there before is whole then."""
        record = row.record
        values = (
            row.name,
            row.started,
            row.due,
            record.registration.value,
            record.authorization.value,
            row.settled,
            msgspec.msgpack.encode(record),
        )
        done = asyncio.get_running_loop().create_future()
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="fleet store", daemon=True)
            self._thread.start()
        self._waiting.put((values, done))
        await done

    def _write(self) -> None:
        """The thread that writes: all that waits is one transaction."""
        while (first := self._waiting.get()) is not None:
            group, ends = [first], False
            while not self._waiting.empty():
                one = self._waiting.get()
                if one is None:
                    ends = True
                    break
                group.append(one)
            problem_met = self._commit([values for values, _ in group])
            loop = first[1].get_loop()
            loop.call_soon_threadsafe(_tell, [done for _, done in group], problem_met)
            if ends:
                return

    def _commit(self, rows: list[tuple[Any, ...]]) -> SmartlicError | None:
        try:
            with _told(self.path):
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    whole = len(rows) - len(rows) % _TOGETHER
                    for start in range(0, whole, _TOGETHER):
                        together = rows[start : start + _TOGETHER]
                        self._writer.execute(_MANY, list(itertools.chain.from_iterable(together)))
                    self._writer.executemany(_ONE, rows[whole:])
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
        except SmartlicError as error:
            return error
        return None


def _tell(waiting: list[asyncio.Future[None]], error: SmartlicError | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the disk or SQLite says, as an error for people."""
    try:
        yield
    except OSError as error:
        raise FLEET_UNUSABLE(path=str(path), why=error.strerror or str(error)) from error
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise FLEET_UNUSABLE(path=str(path), why=str(error)) from error
    except (TypeError, UnicodeDecodeError, OverflowError, RecursionError) as error:
        why = "there are values in it that were never written so"
        raise FLEET_UNUSABLE(path=str(path), why=why) from error


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60.0, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")
    return db
