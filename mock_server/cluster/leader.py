"""Replication, the Active's side: find the last common row, ship what is missing, then ship each group.

A follower that lacks most of the journal gets a whole copy first, and what came after it from the journal.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine

from mock_server.cluster import wire
from mock_server.cluster.decide import by_copy, standby_lost
from mock_server.cluster.ledger import ClusterLedger
from mock_server.cluster.link import Link
from mock_server.errors import SmartlicError
from mock_server.journal import Row, copies

log = logging.getLogger(__name__)

_WINDOW = 4_000  # rows on the way to a follower that is far behind
_COPY_WINDOW = 16 * wire.CHUNK_BYTES  # bytes of a copy on the way
_CATCH_UP_PATIENCE = 30.0  # a follower may have much to cut before it answers


class Leader:
    """One session with the follower. It ends with its connection, and says so once."""

    def __init__(
        self,
        link: Link,
        ledger: ClusterLedger,
        *,
        forced: bool,
        on_caught_up: Callable[[Leader], None],
        on_leaving: Callable[[Leader], None],
        on_lost: Callable[[Leader], None],
    ) -> None:
        self.link = link
        self.sent = 0
        self.live = False
        self.caught_up = False
        self.leaving = False
        self._ledger = ledger
        self._forced = forced
        self._on_caught_up = on_caught_up
        self._on_leaving = on_leaving
        self._on_lost = on_lost
        self._positions: asyncio.Queue[wire.Position] = asyncio.Queue()
        self._acked = asyncio.Event()
        self._received = 0
        self._progress = self._ledger.now()
        self._ended = False
        self._task = asyncio.create_task(self._guard(self._run), name="leader")

    def message(self, message: wire.Message) -> None:
        """A message of the follower on the replication connection."""
        match message:
            case wire.Ack(idx):
                if idx > self._ledger.acked:
                    self._ledger.acked = idx
                    self._ledger.wake()
                self._progress = self._ledger.now()
                self._acked.set()
            case wire.Received(size):
                self._received = size
                self._acked.set()
            case wire.Position():
                self._positions.put_nowait(message)
            case wire.Leaving():
                self.leaving = True
                self._on_leaving(self)
            case _:
                log.warning("unexpected %s from the follower", type(message).__name__)
                self.close()

    def ship(self, rows: list[Row]) -> None:
        """A group has been committed here."""
        if not self.live:
            return  # the pump reads it from the journal
        if self._ledger.acked >= self.sent:
            self._progress = self._ledger.now()
        for batch in wire.batches(rows):
            self.link.send(batch)
        self.sent = rows[-1].idx

    def resume(self) -> None:
        """The state was rebuilt: what the disk holds beyond what was shipped has to be read from it."""
        if self.live and not self._ended:
            self.live = False
            self._task = asyncio.create_task(self._guard(self._pump), name="leader")

    def overdue(self, now: float) -> bool:
        """Whether the follower must be given up (rule 2)."""
        silence = now - self.link.last_byte
        if not (self.live and (self._ledger.listed or self._ledger.joining)):
            return silence >= _CATCH_UP_PATIENCE
        waiting = now - self._progress if self._ledger.acked < self.sent else None
        return standby_lost(unacknowledged=waiting, silence=silence)

    def close(self) -> None:
        """End the session."""
        self.link.abort()
        self.lost()

    def lost(self) -> None:
        """The connection is gone."""
        if not self._ended:
            self._ended = True
            self.live = False
            self._task.cancel()
            self._on_lost(self)

    async def _guard(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """A session that cannot go on ends; the follower begins another one."""
        try:
            await work()
        except TimeoutError:
            log.warning("the follower does not answer")
            self.close()
        except copies.CopyStopped:
            log.info("the copy is not wanted any more")
        except (sqlite3.Error, OSError, SmartlicError) as error:
            log.warning("the journal cannot be read for the follower: %s", error)
            self.close()

    async def _run(self) -> None:
        async with asyncio.timeout(_CATCH_UP_PATIENCE):
            common = await self._find_common()
        if by_copy(lacks=self._ledger.local - common, all_changes=self._ledger.local):
            begin = await self._copy(common)
        else:
            begin = common
            self.link.send(wire.Begin(common, self._ledger.epoch, self._forced))
        async with asyncio.timeout(_CATCH_UP_PATIENCE * 10):
            await self._positions.get()  # it has cut what comes after, or checked the copy
        self.sent = self._ledger.acked = begin
        log.info("session begins at row %d of %d", begin, self._ledger.local)
        await self._pump()

    async def _copy(self, common: int) -> int:
        """Send a whole copy; its last row."""
        worker, ledger = self._ledger.worker, self._ledger
        began = ledger.now()
        path, head = await worker.copy(copies.make, worker.journal.path, lambda: not self._ended)
        outgoing = copies.Outgoing(path)
        try:
            self.link.send(
                wire.Copy(common, ledger.epoch, self._forced, head.idx, head.checksum, outgoing.size)
            )
            sent = 0
            while data := await worker.copy(outgoing.read, wire.CHUNK_BYTES):
                self.link.send(wire.Chunk(data))
                sent += len(data)
                async with asyncio.timeout(_CATCH_UP_PATIENCE):
                    while sent - self._received > _COPY_WINDOW:
                        self._acked.clear()
                        await self._acked.wait()
            self.link.send(wire.CopyEnd(outgoing.digest()))
        finally:
            outgoing.close()
        log.info("a whole copy was sent: %d MiB in %.1f s", sent >> 20, ledger.now() - began)
        return head.idx

    async def _find_common(self) -> int:
        """Checksums are chained: equal at an index means equal up to it. So the border can be halved."""
        journal, worker = self._ledger.worker.journal, self._ledger.worker
        position = await self._positions.get()
        if await worker.read(journal.checksum_at, position.idx) == position.checksum:
            return position.idx
        low, high = 0, min(position.idx, self._ledger.local + 1)  # equal at low, different at high
        while high - low > 1:
            middle = (low + high) // 2
            self.link.send(wire.Probe(middle))
            position = await self._positions.get()
            mine = await worker.read(journal.checksum_at, middle)
            if position.idx == middle and mine == position.checksum:
                low = middle
            else:
                high = middle
        return low

    async def _pump(self) -> None:
        """Ship from the journal until there is nothing left to ship; then go live in the same step."""
        ledger = self._ledger
        journal = ledger.worker.journal
        while self.sent < ledger.local:
            rows = await ledger.worker.read(journal.read, self.sent + 1)
            # The journal's thread may be a step ahead of the loop.
            rows = [row for row in rows if row.idx <= ledger.local]
            if not rows:
                continue
            for batch in wire.batches(rows):
                self.link.send(batch)
            self.sent = rows[-1].idx
            while self.sent - ledger.acked > _WINDOW:
                self._acked.clear()
                await self._acked.wait()
        self.live = True
        self._progress = self._ledger.now()
        # Rule 2: from here on answers wait for it; it is listed only once it has all that was answered.
        ledger.joining = True
        answered = ledger.local
        while not self._ended and ledger.acked < answered:
            self._acked.clear()
            await self._acked.wait()
        self.caught_up = True
        self._on_caught_up(self)
