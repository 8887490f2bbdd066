"""Nodes in threads of this process, each with an event loop of its own, under the ordinary supervisor.

Ports, TLS, journals and witness are real. What a process is to the kernel a thread is here: it can be killed
(it falls silent and tells nobody), hung (its loop stands still, the kernel goes on accepting), and resumed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, cast

import uvloop

from mock_server.cluster.child import Child
from mock_server.cluster.config import Layout
from mock_server.cluster.control import Request
from mock_server.cluster.life import live
from mock_server.cluster.machine import NodeContext, Service, ServiceFactory
from mock_server.cluster.node import Node
from mock_server.cluster.problems import NODE_FAILED
from mock_server.cluster.processes import ProcessId
from mock_server.cluster.world import RealWorld
from mock_server.cssm.port import CssmClient, LocalCssm
from mock_server.cssm.service import CssmService
from mock_server.service import LicensingService

__all__ = ["Threads"]

_NUMBERS = itertools.count(1)


class Threads:
    """A `cluster.hosts.Host`. Made and used in the supervisor's loop."""

    def __init__(self) -> None:
        self._running: dict[ProcessId, ThreadNode] = {}
        self._watches: dict[ProcessId, list[_Watch]] = {}
        self._guard = threading.Lock()
        self._cssm: _ThreadCssm | None = None

    def node(self, layout: Layout, name: str) -> ThreadNode:
        return ThreadNode(layout, name, self)

    def cssm(self, layout: Layout) -> _ThreadCssm:
        self._cssm = _ThreadCssm(layout)
        return self._cssm

    def service(self, context: NodeContext) -> Service:
        """What a node serves."""
        port = CssmClient(self._cssm.ask_from_afar) if self._cssm is not None else None
        return cast(Service, LicensingService(context, port))

    # --- what is a process here; called from any thread

    def alive(self, process: ProcessId) -> bool:
        return process in self._running

    def begun(self, process: ProcessId, node: ThreadNode) -> None:
        self._running[process] = node

    def ended(self, process: ProcessId) -> None:
        with self._guard:
            self._running.pop(process, None)
            watches = self._watches.pop(process, [])
        for watch in watches:
            watch.tell(process)

    def watch(self, process: ProcessId, watch: _Watch) -> None:
        with self._guard:
            if process in self._running:
                self._watches.setdefault(process, []).append(watch)
                return
        watch.tell(process)

    def kill(self, process: ProcessId) -> None:
        node = self._running.get(process)
        if node is not None:
            node.signal(signal.SIGKILL)


class _Watch:
    """`processes.ProcessWatch`."""

    def __init__(self, threads: Threads, on_gone: Callable[[], None]) -> None:
        self._threads = threads
        self._on_gone = on_gone
        self._process: ProcessId | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, process: ProcessId) -> None:
        if process != self._process:
            self._process = process
            self._loop = asyncio.get_running_loop()
            self._threads.watch(process, self)

    def close(self) -> None:
        self._process = None

    def tell(self, process: ProcessId) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._gone, process)

    def _gone(self, process: ProcessId) -> None:
        if process == self._process:
            self._process = None
            self._on_gone()


class _World(RealWorld):
    """The real one, but for processes."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        # The real id, by which a port's holder is found; a time that no process of the machine has.
        self._process = ProcessId(os.getpid(), -next(_NUMBERS))

    def myself(self) -> ProcessId:
        return self._process

    def alive(self, process: ProcessId) -> bool:
        return self._threads.alive(process)

    def process_watch(self, on_gone: Callable[[], None]) -> _Watch:
        return _Watch(self._threads, on_gone)

    async def end(self, process: ProcessId, within: float = 1.0) -> bool:
        gone = asyncio.Event()
        watch = _Watch(self._threads, gone.set)
        watch.watch(process)
        self._threads.kill(process)
        try:
            async with asyncio.timeout(within):
                await gone.wait()
        except TimeoutError:
            return False
        finally:
            watch.close()
        return True


class ThreadNode(Child):
    """A node in a thread, as the supervisor holds it."""

    def __init__(self, layout: Layout, name: str, threads: Threads) -> None:
        super().__init__(layout, name, "")
        self._threads = threads
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._awake = threading.Event()
        self._killed = False

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def pid(self) -> int | None:
        return os.getpid() if self.running else None

    async def start(self, *, stopped: bool = False) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def tell(error: BaseException | None) -> None:
            loop.call_soon_threadsafe(_settle, ready, error)

        self._killed = False
        self._awake.set()
        self._thread = threading.Thread(
            target=self._main, args=(stopped, tell), name=f"smartlic {self.name}", daemon=True
        )
        self._thread.start()
        await ready

    def _main(self, stopped: bool, tell: Callable[[BaseException | None], None]) -> None:
        world = _World(self._threads)
        self._threads.begun(world.myself(), self)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._live(world, stopped, tell))
        except BaseException as error:  # noqa: BLE001 - whoever started it has to hear of it
            tell(error)
        finally:
            self._threads.ended(world.myself())
            tell(NODE_FAILED(node=self.name, detail="it ended", log="the log of this process"))

    async def _live(self, world: _World, stopped: bool, tell: Callable[[BaseException | None], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        factory: ServiceFactory = self._threads.service
        node = Node(self._layout.folder, self.name, factory, world)

        def ready() -> None:
            self.control = node.control_path
            tell(None)

        await live(node, self._ending, ready, stopped=stopped, killed=lambda: self._killed)

    async def end(self) -> None:
        """A planned stop, then the end."""
        self.signal(signal.SIGCONT)
        self._tell_to_end()
        if not await self.gone(15.0):
            await self.kill()

    async def gone(self, seconds: float) -> bool:
        thread = self._thread
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, thread.join, seconds)
        return not self.running

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.gone(15.0)

    def signal(self, number: int) -> None:
        """SIGKILL, SIGSTOP and SIGCONT, as the kernel would do them to a process."""
        match number:
            case signal.SIGKILL:
                self._killed = True
                self._awake.set()
                self._tell_to_end()
            case signal.SIGSTOP if self.running:
                self._awake.clear()
                self._call(self._awake.wait)
            case signal.SIGCONT:
                self._awake.set()

    def _tell_to_end(self) -> None:
        if self._ending is not None:
            self._call(self._ending.set)

    def _call(self, call: Callable[[], object]) -> None:
        if self.running and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)


class _ThreadCssm:
    """CSSM in the supervisor's loop, where it is made; nodes ask it from theirs, perhaps before it serves."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._service: CssmService | None = None
        self._loop = asyncio.get_running_loop()
        self._serving: asyncio.Future[LocalCssm] = self._loop.create_future()

    async def start(self) -> None:
        self._layout.cssm.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._service = CssmService(self._layout.cssm)
        except BaseException as error:
            self._serving.set_exception(error)
            self._serving.exception()  # nobody may come to ask: the loop need not complain
            raise
        self._serving.set_result(LocalCssm(self._service))

    async def end(self) -> None:
        if self._service is not None:
            self._service.close()

    async def dispatch(self, request: Request) -> dict[str, Any]:
        return await (await asyncio.shield(self._serving)).dispatch(request)

    async def ask_from_afar(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request from another loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.dispatch(request), self._loop))


def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    if not future.done():
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
