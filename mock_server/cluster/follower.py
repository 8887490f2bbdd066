"""Replication, the Standby's side: cut to the common row, take each batch, acknowledge it once durable.

Where the Active sends a whole copy, it takes the place of the journal once it was checked.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from mock_server.cluster import wire
from mock_server.cluster.link import Link
from mock_server.errors import SmartlicError
from mock_server.journal import Head, JournalWorker, Machine, Row, copies
from mock_server.journal.rows import continues

log = logging.getLogger(__name__)

_GROUP = 1_000  # rows in one step of the loop and one transaction: keepalives have to go on between


class Follower:
    """One session with the Active. Changes are applied in memory, committed, and only then acknowledged.

    The memory goes first because the bodies of the aggregates belong into the transaction. Nobody reads a
    Standby's memory; if the commit fails, it is rebuilt from the journal."""

    def __init__(
        self,
        link: Link,
        machine: Machine,
        worker: JournalWorker,
        *,
        applied: Callable[[bytes], None],
        on_begun: Callable[[], None],
        on_copying: Callable[[int, int], None],
        on_listed: Callable[[], None],
        on_handover: Callable[[int], None],
        on_left: Callable[[], None],
        on_broken: Callable[[str], None],
    ) -> None:
        self.link = link
        self.cut = 0
        self.saved: Path | None = None
        self.common = 0
        self._machine = machine
        self._worker = worker
        self._applied = applied
        self._on_begun = on_begun
        self._on_copying = on_copying
        self._on_listed = on_listed
        self._on_handover = on_handover
        self._on_left = on_left
        self._on_broken = on_broken
        self._inbox: list[Row] = []
        self._orders: asyncio.Queue[wire.Probe | wire.Begin | wire.Copy] = asyncio.Queue()
        self._chunks: asyncio.Queue[wire.Chunk | wire.CopyEnd | None] = asyncio.Queue()
        self._work = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="follower")

    def message(self, message: wire.Message) -> None:
        """A message of the Active on the replication connection."""
        match message:
            case wire.Batch(rows):
                self._inbox += rows
                self._work.set()
            case wire.Probe() | wire.Begin() | wire.Copy():
                self._orders.put_nowait(message)
            case wire.Chunk() | wire.CopyEnd():
                self._chunks.put_nowait(message)
            case wire.Listed():
                self._on_listed()
            case wire.Left():
                self._on_left()
            case wire.TornDown():
                log.warning("the Active has been torn down and stands alone")
            case wire.Handover(idx):
                self._on_handover(idx)
            case _:
                log.warning("unexpected %s from the Active", type(message).__name__)
                self.link.abort()

    async def close(self) -> None:
        """End the session: no row of the old epoch is acknowledged after this (rule 5).

        What is being committed is finished, so that memory and journal agree; also where who closes is
        cancelled meanwhile, and closes again."""
        self._closing = True
        self._inbox = []
        self.link.abort()
        self._work.set()
        self._orders.put_nowait(wire.Probe(0))
        self._chunks.put_nowait(None)
        await asyncio.wait([self._task])  # not gather: it would cancel the task when it is cancelled itself

    async def _run(self) -> None:
        try:
            await self._find_common()
            while not self._closing:
                await self._work.wait()
                self._work.clear()
                while self._inbox:
                    rows, self._inbox = self._inbox[:_GROUP], self._inbox[_GROUP:]
                    await self._take(rows)
        except (sqlite3.Error, OSError, SmartlicError) as error:
            log.warning("replication failed here: %s", error)
            await self._rebuild()
            self._break(f"this node's journal: {error}")
        except Exception:
            log.exception("a change could not be applied")
            await self._rebuild()
            self._break("a change could not be applied")

    def _break(self, detail: str) -> None:
        self.link.abort()
        if not self._closing:
            self._on_broken(detail)

    async def _find_common(self) -> None:
        journal = self._worker.journal
        head = journal.head
        self.link.send(wire.Position(head.idx, head.checksum))
        while not self._closing:
            order = await self._orders.get()
            if isinstance(order, wire.Begin):
                await self._cut(order)
                self.link.send(wire.Position(order.common, journal.head.checksum))
                self._on_begun()
                return
            if isinstance(order, wire.Copy):
                await self._take_copy(order)
                return
            checksum = await self._worker.read(journal.checksum_at, order.idx)
            self.link.send(wire.Position(order.idx, checksum or b""))

    async def _cut(self, begin: wire.Begin) -> None:
        """Rule 6: what the Active does not have was never acknowledged, except before a forced start."""
        journal = self._worker.journal
        self.common = begin.common
        if journal.head.idx <= begin.common:
            return
        await self._keep_lost(begin)
        # In the journal's thread: a long replay must not stop the keepalives. Nobody else uses the machine.
        self.cut = await self._worker.write(journal.cut_after, begin.common, self._machine)
        self._say_cut()

    async def _keep_lost(self, begin: wire.Begin | wire.Copy) -> None:
        journal = self._worker.journal
        if begin.forced and journal.head.idx > begin.common:
            self.saved = await self._worker.write(journal.save_lost, begin.epoch)

    def _say_cut(self) -> None:
        kept = f"; they are kept in {self.saved.name}" if self.saved else ""
        log.warning("cut %d changes after the common row %d%s", self.cut, self.common, kept)

    async def _take_copy(self, copy: wire.Copy) -> None:
        """Until the copy was checked this node has its old journal, from then on the Active's."""
        worker = self._worker
        journal = worker.journal
        self.common = copy.common
        self._on_copying(0, copy.size)
        incoming = await worker.copy(copies.Incoming, journal.path)
        try:
            while not self._closing:
                chunk = await self._chunks.get()
                if isinstance(chunk, wire.CopyEnd):
                    head = Head(copy.idx, copy.checksum)
                    await worker.copy(incoming.finish, copy.size, chunk.digest, head)
                    break
                if chunk is not None:
                    size = await worker.copy(incoming.write, chunk.data)
                    self.link.send(wire.Received(size))
                    self._on_copying(size, copy.size)
            if self._closing:
                return
            await self._keep_lost(copy)
            beyond = journal.head.idx - copy.common
            await worker.write(journal.replace, incoming.path)
        finally:
            await worker.copy(incoming.close)
        await worker.write(reload, journal.refresh, self._machine, worker)
        log.info("a whole copy of the Active's journal is here; it ends at row %d", copy.idx)
        if beyond > 0:
            self.cut = beyond
            self._say_cut()
        self.link.send(wire.Position(copy.idx, copy.checksum))
        self._on_begun()

    async def _take(self, rows: list[Row]) -> None:
        journal = self._worker.journal
        if not continues(journal.head, rows):
            log.error("the rows from %d do not continue this journal at %d", rows[0].idx, journal.head.idx)
            self.link.abort()
            self._inbox = []
            return
        touched: dict[tuple[str, str], None] = {}
        apply = self._machine.apply
        for row in rows:
            for aggregate in apply(row.payload):
                touched[aggregate] = None
        bodies = [(kind, key, self._machine.row(kind, key)) for kind, key in touched]
        await self._worker.write(journal.append, rows, bodies)
        if not self._closing:
            self.link.send(wire.Ack(rows[-1].idx))
        for row in rows:
            self._applied(row.payload)

    async def _rebuild(self) -> None:
        journal = self._worker.journal
        try:
            await self._worker.write(reload, journal.refresh, self._machine, self._worker)
        except (sqlite3.Error, OSError, SmartlicError) as error:
            log.warning("the journal cannot be read: %s", error)


def reload(refresh: Callable[[], Head], machine: Machine, worker: JournalWorker) -> Head:
    """Rebuild a machine's state from the journal's aggregates."""
    head = refresh()
    machine.reset()
    machine.load(worker.journal.aggregates())
    return head
