"""A node: the shell around the table of roles. It posts what happens, and runs the actions asked for.

One task takes events one by one; what takes long (a takeover, a drain) runs beside it and ends in an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from mock_server.cluster import decide, membership, peers, telling, wire
from mock_server.cluster.config import Layout, load, peer_of
from mock_server.cluster.decide import Peer, View
from mock_server.cluster.duties import Duties
from mock_server.cluster.follower import Follower
from mock_server.cluster.leader import Leader
from mock_server.cluster.ledger import ClusterLedger
from mock_server.cluster.link import Link
from mock_server.cluster.machine import NodeContext, ServiceFactory
from mock_server.cluster.peers import Peers
from mock_server.cluster.problems import FOLDER_DAMAGED, INTERNAL
from mock_server.cluster.processes import (
    ProcessId,
    read_node_file,
)
from mock_server.cluster.roles import (
    ACTIVE_STATES,
    SEEKING_STATES,
    SERVING_STATES,
    TABLE,
    Event,
    State,
    step,
)
from mock_server.cluster.serving import Serving
from mock_server.cluster.witness import Record, Witness
from mock_server.cluster.world import RealWorld, World
from mock_server.errors import SmartlicError
from mock_server.journal import JournalWorker

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_JUDGE_AFTER = 0.02
"""Between a tick and its judgement the loop reads what is in the sockets: rule 4 asks for that."""


class Node:
    """One of the two. `peers.Owner` is what its connections see of it."""

    def __init__(self, folder: Path, name: str, factory: ServiceFactory, world: World | None = None) -> None:
        self.world: World = world or RealWorld()
        self.name = name
        self.peer = peer_of(name)
        self.layout = Layout(folder)
        self.config = load(folder)
        self.state = State.STOPPED
        self.process = self.world.myself()
        self.control_path = ""
        self.witness = Witness(self.layout.witness, name)
        self.record: Record | None = None
        self.problem: SmartlicError | None = None
        self.reason = ""
        self.cut: dict[str, Any] = {}
        self.takeover_seconds: float | None = None
        self.considered = False
        self.context = NodeContext(name, self.layout.folder, self.config, self.status)
        self.service = factory(self.context)
        self.applied: Callable[[bytes], None] = getattr(self.service, "applied", lambda _payload: None)
        self.worker: JournalWorker | None = None
        self.ledger: ClusterLedger | None = None
        self.leader: Leader | None = None
        self.follower: Follower | None = None
        self.configure()
        self.standing = membership.standing_of(self.layout, self.config, name)
        self.duties = Duties(self)
        self.watch = self.world.process_watch(self.consider)
        self.seeking_since = 0.0
        self.last_beat: wire.Beat | None = None
        self._witness_thread = ThreadPoolExecutor(1, "witness")
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._busy = False
        self._considering = False
        self._again = False
        self._ticks = 0
        self._tick_handle: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def configure(self) -> None:
        """Read the configuration, again after a deployment; nothing is open when this is called."""
        self.config = self.context.config = load(self.layout.folder)
        self.peers = Peers(self.name, self.config, self.layout, self.world, self)
        self.serving = Serving(self.name, self.config, self.layout, self.world, self.service)

    # --- life

    def begin(self) -> None:
        """Start the node's own task and clock; the cluster is stopped on it still."""
        self.spawn(self._roles())
        self._tick()
        telling.write_node_file(self)

    async def end(self) -> None:
        """Stop the cluster on this node, then its task and clock."""
        try:
            await self.stop()
        except TimeoutError:
            log.error("the cluster could not be stopped in order: the node is %s", self.state)  # noqa: TRY400
        await self._end_tasks()

    async def abandon(self) -> None:
        """End as a process that is killed does: nothing is handed over, nobody is told anything."""
        self.state = State.STOPPED
        self.serving.abort()
        await self._end_tasks()
        await self.duties.abandon()

    async def _end_tasks(self) -> None:
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._witness_thread.shutdown()

    async def command(self, event: Event, within: float = 15.0) -> None:
        """Post a command once the node's state allows it; TimeoutError if it does not in time."""
        async with asyncio.timeout(within):
            while not self._next_may_be(event):
                await self.until(lambda: self._next_may_be(event), within)
        self.post(event)

    async def stop(self) -> None:
        """Planned stop (rule 8). A start that is under way may end in a stop by itself."""
        async with asyncio.timeout(15.0):
            while not (self.at_rest() or self._next_may_be(Event.STOP)):
                await self.until(lambda: self.at_rest() or self._next_may_be(Event.STOP), 15.0)
        if not self.at_rest():
            self.post(Event.STOP)
        await self.until(self.at_rest, 15.0)

    def _next_may_be(self, event: Event) -> bool:
        """Whether an event that is posted now is taken in this state: none is under way or before it."""
        return (self.state, event) in TABLE and not self._busy and self._events.empty()

    def at_rest(self) -> bool:
        """Whether the cluster is stopped on this node, and all of it closed."""
        return self.state is State.STOPPED and not self._busy and self._events.empty()

    async def until(self, condition: Callable[[], bool], within: float) -> None:
        """Wait until a condition on the node holds; TimeoutError if it takes too long."""
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((condition, future))
        async with asyncio.timeout(within):
            await future

    def notify(self) -> None:
        """Something that may be waited for has changed."""
        for waiter in list(self._waiters):
            condition, future = waiter
            if future.done() or condition():
                self._waiters.remove(waiter)
                if not future.done():
                    future.set_result(None)

    def post(self, event: Event) -> None:
        """Something has happened."""
        self._events.put_nowait(event)

    def spawn(self, coroutine: Any) -> None:
        """Run something beside the events."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the node failed", exc_info=task.exception())

    async def _roles(self) -> None:
        while True:
            event = await self._events.get()
            if (self.state, event) not in TABLE:
                log.debug("%s is past: the node is %s", event, self.state)
                self.notify()
                continue
            after, actions = step(self.state, event)
            if after is not self.state:
                log.info("%s -> %s (%s)", self.state, after, event)
            self._busy = bool(actions)
            self.state = after
            telling.write_node_file(self)
            self.peers.tick()  # the peer learns of it
            self.notify()
            for action in actions:
                try:
                    await self.duties.perform(action)
                except SmartlicError as error:
                    self.fail(error)
                except OSError as error:
                    path = str(error.filename or self.layout.node(self.name))
                    self.fail(FOLDER_DAMAGED(path=path, detail=error.strerror or str(error)))
                except Exception:
                    log.exception("%s failed", action)
                    self.fail(INTERNAL(node=self.name, log=str(self.layout.log(self.name))))
            self._busy = False
            self.notify()

    def fail(self, error: SmartlicError) -> None:
        """Something cannot go on; the problem is shown until the next start."""
        log.error("%s", error)
        self.problem = error
        self.reason = error.sentence
        self.post(Event.FAILED)

    # --- the witness

    async def aside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what reads or writes the witness's files in its own thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._witness_thread, lambda: call(*args, **kwargs))

    # --- to take over or not

    def peer_process(self) -> Peer:
        """What the folder and the kernel know of the peer's process. What cannot be read proves no death."""
        try:
            node = read_node_file(self.layout.node_json(self.peer))
            if node is None or not self.world.alive(node.process):
                return Peer.GONE
        except OSError as error:
            log.warning("the peer's process cannot be looked at: %s", error)
            return Peer.ALIVE
        return Peer.STOPPED if node.state == State.STOPPED else Peer.ALIVE

    def view(self, peer: Peer) -> View:
        return View(
            self.name,
            self.name == "primary",
            self.record,
            self.index,
            peer,
            self.peers.connections,
            self.peers.silence(self.world.time()),
            self.config.mode == "cluster",
        )

    def consider(self) -> None:
        """Ask again whether to take over; called whenever something about the peer has changed."""
        if self.state not in SEEKING_STATES:
            return
        if self._considering:
            self._again = True
            return
        self._considering = True
        self.spawn(self._consider())

    async def _consider(self) -> None:
        try:
            while True:
                self._again = False
                await self._weigh()
                if not self._again or self.state not in SEEKING_STATES:
                    return
        except SmartlicError as error:
            self.reason = error.sentence
            if error.code == "witness-damaged":
                self.fail(error)
        finally:
            self._considering = False

    async def _weigh(self) -> None:
        peer = await self.aside(self.peer_process)
        silence = self.peers.silence(self.world.time())
        if self.considered and not decide.suspicious(peer, self.peers.connections, silence):
            return
        self.record = await self.aside(self.witness.read)
        verdict = decide.may_take_over(self.view(peer))
        if self.state in SEEKING_STATES:
            if self.state is State.WAITING:
                self.reason = verdict.reason
            self.considered = True
            if verdict.lead:
                log.info("taking over: %s", verdict.reason)
                self.post(Event.MAY_LEAD)
            self.notify()

    # --- the clock

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._tick_handle = loop.call_later(decide.KEEPALIVE, self._tick)
        self._ticks += 1
        if self.state is State.STOPPED:
            return
        self.peers.tick()
        if self.ledger is not None:
            self.ledger.expire()
        loop.call_later(_JUDGE_AFTER, self._judge)

    def _judge(self) -> None:
        now = self.world.time()
        if self.state in ACTIVE_STATES:
            if self.leader is not None and self.leader.overdue(now):
                log.warning("the Standby does not acknowledge: giving it up")
                self.leader.close()
            if self._ticks % 10 == 0:
                self.spawn(self.duties.check_record())
        elif self.state in SEEKING_STATES and (
            self.peers.connections == 0 or self.peers.silence(now) >= decide.HUNG_AFTER
        ):
            self.consider()

    # --- what its connections see (peers.Owner)

    def hello(self, kind: wire.Kind) -> wire.Hello:
        return wire.Hello(
            wire.VERSION,
            self.config.cluster,
            self.name,
            self.process.pid,
            self.process.started,
            kind,
            peers.RELEASE,
        )

    def welcome(self) -> wire.Welcome:
        active = self.state in (State.ACTIVE, State.ACTIVE_ALONE)
        epoch = self.record.epoch if self.record else 0
        return wire.Welcome(self.name, self.process.pid, self.process.started, str(self.state), active, epoch)

    def beat(self, sent: float, echo: float) -> wire.Beat:
        return wire.Beat(sent, echo, str(self.state), self.index)

    def peer_seen(self, process: ProcessId) -> None:
        self.watch.watch(process)

    def peer_beat(self, beat: wire.Beat) -> None:
        self.last_beat = beat
        if self.ledger is not None and self.state in ACTIVE_STATES:
            self.ledger.lease = max(self.ledger.lease, decide.lease_until(beat.echo))
            self.ledger.wake()

    def replication_accepted(self, link: Link) -> Callable[[wire.Message], None]:
        return self.duties.lead(link)

    def replication_made(self, link: Link) -> Callable[[wire.Message], None]:
        return self.duties.follow(link)

    async def replication_ended(self) -> None:
        if self.follower is not None:
            await self.follower.close()
            self.follower = None

    def link_lost(self, kind: wire.Kind) -> None:
        if kind == "heartbeat":
            self.last_beat = None
        if kind == "replication":
            self.considered = False  # the record may say by now that there is no cluster any more
            if self.leader is not None:
                self.leader.lost()
            else:
                self.post(Event.SESSION_LOST)
        self.notify()
        self.consider()

    # --- facts

    @property
    def index(self) -> int:
        """The last change of this node."""
        if self.ledger is not None and self.state in SERVING_STATES:
            return self.ledger.index
        return self.worker.journal.head.idx if self.worker is not None else 0

    def status(self) -> dict[str, Any]:
        """The cluster as this node sees it."""
        return telling.status_of(self)
