"""A cluster of two simulated processes: the nodes that `smartlic-mock up` starts, in virtual time.

    with SimulatedCluster(folder, seed=7, factory=make) as cluster:
        cluster.up()
        cluster.kill("primary")
        cluster.wait_for_role("secondary", within=5)

All of it runs while somebody waits: `run`, `result`, or an operation.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from mock_server.cluster import config as configuration
from mock_server.cluster.config import NODES, ClusterConfig, Layout
from mock_server.cluster.machine import ServiceFactory
from mock_server.cluster.node import Node
from mock_server.cluster.ops import Operations
from mock_server.cluster.problems import NOBODY_ACTIVE, NOT_RUNNING
from mock_server.cluster.roles import ACTIVE_STATES, SETTLED_STATES, Event, State
from mock_server.cluster.talk import converse
from mock_server.errors import SmartlicError
from mock_server.simulation import disk
from mock_server.simulation.disk import Crash
from mock_server.simulation.loop import Scheduler
from mock_server.simulation.network import Computer, SimulatedWorld

__all__ = ["SimulatedCluster", "SimulatedProcess"]

T = TypeVar("T")


class SimulatedProcess:
    """One process of a node, from its start to its kill."""

    def __init__(self, world: SimulatedWorld, folder: Path, name: str, factory: ServiceFactory) -> None:
        self.world = world
        self.name = name
        self.hangs = False
        self.node = Node(folder, name, factory, world)
        self.operations = Operations(self.node)

    @property
    def alive(self) -> bool:
        return self.world.alive(self.world.process)

    def begin(self, *, stopped: bool) -> None:
        self.node.begin()
        if not stopped:
            self.node.post(Event.START)

    def close_files(self) -> None:
        """What the kernel closes of a process that is gone."""
        left = [self.node.worker.journal] if self.node.worker is not None else []
        for found in [*left, *self.world.loop.undelivered.values()]:
            if hasattr(found, "close"):
                found.close()


class SimulatedCluster:
    """Two nodes and a loop for clients. `seed` orders everything; `factory` makes the service."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int | str,
        factory: ServiceFactory,
        config: ClusterConfig | None = None,
    ) -> None:
        self.folder = folder
        self.layout = Layout(folder)
        self.config = configuration.create(folder, config)
        self.scheduler = Scheduler(seed)
        self.computer = Computer(self.scheduler)
        self.computer.on_kill = self._killed
        self.clients = self.scheduler.loop("clients")
        self.processes: dict[str, SimulatedProcess] = {}
        self._factory = factory
        self._all: list[SimulatedProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.scheduler.close()
        for process in self._all:
            process.close_files()

    # --- processes

    def start(self, name: str, *, stopped: bool = False) -> None:
        """Start a node's process, if there is none."""
        if self.running(name):
            return
        world = self.computer.start(name)
        process = SimulatedProcess(world, self.folder, name, self._factory)
        self.processes[name] = process
        self._all.append(process)
        world.loop.call_soon(lambda: process.begin(stopped=stopped))

    def up(self, within: float = 30.0) -> None:
        """Start both; return when one is Active and the other in sync."""
        for name in NODES:
            self.start(name)
        if not self.run(self.whole, within):
            raise TimeoutError(f"the cluster is {self.states()} after {within} virtual seconds")

    def running(self, name: str) -> bool:
        return name in self.processes and self.processes[name].alive

    def kill(self, name: str) -> None:
        """SIGKILL."""
        if self.running(name):
            self.computer.kill(self.processes[name].world.process)

    def kill_after(self, name: str, turns: int, *, power: bool = False) -> None:
        """SIGKILL, or a loss of power, after so many callbacks more: between any two of its steps."""
        if self.running(name):
            process = self.processes[name].world.process
            self.processes[name].world.loop.end_after(turns, lambda: self.computer.kill(process, power=power))

    def kill_in_write(self, name: str, crash: Crash, chance: random.Random) -> None:
        """End it in the middle of its next job that writes to its journal or the witness."""
        if self.running(name):
            process, folders = self.processes[name], self._disk(name)

            def job(work: Callable[..., Any], *args: Any) -> Any:
                return disk.run_and_wind_back(
                    lambda: work(*args),
                    folders,
                    crash,
                    chance,
                    lambda: self.computer.kill(process.world.process, power=crash is Crash.POWER),
                )

            process.world.loop.job = job

    def _disk(self, name: str) -> list[Path]:
        return [self.layout.node(name), self.layout.witness]

    def hang(self, name: str) -> None:
        """SIGSTOP."""
        if self.running(name):
            self.processes[name].hangs = True
            self.processes[name].world.loop.pause()

    def resume(self, name: str) -> None:
        """SIGCONT."""
        if self.running(name):
            self.processes[name].hangs = False
            self.processes[name].world.loop.resume()

    def _killed(self, world: SimulatedWorld) -> None:
        for process in self._all:
            if process.world is world:
                process.hangs = False
                # SQLite folds its log into the journal when it is closed in order; the kernel does not.
                left = disk.image(self._disk(process.name))
                process.close_files()
                disk.restore(self._disk(process.name), left)

    # --- time

    def run(self, done: Callable[[], bool], within: float) -> bool:
        """Let things happen until `done`, for `within` virtual seconds at most."""
        return self.scheduler.run(done, within)

    def sleep(self, seconds: float) -> None:
        """Let things happen for some virtual seconds."""
        self.scheduler.run(lambda: False, seconds)

    def result(self, work: Coroutine[Any, Any, T], within: float = 120.0) -> T:
        """Run a coroutine in the clients' loop."""
        return self.scheduler.result(self.clients, work, within)

    # --- operations

    def node(self, name: str) -> Node:
        """The node of the process that runs. Raises not-running."""
        if not self.running(name):
            raise NOT_RUNNING(folder=str(self.layout.node(name)))
        return self.processes[name].node

    def ask_node(self, node: str, op: str, /, *, within: float = 60.0, **fields: Any) -> dict[str, Any]:
        """A control operation of one node, in its loop. TimeoutError: it hangs, or was killed meanwhile."""
        self.node(node)
        process = self.processes[node]

        async def ask() -> dict[str, Any]:
            result = await process.operations.dispatch({"op": op, **fields})
            assert isinstance(result, dict)  # noqa: S101 - a console's talk is held by `console`
            return result

        return self.scheduler.result(process.world.loop, ask(), within)

    def console(
        self, node: str, line: str, *, answer: Callable[[str], str] = lambda _ask: "", within: float = 60.0
    ) -> list[str]:
        """The lines of a console command; `ha_cluster_start` on a dead node starts a process first."""
        if not self.running(node) and line.split()[:1] == ["ha_cluster_start"]:
            self.start(node, stopped=True)
        self.node(node)
        process = self.processes[node]
        lines: list[str] = []

        async def say(text: str) -> None:
            lines.append(text)

        async def ask(text: str) -> str:
            return answer(text)

        talk = converse(process.operations.console(line), say, ask)
        self.scheduler.result(process.world.loop, talk, within)
        return lines

    def ask(self, op: str, /, **fields: Any) -> dict[str, Any]:
        """An operation of the service, by the Active. Raises nobody-active."""
        active = self.active()
        if active is None:
            raise NOBODY_ACTIVE(retry_after=1)
        # Through JSON, as on a control socket.
        return dict(json.loads(json.dumps(self.ask_node(active, op, **json.loads(json.dumps(fields))))))

    # --- facts

    def states(self) -> dict[str, str]:
        """What each node's process is doing, whether somebody hears of it or not."""
        found: dict[str, str] = {}
        for name in NODES:
            process = self.processes.get(name)
            gone = process is None or not process.alive
            found[name] = "gone" if gone or process is None else f"{process.node.state}"
            if process is not None and process.hangs:
                found[name] += " (hangs)"
        return found

    def active(self) -> str | None:
        """Which node is Active, and neither hung nor dead."""
        for name in NODES:
            if self.running(name) and not self.processes[name].hangs:
                node = self.processes[name].node
                if node.state in ACTIVE_STATES and node.serving.holds_vip:
                    return name
        return None

    def whole(self) -> bool:
        """Whether one is Active and the other its Standby in sync."""
        states = sorted(self.states().values())
        return states == [State.ACTIVE, State.STANDBY] and self.active() is not None

    def settled(self) -> bool:
        """Whether each node that runs has its role, or is stopped."""
        return all(
            process.node.state in SETTLED_STATES or process.node.at_rest()
            for process in self.processes.values()
            if process.alive
        )

    def problems(self) -> list[SmartlicError]:
        """What nodes say is wrong with them."""
        found = (process.node.problem for process in self.processes.values() if process.alive)
        return [problem for problem in found if problem is not None]
