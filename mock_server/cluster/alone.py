"""What a node does outside of a cluster: it stands alone, is torn down, shows what is left (rule 10)."""

from __future__ import annotations

import asyncio
import logging

from mock_server.cluster import decide, membership, standing, wire
from mock_server.cluster.actions import WITNESS_RETRY, NodeActions
from mock_server.cluster.problems import INTERNAL, JOURNAL_LOST
from mock_server.cluster.roles import Event
from mock_server.cluster.standing import Standing
from mock_server.cluster.witness import Record
from mock_server.errors import SmartlicError

log = logging.getLogger(__name__)


class AloneDuties(NodeActions):
    """The actions of a node that is in no cluster, or leaves it for good."""

    async def serve_alone(self) -> None:
        """Serve everything on the own address. After a teardown the record says who may, and its epoch rises
        (rule 1); two servers that never were a cluster have no record and no epoch."""
        node, ledger = self._node, self._ledger
        index = self._worker.journal.head.idx
        record = await node.aside(node.witness.read)
        epoch = 0
        if record is not None:
            if not decide.whole(record, index):
                raise JOURNAL_LOST(node=node.name.capitalize(), index=index, had=record.index)
            wanted = standing.standing_alone(record, node.name, index)
            node.record = await node.aside(node.witness.compare_and_set, record, wanted)
            if node.record is None:
                raise INTERNAL(node=node.name, log=str(node.layout.log(node.name)))
            epoch = node.record.epoch
        try:
            await ledger.open(epoch)
            await node.service.activate(ledger)
            await node.serving.open_alone()
            await self._finish_teardown()
        except Exception:
            node.serving.abort()
            await ledger.close()
            node.service.deactivate()
            raise
        log.info("stand-alone, in epoch %d", epoch)
        node.post(Event.SERVING)

    async def show_pages(self) -> None:
        """A discarded server: its last state can be read at its own address, and that is all."""
        node = self._node
        keys = await self._worker.write(self._worker.journal.keys)
        app, tls = node.service.pages(keys)
        await node.serving.open_pages(app, tls)

    async def tear_down(self) -> None:
        """Rule 10: the record first, so that the Standby never takes the VIP; then the VIP is given up."""
        node, ledger = self._node, self._ledger
        try:
            await node.aside(membership.mark, node.layout, node.name, "teardown")
            won = await self._write_record()
        except (SmartlicError, OSError) as error:
            # It may have been written all the same: there is no way back, only on.
            log.warning("%s", error)
            asyncio.get_running_loop().call_later(WITNESS_RETRY, node.post, Event.WITNESS_DOWN)
            return
        if not won:
            await node.aside(membership.unmark, node.layout, node.name, "teardown")
            node.post(Event.CAS_LOST)
            return
        node.standing = Standing.ALONE
        ledger.go_alone(won.epoch)
        if node.leader is not None:
            node.leader.link.send(wire.TornDown())
            node.leader.link.close()
        if not await node.serving.give_up_vip(decide.DRAIN_TIMEOUT):
            log.warning("some requests by the VIP were not finished in time")
        await node.peers.close()
        node.watch.close()
        await self._finish_teardown()
        node.post(Event.TORN_DOWN)

    async def _write_record(self) -> Record | None:
        """None: somebody else is Active."""
        node, ledger = self._node, self._ledger
        while True:
            seen = await node.aside(node.witness.read)
            if seen is not None and seen.mode == "stand-alone" and seen.active == node.name:
                node.record = seen  # an earlier attempt
                return seen
            if seen is None or decide.deposed(seen, node.name, ledger.epoch):
                node.record = seen
                return None
            wanted = standing.standing_alone(seen, node.name, ledger.safe)
            won = await node.aside(node.witness.compare_and_set, seen, wanted)
            if won is not None:
                node.record = won
                return won

    async def _finish_teardown(self) -> None:
        """What belongs to a teardown, again where an earlier attempt died before its end."""
        node = self._node
        if await node.aside(membership.marked, node.layout, node.name, "teardown"):
            await node.service.torn_down()
            await node.aside(membership.unmark, node.layout, node.name, "teardown")
