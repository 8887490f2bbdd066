"""The Active's ledger: applies changes at once, makes them durable in groups, says when answers may leave.

A change is safe when it is on this disk and, while the witness lists the Standby or the Standby is about to
be listed, on the Standby's (rule 2). An answer leaves only while the lease holds as well: the Standby has
shown lately that it hears this node, so it cannot have taken over (rule 4). All of it runs on the node's
loop; only the transactions run in the journal's thread, so that keepalives go on.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence

from mock_server.cluster.machine import Event
from mock_server.cluster.pace import Pace
from mock_server.cluster.problems import FLUSH_FAILED, JOURNAL_BUSY, NOT_ACTIVE
from mock_server.errors import CommunicationError, SmartlicError
from mock_server.journal import Head, JournalWorker, Machine, Row, next_row

log = logging.getLogger(__name__)

MAX_QUEUED = 20_000  # changes between memory and the disks of both
MAX_QUEUED_BYTES = 64 << 20
MAX_PAYLOAD = 8 << 20
PATIENCE = 3.0  # how long an answer waits for the disks before it becomes a 503

_EMPTY: Mapping[str, bytes] = {}
_Waiter = tuple[int, int, float, "asyncio.Future[None]"]


class ClusterLedger:
    """See `mock_server.cluster.machine.Ledger`. Made once a node; open only while the node is Active."""

    def __init__(
        self,
        node: str,
        machine: Machine,
        worker: JournalWorker,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.node = node
        self.machine = machine
        self.worker = worker
        self.now = now
        self.index = 0
        self.epoch = 0
        self.local = 0  # durable here
        self.acked = 0  # durable on the Standby
        self.listed = False  # the witness lists the Standby
        self.joining = False  # the Standby has reached the tail and is about to be listed
        self.lease = 0.0
        self.on_commit: Callable[[list[Row]], None] = lambda _rows: None
        self.on_rebuilt: Callable[[], None] = lambda: None
        self.applied: Callable[[bytes], None] = lambda _payload: None
        self._head = worker.journal.head
        self._open = False
        self._sealed = False
        self._failure: str | None = None  # set while the state is being rebuilt
        self._pending: list[Row] = []
        self._pending_bytes = 0
        self._touched: dict[tuple[str, str], None] = {}
        self._keys: dict[str, bytes] = {}
        self._waiters: list[_Waiter] = []
        self._count = itertools.count()
        self._pace = Pace()
        self._work = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None

    # --- what the service uses

    def propose(self, payload: bytes, keys: Mapping[str, bytes] = _EMPTY) -> int:
        """Apply a change in memory now, and queue it for the disks."""
        if not self._open or self._sealed:
            raise self._not_active()
        if self._failure is not None:
            raise FLUSH_FAILED(detail=self._failure, retry_after=1)
        if self.index - self.safe >= MAX_QUEUED or self._pending_bytes >= MAX_QUEUED_BYTES:
            raise JOURNAL_BUSY(queued=self.index - self.safe, retry_after=1)
        if len(payload) + sum(map(len, keys.values())) > MAX_PAYLOAD:
            raise ValueError(f"a change of {len(payload)} bytes")
        try:
            touched = self.machine.apply(payload)
        except Exception:
            # The machine may be half changed. What is on disk is whole: go back to it.
            self._fail("a change could not be applied")
            raise
        self._pace.note(self.now())
        row = next_row(self._head, self.epoch, payload, keys)
        self._head = Head(row.idx, row.checksum)
        self.index = row.idx
        self._pending.append(row)
        self._pending_bytes += len(payload)
        for aggregate in touched:
            self._touched[aggregate] = None
        if keys:
            self._keys.update(keys)
        self._work.set()
        self.applied(payload)
        return row.idx

    async def settled(self, index: int | None = None) -> None:
        """Return once all up to `index` is safe and this node may answer."""
        if not self._open:
            raise self._not_active()
        if self._failure is not None:
            raise FLUSH_FAILED(detail=self._failure, retry_after=1)
        target = self.index if index is None else index
        if target > self.index:
            raise FLUSH_FAILED(detail="it was undone", retry_after=1)
        if target <= self.safe and self.may_answer():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (target, next(self._count), self.now() + PATIENCE, future))
        await future

    def key(self, name: str) -> bytes:
        """A private key by its name."""
        return self._keys[name]

    async def read_events(
        self, after: int = 0, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Event]:
        """Changes as they are in this node's journal."""
        journal = self.worker.journal
        if newest_first:
            rows = await self.worker.read(journal.read_newest, after, limit)
        else:
            rows = await self.worker.read(journal.read, after + 1, limit)
        return [Event(row.idx, row.epoch, row.payload) for row in rows]

    # --- what the node uses

    @property
    def is_open(self) -> bool:
        """Whether anything is acknowledged here."""
        return self._open

    @property
    def safe(self) -> int:
        """The last index that no failure of one node can lose."""
        return min(self.local, self.acked) if self.listed or self.joining else self.local

    def may_answer(self) -> bool:
        """Whether nobody else can be Active now."""
        return not (self.listed or self.joining) or self.now() < self.lease

    async def open(self, epoch: int) -> None:
        """Begin to take changes, alone: this node has become Active in `epoch`."""
        self._head = self.worker.journal.head
        self.index = self.local = self._head.idx
        self.acked = 0
        self.epoch = epoch
        self.listed = self.joining = False
        self.lease = 0.0
        self._failure = None
        self._sealed = False
        self._drop_pending()
        self._keys = await self.worker.write(self.worker.journal.keys)
        self._open = True
        self._flusher = asyncio.create_task(self._flush(), name="flush")

    def go_alone(self, epoch: int) -> None:
        """A teardown: nobody else is waited for any more."""
        self.epoch = epoch
        self.listed = self.joining = False
        self.wake()

    async def seal(self) -> bool:
        """Take no more changes; whether all there are became safe (rule 8)."""
        self._sealed = True
        try:
            await self.settled()
        except CommunicationError:
            return False
        return True

    async def close(self) -> None:
        """Acknowledge nothing more; return when no transaction runs any more."""
        self._open = False
        self._fail_waiters(lambda: self._not_active(kept="unknown"), self.index)
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            self._flusher = None
        await self.worker.write(lambda: None)
        self._drop_pending()
        self._keys = {}

    def wake(self) -> None:
        """Let go the answers that may leave: something became safe, or the lease was renewed."""
        if not self._waiters or not self.may_answer():
            return
        safe, waiters = self.safe, self._waiters
        while waiters and waiters[0][0] <= safe:
            future = heapq.heappop(waiters)[3]
            if not future.done():
                future.set_result(None)

    def expire(self) -> None:
        """Turn answers that have waited too long into refusals. Called by the node's tick."""
        now = self.now()
        while self._waiters and self._waiters[0][2] < now:
            future = heapq.heappop(self._waiters)[3]
            if not future.done():
                future.set_exception(
                    FLUSH_FAILED(detail="the disks of both did not answer", retry_after=1, kept="unknown")
                )

    # --- inside

    async def _flush(self) -> None:
        """One transaction for all that was queued while the one before it ran."""
        journal = self.worker.journal
        while True:
            await self._work.wait()
            if self._failure is None and (delay := self._pace.delay()):
                await asyncio.sleep(delay)
            self._work.clear()
            if self._failure is not None:
                await self._rebuild()
            rows, touched = self._pending, self._touched
            if not rows:
                continue
            self._drop_pending()
            row = self.machine.row
            # All that is queued goes at once: bodies are those of now, and must not be ahead of the rows.
            bodies = [(kind, key, row(kind, key)) for kind, key in touched]
            try:
                await self.worker.write(journal.append, rows, bodies)
            except (sqlite3.Error, OSError, SmartlicError) as error:
                log.warning("flush failed: %s", error)
                self._fail(str(error))
                continue
            self.local = rows[-1].idx
            self.on_commit(rows)
            self.wake()

    def _fail(self, detail: str) -> None:
        self._failure = detail
        self._drop_pending()
        self._fail_waiters(lambda: FLUSH_FAILED(detail=detail, retry_after=1), self.local)
        self._work.set()

    async def _rebuild(self) -> None:
        """Go back to what is on disk: nothing of what failed may be seen."""
        while self._failure is not None:
            try:
                head = await self.worker.write(self.worker.journal.refresh)
                rows = await self.worker.write(lambda: list(self.worker.journal.aggregates()))
                self._keys = await self.worker.write(self.worker.journal.keys)
            except (sqlite3.Error, OSError, SmartlicError) as error:
                log.warning("the journal cannot be read: %s", error)
                await asyncio.sleep(1)
                continue
            self.machine.reset()
            self.machine.load(rows)
            self._head = head
            self.index = self.local = head.idx
            self._failure = None
            log.warning("state rebuilt from the journal at %d", head.idx)
            self.on_rebuilt()

    def _drop_pending(self) -> None:
        self._pending, self._touched, self._pending_bytes = [], {}, 0

    def _fail_waiters(self, error: Callable[[], SmartlicError], above: int) -> None:
        kept = []
        for waiter in self._waiters:
            if waiter[0] <= above and self._open:
                kept.append(waiter)
            elif not waiter[3].done():
                waiter[3].set_exception(error())
        heapq.heapify(kept)
        self._waiters = kept

    def _not_active(self, **context: str) -> SmartlicError:
        """`kept` "unknown": what waited may be on the other node's disk, and so be done all the same."""
        return NOT_ACTIVE(node=self.node, state="Standby", retry_after=1, **context)
