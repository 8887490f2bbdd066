"""What a node does when the table of roles asks for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from mock_server.cluster import decide, membership, wire
from mock_server.cluster.actions import WITNESS_RETRY, NodeActions
from mock_server.cluster.alone import AloneDuties
from mock_server.cluster.follower import Follower, reload
from mock_server.cluster.leader import Leader
from mock_server.cluster.ledger import ClusterLedger
from mock_server.cluster.link import Link
from mock_server.cluster.problems import FLUSH_FAILED, INTERNAL
from mock_server.cluster.processes import read_node_file
from mock_server.cluster.roles import ACTIVE_STATES, Action, Event, State
from mock_server.cluster.standing import Standing, standing
from mock_server.cluster.witness import Record
from mock_server.errors import SmartlicError
from mock_server.journal import Journal, JournalWorker, copies

if TYPE_CHECKING:
    from mock_server.cluster.node import Node

log = logging.getLogger(__name__)

_GOODBYE = 1.0
_BROKEN_PAUSE = 1.0  # a Standby with a full disk does not try ten times a second


class Duties(NodeActions):
    """The actions of `roles.Action`, by name."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._doubt = False  # a record of ours may have been written although the disk said no
        self._handed_over = False
        alone = AloneDuties(node)
        self._actions = {
            Action.LOAD: self._load,
            Action.SEEK: self._seek,
            Action.TAKE_OVER: lambda: self._beside(self._take_over(forced=False)),
            Action.TAKE_OVER_BY_FORCE: lambda: self._beside(self._take_over(forced=True)),
            Action.SAY_LEAVING: lambda: self._beside(self._say_leaving()),
            Action.LIST_PEER: self._list_peer,
            Action.DELIST_PEER: self._delist_peer,
            Action.ANSWER_LEFT: self._answer_left,
            Action.DRAIN: lambda: self._beside(self._drain()),
            Action.STEP_DOWN: self._step_down,
            Action.TEAR_DOWN: alone.tear_down,
            Action.SERVE_ALONE: alone.serve_alone,
            Action.SHOW_PAGES: alone.show_pages,
            Action.CLOSE: self._close,
        }

    async def perform(self, action: Action) -> None:
        """Run one action; what it could not do it raises."""
        await self._actions[action]()

    async def _beside(self, coroutine: object) -> None:
        self._node.spawn(coroutine)

    # --- starting

    async def _load(self) -> None:
        node = self._node
        node.problem = None
        node.reason = ""
        node.cut = {}
        node.considered = False
        node.configure()
        node.record = await node.aside(node.witness.read)
        facts = await node.aside(membership.facts, node.layout, node.config, node.name, node.record)
        node.standing = standing(facts)
        loop = asyncio.get_running_loop()
        path = node.layout.journal(node.name)
        await loop.run_in_executor(None, copies.remove_all, path)
        journal = await loop.run_in_executor(None, Journal, path)
        node.worker = worker = JournalWorker(journal)
        await worker.write(reload, journal.refresh, node.service.machine, worker)
        node.ledger = ledger = ClusterLedger(node.name, node.service.machine, worker, node.world.time)
        ledger.applied = node.applied
        ledger.on_commit = lambda rows: node.leader.ship(rows) if node.leader else None
        ledger.on_rebuilt = lambda: node.leader.resume() if node.leader else None
        match node.standing:
            case Standing.MEMBER:
                await node.peers.open()
                node.post(Event.LOADED)
            case Standing.ALONE:
                node.post(Event.STANDS_ALONE)
            case Standing.DISCARDED:
                node.post(Event.IS_DISCARDED)

    async def _seek(self) -> None:
        node = self._node
        node.considered = False
        node.seeking_since = node.world.time()
        known = read_node_file(node.layout.node_json(node.peer))
        if known is not None and node.world.alive(known.process):
            node.watch.watch(known.process)
        node.peers.seek()
        node.consider()

    # --- taking over

    async def _take_over(self, *, forced: bool) -> None:
        """Rule 5, in its order."""
        node = self._node
        begun = node.world.time()
        await node.peers.stop_seeking("replication")
        try:
            won = await self._win_epoch(forced=forced)
        except SmartlicError as error:
            log.warning("%s", error)
            node.reason = error.sentence
            await asyncio.sleep(WITNESS_RETRY)
            node.post(Event.WITNESS_DOWN)
            return
        if won is None:
            node.post(Event.CAS_LOST)
            return
        node.record = won
        self._handed_over = False
        ledger = self._ledger
        try:
            await node.serving.take_vip()
            await ledger.open(won.epoch)
            await node.service.activate(ledger)
            await node.serving.open()
        except Exception as error:
            node.serving.abort()
            await self._deactivate()
            if isinstance(error, SmartlicError):
                node.fail(error)
            else:
                log.exception("the service could not be activated")
                node.fail(INTERNAL(node=node.name, log=str(node.layout.log(node.name))))
            return
        node.takeover_seconds = node.world.time() - begun
        node.reason = ""
        log.info("Active in epoch %d after %.3f s", won.epoch, node.takeover_seconds)
        await node.peers.stop_seeking("heartbeat")
        node.post(Event.SERVING)

    async def _win_epoch(self, *, forced: bool) -> Record | None:
        """Rule 1: by compare-and-set only, and only if the record lists this node, or by force."""
        node = self._node
        record = await node.aside(node.witness.read)
        node.record = record
        index = self._worker.journal.head.idx
        listed = record is None or (
            node.name in record.in_sync and record.mode == "cluster" and decide.whole(record, index)
        )
        if not listed and not forced:
            return None
        wanted = decide.leading(record, node.name, index, forced=forced and not listed)
        return await node.aside(node.witness.compare_and_set, record, wanted)

    # --- the Active and its Standby

    def lead(self, link: Link) -> Callable[[wire.Message], None]:
        """The peer has opened a replication connection."""
        node = self._node

        def lost(leader: Leader) -> None:
            if node.leader is leader:
                node.leader = None
            self._ledger.joining = False
            node.post(Event.PEER_LOST)

        record = node.record
        node.leader = Leader(
            link,
            self._ledger,
            forced=record is not None and record.forced,
            on_caught_up=lambda _leader: node.post(Event.PEER_CAUGHT_UP),
            on_leaving=lambda _leader: node.post(Event.PEER_LEAVING),
            on_lost=lost,
        )
        return node.leader.message

    async def _list_peer(self) -> None:
        """Rule 2: answers wait for it already; now the record may list it."""
        node, leader, record = self._node, self._node.leader, self._node.record
        if leader is None or not leader.caught_up or leader.leaving or record is None:
            return
        # Before the record says so: should the session end now, nothing leaves until it is taken off.
        self._ledger.listed = True
        if node.peer not in record.in_sync or self._doubt:
            wrote = await self._change_record(
                lambda seen: decide.listing(seen, node.name, node.peer, self._ledger.safe)
            )
            if wrote is None:
                self._later(Event.PEER_CAUGHT_UP)
            if not wrote:
                return
        leader.link.send(wire.Listed(node.record.number if node.record else 0))
        node.post(Event.PEER_LISTED)

    async def _delist_peer(self) -> None:
        """Rule 2: before anything is acknowledged alone. Not after a handover: the list is the peer's."""
        node, record = self._node, self._node.record
        if self._handed_over or record is None or not self._ledger.is_open:
            return  # nothing is acknowledged any more: the peer still has all that was
        if node.peer in record.in_sync or self._doubt:
            wrote = await self._change_record(
                lambda seen: decide.delisting(seen, node.name, self._ledger.local)
            )
            if wrote is None:
                self._later(Event.PEER_LOST)
            if not wrote:
                return
            log.info("%s is off the list: going on alone", node.peer)
        ledger = self._ledger
        ledger.listed = False
        ledger.joining = node.leader is not None and node.leader.live and not node.leader.leaving
        ledger.wake()
        node.post(Event.PEER_DELISTED)

    async def _change_record(self, change: Callable[[Record], Record]) -> bool | None:
        """Compare-and-set by the Active. False: deposed; None: the disk refused, ask again."""
        node = self._node
        try:
            if self._doubt:
                node.record = await node.aside(node.witness.read)
            while True:
                seen = node.record
                if seen is None or decide.deposed(seen, node.name, self._ledger.epoch):
                    node.post(Event.CAS_LOST)
                    return False
                wanted = change(seen)
                if wanted == seen and not self._doubt:
                    return True
                won = await node.aside(node.witness.compare_and_set, seen, wanted)
                if won is not None:
                    node.record, self._doubt = won, False
                    return True
                node.record = await node.aside(node.witness.read)
        except SmartlicError as error:
            # "Could not write" is not "deposed": nothing is acknowledged meanwhile.
            log.warning("%s", error)
            self._doubt = True
            return None

    def _later(self, event: Event) -> None:
        asyncio.get_running_loop().call_later(WITNESS_RETRY, self._node.post, event)

    async def _answer_left(self) -> None:
        node = self._node
        if node.leader is not None and node.record is not None and node.peer not in node.record.in_sync:
            node.leader.link.send(wire.Left())

    async def check_record(self) -> None:
        """An Active that is alone needs no compare-and-set: it looks whether somebody was forced over it."""
        node = self._node
        try:
            record = await node.aside(node.witness.read)
        except SmartlicError:
            return
        active = node.state in ACTIVE_STATES and node.state is not State.TEARING_DOWN
        if active and decide.deposed(record, node.name, self._ledger.epoch):
            node.record = record
            node.post(Event.CAS_LOST)

    # --- the Standby

    def follow(self, link: Link) -> Callable[[wire.Message], None]:
        """This node has opened a replication connection to the Active."""
        node = self._node

        def begun() -> None:
            if follower.cut:
                saved = follower.saved.name if follower.saved else None
                node.cut = {"changes": follower.cut, "after": follower.common, "saved": saved}
            node.reason = "catching up"
            node.post(Event.FOLLOWING)

        def copying(done: int, size: int) -> None:
            node.reason = f"copying everything from the Active: {done >> 20} of {size >> 20} MiB"
            if not done:
                node.post(Event.FOLLOWING)

        def listed() -> None:
            node.reason = ""
            node.problem = None
            node.post(Event.LISTED)
            node.spawn(self._refresh_record())

        def broken(detail: str) -> None:
            node.problem = FLUSH_FAILED(detail=detail)
            node.peers.cut("replication", _BROKEN_PAUSE)

        follower = Follower(
            link,
            node.service.machine,
            self._worker,
            applied=node.applied,
            on_begun=begun,
            on_copying=copying,
            on_listed=listed,
            on_handover=self._handed,
            on_left=lambda: node.post(Event.LEFT),
            on_broken=broken,
        )
        node.follower = follower
        return follower.message

    def _handed(self, index: int) -> None:
        if self._worker.journal.head.idx == index:
            self._node.post(Event.HANDED_OVER)
        else:
            log.error("handed over at %d, but this journal ends elsewhere", index)

    async def _refresh_record(self) -> None:
        try:
            self._node.record = await self._node.aside(self._node.witness.read)
        except SmartlicError as error:
            log.warning("%s", error)

    async def _say_leaving(self) -> None:
        """Rule 8: a Standby that stops is taken off the list at once."""
        node = self._node
        if node.follower is not None and node.peers.connected("replication"):
            node.follower.link.send(wire.Leaving())
            try:
                await node.until(
                    lambda: not node.peers.connected("replication") or node.state != "leaving", _GOODBYE
                )
            except TimeoutError:
                log.warning("the Active did not say goodbye")
        node.post(Event.LEFT)

    # --- stopping

    async def _drain(self) -> None:
        """Rule 8: let answers leave, hand over the last index."""
        node, ledger = self._node, self._ledger
        if not await node.serving.drain(decide.DRAIN_TIMEOUT):
            log.warning("some requests were not finished in time")
        safe = await ledger.seal()
        leader = node.leader
        if safe and leader is not None and leader.live and ledger.listed and not leader.leaving:
            self._handed_over = True
            leader.link.send(wire.Handover(ledger.index))
            try:
                # The new Active closes its heartbeat connection to this node when it serves.
                await node.until(lambda: not node.peers.connected("heartbeat"), _GOODBYE)
            except TimeoutError:
                log.warning("the Standby has not taken over yet")
        await self._deactivate()
        node.post(Event.DRAINED)

    async def _deactivate(self) -> None:
        node = self._node
        await self._ledger.close()
        node.service.deactivate()
        if node.leader is not None:
            node.leader.close()
            node.leader = None

    async def _step_down(self) -> None:
        """Rule 3: fall silent, drop the state, go back to what the journal holds."""
        node = self._node
        log.warning("deposed: closing listeners and connections")
        node.serving.abort()
        await self._deactivate()
        node.peers.drop()
        worker = self._worker
        await worker.write(reload, worker.journal.refresh, node.service.machine, worker)
        node.post(Event.LOADED)

    async def abandon(self) -> None:
        """Close everything without a word to anybody."""
        if self._node.ledger is not None and self._node.ledger.is_open:
            await self._deactivate()
        await self._close()

    async def _close(self) -> None:
        node = self._node
        await node.peers.close()
        node.serving.abort()
        if node.leader is not None:
            node.leader.close()
            node.leader = None
        node.watch.close()
        if node.worker is not None:
            worker, node.worker, node.ledger = node.worker, None, None
            await worker.close()
        node.service.machine.reset()
