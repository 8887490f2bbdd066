"""The machine that simulated nodes share: its processes, its addresses and ports, and what is on the wire."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mock_server.cluster.config import NodeAddress
from mock_server.cluster.link import Link
from mock_server.cluster.machine import ASGIApp
from mock_server.cluster.problems import PORT_IN_USE, VIP_IN_USE
from mock_server.cluster.processes import ProcessId
from mock_server.cluster.sockets import spell
from mock_server.cluster.world import HANDSHAKE
from mock_server.simulation.loop import Scheduler, VirtualLoop
from mock_server.simulation.pipe import RESET, Pipe
from mock_server.simulation.weather import Weather

__all__ = ["Answer", "Computer", "SimulatedWorld"]

Place = tuple[str, int]
Answer = tuple[int, dict[str, str], bytes]
"""Status, headers in lower case, body."""

REFUSED = "Connection refused"
_LATEST = 6.0
"""Seconds after which what is late, or a copy, arrives."""


@dataclass(eq=False)
class Request:
    """What a client waits for."""

    scope: dict[str, Any]
    body: bytes
    client: VirtualLoop
    place: Place
    sender: str
    answered: asyncio.Future[Answer]
    task: asyncio.Task[None] | None = None


@dataclass(eq=False)
class HeldPort:
    """An address and port that a process holds. What comes before it is served waits."""

    computer: Computer
    place: Place
    owner: SimulatedWorld
    listener: SimulatedListener | None = None
    queue: list[Request] = field(default_factory=list)

    def close(self) -> None:
        if self.computer.ports.get(self.place) is self:
            del self.computer.ports[self.place]
        queue, self.queue = self.queue, []
        for request in queue:
            self.computer.reset(request)


class SimulatedListener:
    """`cluster.listeners.Listener` for requests without sockets: one request a connection."""

    def __init__(self, world: SimulatedWorld, app: ASGIApp) -> None:
        self._world = world
        self._app = app
        self._ports: list[HeldPort] = []
        self._requests: dict[Request, None] = {}
        self._closed = False

    async def serve(self, sock: HeldPort) -> None:
        sock.listener = self
        self._ports.append(sock)
        queue, sock.queue = sock.queue, []
        for request in queue:
            self.take(request)

    def stop_accepting(self) -> None:
        self._closed = True
        for port in self._ports:
            port.close()

    def finish(self) -> None:
        """There is no idle connection."""

    def abort(self) -> None:
        self.stop_accepting()
        for request in list(self._requests):
            self._world.computer.reset(request)
            if request.task is not None:
                request.task.cancel()
        self._requests.clear()

    def take(self, request: Request) -> None:
        """A request has arrived."""
        if self._closed:
            self._world.computer.reset(request)
            return
        self._requests[request] = None
        request.task = self._world.loop.create_task(self._answer(request))

    async def _answer(self, request: Request) -> None:
        body: list[bytes] = []
        start: dict[str, Any] = {}
        sent = [False]

        async def receive() -> dict[str, Any]:
            if sent[0]:
                return {"type": "http.disconnect"}
            sent[0] = True
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.append(message.get("body", b""))
            if not message.get("more_body", False) and request in self._requests:
                headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
                self._requests.pop(request, None)
                self._world.computer.answer(self._world, request, (start["status"], headers, b"".join(body)))

        await self._app(request.scope, receive, send)

    def drop(self) -> None:
        """The process is gone: the kernel resets what was under way."""
        for request in list(self._requests):
            self._world.computer.reset(request)


class SimulatedWatch:
    """`cluster.processes.ProcessWatch`."""

    def __init__(self, world: SimulatedWorld, on_gone: Callable[[], None]) -> None:
        self._world = world
        self._on_gone = on_gone
        self._process: ProcessId | None = None

    def watch(self, process: ProcessId) -> None:
        if process == self._process:
            return
        self.close()
        self._process = process
        if self._world.computer.alive(process):
            self._world.computer.watches.setdefault(process, []).append(self)
        else:
            self._world.loop.call_soon(self.gone, process)

    def close(self) -> None:
        if self._process is not None:
            watches = self._world.computer.watches.get(self._process, [])
            if self in watches:
                watches.remove(self)
        self._process = None

    def gone(self, process: ProcessId) -> None:
        if process == self._process:
            self.close()
            self._on_gone()

    @property
    def loop(self) -> VirtualLoop:
        return self._world.loop


class SimulatedWorld:
    """`cluster.world.World` of one simulated process."""

    def __init__(self, computer: Computer, name: str, pid: int) -> None:
        self.computer = computer
        self.name = name
        self.process = ProcessId(pid, pid)
        self.loop = computer.scheduler.loop(f"{name} {pid}")
        self.pipes: dict[Pipe, None] = {}  # in order: a seed gives one run
        self.listeners: list[SimulatedListener] = []
        self.clock: tuple[float, float] = (1.0, 0.0)
        """How fast its monotonic clock goes, and what it shows at the virtual second 0."""

    def time(self) -> float:
        rate, begins = self.clock
        return self.computer.scheduler.now * rate + begins

    def myself(self) -> ProcessId:
        return self.process

    def alive(self, process: ProcessId) -> bool:
        return self.computer.alive(process)

    def process_watch(self, on_gone: Callable[[], None]) -> SimulatedWatch:
        return SimulatedWatch(self, on_gone)

    async def end(self, process: ProcessId) -> bool:
        self.computer.kill(process)
        await asyncio.sleep(self.computer.delay())
        return True

    async def listen(self, address: NodeAddress, link: Callable[[], Link], _tls: ssl.SSLContext) -> HeldPort:
        port: HeldPort = self.bind(address.host, address.peer_port)
        self.computer.accepting[port] = link
        return port

    async def connect(self, address: NodeAddress, link: Link, _tls: ssl.SSLContext) -> None:
        await asyncio.sleep(self.computer.delay())
        port = self.computer.ports.get((address.host, address.peer_port))
        if port is None:
            raise ConnectionRefusedError(REFUSED)
        far, weather = port.owner, self.computer.weather
        if not (weather.reaches(self.name, far.name) and weather.reaches(far.name, self.name)):
            await asyncio.sleep(HANDSHAKE)
            raise TimeoutError
        theirs = Pipe(self.computer, far, self.computer.accepting[port]())
        ours = Pipe(self.computer, self, link)
        ours.other, theirs.other = theirs, ours
        self.pipes[ours] = None
        far.pipes[theirs] = None
        # The handshake needs the other's loop: one that hangs never finishes it.
        shaken = self.loop.create_future()

        def accepted() -> None:
            theirs.made()
            self.loop.call_at(self.computer.scheduler.now + self.computer.delay(), _finish, shaken)

        far.loop.call_at(self.computer.scheduler.now + self.computer.delay(), accepted)
        try:
            async with asyncio.timeout(HANDSHAKE):
                await shaken
        except BaseException:
            ours.abort()
            raise
        if ours not in self.pipes:
            raise ConnectionResetError(RESET)
        ours.made()

    def bind(self, host: str, port: int, *, vip: bool = False, ours: Iterable[int] = ()) -> HeldPort:
        held = self.computer.ports.get((host, port))
        if held is not None:
            pid = held.owner.process.pid if held.owner.process.pid in tuple(ours) else None
            by = f"this cluster's process {pid}" if pid else "another program"
            raise (VIP_IN_USE if vip else PORT_IN_USE)(address=spell(host, port), holder=by, pid=pid)
        made = HeldPort(self.computer, (host, port), self)
        self.computer.ports[host, port] = made
        return made

    def holder(self, host: str, port: int, candidates: Iterable[int]) -> int | None:
        held = self.computer.ports.get((host, port))
        return held.owner.process.pid if held and held.owner.process.pid in tuple(candidates) else None

    def listener(self, app: ASGIApp, _tls: ssl.SSLContext | None) -> SimulatedListener:
        made = SimulatedListener(self, app)
        self.listeners.append(made)
        return made


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Computer:
    """The kernel: who runs, holds which port, waits for whose end, and how long messages are under way."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.ports: dict[Place, HeldPort] = {}
        self.accepting: dict[HeldPort, Callable[[], Link]] = {}
        self.running: dict[ProcessId, SimulatedWorld] = {}
        self.watches: dict[ProcessId, list[SimulatedWatch]] = {}
        self.on_answer: Callable[[SimulatedWorld, Request, Answer], None] = lambda *_: None
        self.on_kill: Callable[[SimulatedWorld], None] = lambda _world: None
        self.weather = Weather()
        self._pids = 100
        self._slow_until = 0.0

    def slow(self, seconds: float) -> None:
        """For a while what the nodes say to each other takes up to 300 ms."""
        self._slow_until = self.scheduler.now + seconds

    def between_nodes(self) -> float:
        """Seconds that a message from node to node is under way."""
        if self.scheduler.now < self._slow_until:
            return self.scheduler.random.uniform(0.0, 0.3)
        return self.delay()

    def delay(self) -> float:
        """Seconds that a message is under way: mostly under 2 ms, now and then much longer."""
        chance = self.scheduler.random
        return chance.uniform(0.0001, 0.002) if chance.random() < 0.95 else chance.uniform(0.002, 0.06)

    # --- processes

    def start(self, name: str) -> SimulatedWorld:
        """A new process, with a loop of its own."""
        self._pids += 1
        world = SimulatedWorld(self, name, self._pids)
        self.running[world.process] = world
        return world

    def alive(self, process: ProcessId) -> bool:
        return process in self.running

    def kill(self, process: ProcessId, *, power: bool = False) -> None:
        """SIGKILL: it runs no more, its ports are free, its connections reset, those who watch it hear it.

        `power`: by a loss of power, which takes what its kernel has not sent yet."""
        world = self.running.pop(process, None)
        if world is None:
            return
        world.loop.kill()
        for port in [held for held in self.ports.values() if held.owner is world]:
            port.close()
        for listener in world.listeners:
            listener.drop()
        for pipe in list(world.pipes):
            pipe.vanished = power
            pipe.abort()
        for watch in self.watches.pop(process, []):
            watch.loop.call_at(self.scheduler.now + self.delay(), watch.gone, process)
        self.on_kill(world)

    # --- requests

    async def request(
        self,
        client: VirtualLoop,
        place: Place,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        sender: str = "clients",
    ) -> Answer:
        """A request by a client in a loop of its own. OSError: refused, or reset before it was answered.

        `sender`: what the weather calls the client. What is lost is never answered: it has to give up."""
        plain, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": plain,
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "https",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "server": place,
            "client": ("127.0.0.1", 40_000),
        }
        request = Request(scope, body, client, place, sender, client.create_future())
        await asyncio.sleep(self.delay())
        chance, odds, seen = self.scheduler.random, self.weather.odds, self.weather.seen
        if odds.doubled and chance.random() < odds.doubled:
            seen["requests doubled"] += 1
            copy = Request(dict(scope), body, client, place, sender, client.create_future())
            copy.answered.cancel()  # nobody waits for its answer
            client.call_later(chance.uniform(0, _LATEST), self._arrive, copy)
        if odds.lost and chance.random() < odds.lost:
            seen["requests lost"] += 1
        elif odds.late and chance.random() < odds.late:
            seen["requests late"] += 1
            client.call_later(chance.uniform(0.5, _LATEST), self._arrive, request)
        else:
            self._arrive(request)
        return await request.answered

    def _arrive(self, request: Request) -> None:
        """A request is where its address is served, or nowhere."""
        port = self.ports.get(request.place)
        if port is None:
            if not request.answered.done():
                request.answered.set_exception(ConnectionRefusedError(REFUSED))
        elif not self.weather.reaches(request.sender, port.owner.name):
            self.weather.seen["requests into a partition"] += 1
        elif port.listener is None:
            port.queue.append(request)
        else:
            port.owner.loop.call_soon(port.listener.take, request)

    def answer(self, world: SimulatedWorld, request: Request, answer: Answer) -> None:
        """An answer leaves a process."""
        self.on_answer(world, request, answer)
        chance, odds, weather = self.scheduler.random, self.weather.odds, self.weather
        if not weather.reaches(world.name, request.sender):
            weather.seen["answers into a partition"] += 1
        elif odds.lost and chance.random() < odds.lost:
            weather.seen["answers lost"] += 1
        elif odds.late and chance.random() < odds.late:
            weather.seen["answers late"] += 1
            late = self.scheduler.now + chance.uniform(0.5, _LATEST)
            request.client.call_at(late, _answered, request.answered, answer)
        else:
            request.client.call_at(self.scheduler.now + self.delay(), _answered, request.answered, answer)

    def reset(self, request: Request) -> None:
        """The client finds its connection reset, unless the answer is on its way already."""
        request.client.call_at(self.scheduler.now + self.delay(), _reset, request.answered)


def _answered(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _reset(future: asyncio.Future[Answer]) -> None:
    if not future.done():
        future.set_exception(ConnectionResetError(RESET))
