"""The simulated stand: nodes, devices and faults in one thread, in virtual time, from one seed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from pathlib import Path
from typing import Any, cast

from mock_server.cluster.config import NODES, peer_of
from mock_server.cluster.machine import NodeContext, ServiceFactory
from mock_server.cluster.roles import ACTIVE_STATES, Event, State
from mock_server.cssm.port import LocalCssm
from mock_server.cssm.service import CssmService
from mock_server.service import LicensingService
from mock_server.simulation.cluster import SimulatedCluster
from mock_server.simulation.loop import VirtualLoop
from mock_server.simulation.network import Answer, SimulatedWorld
from smartlic_client.device import DeviceFolder
from smartlic_client.device_async import AsyncDevice
from smartlic_client.errors import BusyError
from smartlic_client.protocol import signing
from smartlic_client.transport import HttpAnswer
from smartlic_client.transport.common import HEADER, HttpRequest, Reading
from smartlic_client.transport.errors import problem_for
from smartlic_client.transport.urls import Destination
from tests.simulation.fleet import DNA, Fleet, content


class Violation(AssertionError):
    """What must always hold has not held. `rule`: its name."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule

    @classmethod
    def unless(cls, holds: object, rule: str, text: str) -> None:
        if not holds:
            raise cls(rule, text)


class SimulatedTransport:
    """`smartlic_client.transport.aio.AsyncTransport` without sockets and TLS. `loop`: the device's."""

    def __init__(
        self, cluster: SimulatedCluster, loop: VirtualLoop, sender: str = "clients", timeout: float = 10.0
    ) -> None:
        self._cluster = cluster
        self._loop = loop
        self._sender = sender
        self._timeout = timeout

    async def post(self, destination: Destination, body: bytes, content_type: str) -> HttpAnswer:
        cluster = self._cluster
        headers = {**HEADER, "content-type": content_type, "content-length": str(len(body))}
        place = destination.host.text, destination.port
        try:
            async with asyncio.timeout(self._timeout):
                status, header, answer = await cluster.computer.request(
                    self._loop, place, "POST", destination.path, body, headers, self._sender
                )
        except (OSError, TimeoutError) as error:
            raise problem_for(error, destination) from error
        reading = Reading(status, header, HttpRequest(destination))
        reading.feed(answer)
        return reading.finish()

    async def aclose(self) -> None:
        """There is nothing to close."""


class Environment:
    """A device's surroundings: the virtual clock, and chance from the seed."""

    new_key = staticmethod(signing.new_key)

    def __init__(self, cluster: SimulatedCluster, chance: random.Random | None = None) -> None:
        self._scheduler = cluster.scheduler
        self._chance = chance or cluster.scheduler.random
        self.skew = 0.0

    def now(self) -> float:
        return self._scheduler.wall + self._scheduler.now + self.skew

    def random(self, count: int, /) -> bytes:
        return self._chance.randbytes(count)


class _Failures(logging.Handler):
    """What a node logs as a failure of its own is a failure of the run."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(self.format(record))


class SimulatedStand:
    """What a sequence acts on. All methods return when virtual time has passed, or at once."""

    whole_within, done_within = 300.0, 300.0
    """Virtual seconds after which both must be one cluster again, and every device done."""

    def __init__(self, folder: Path, seed: int | str) -> None:
        self._failures = _Failures()
        logging.getLogger("mock_server").addHandler(self._failures)
        factory = cast(ServiceFactory, self._service)
        self.cluster = cluster = SimulatedCluster(folder / "cluster", seed=seed, factory=factory)
        self._prepare(folder)
        self._epoch = 0
        self._active = "primary"
        self._orders: set[asyncio.Task[Any]] = set()
        try:
            cluster.up()
            cluster.computer.on_answer = self._answered
            cluster.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=10)
            self.token = str(cluster.ask("token.create")["token"])
            self.token_id = cluster.ask("token.list")["tokens"][0]["token_id"]
            anchors = cluster.ask("certificates")["trust_anchor"].encode()
        except BaseException:
            self.close()
            raise
        vip = cluster.config.vip
        url = f"https://{vip.host}:{vip.device_port}/Transportgateway/services/DeviceRequestHandler"
        self.fleet: Any = self._fleet(folder / "devices", url, anchors)

    def _prepare(self, _folder: Path) -> None:
        """Before the cluster starts."""
        self._cssm = LocalCssm(CssmService(None))

    def _service(self, context: NodeContext) -> LicensingService:
        return LicensingService(context, self._cssm.port)

    def _fleet(self, folder: Path, url: str, anchors: bytes) -> Any:
        return Fleet(folder, url, anchors, self.token, self._open_device, self.cluster.scheduler.random)

    def close(self) -> None:
        self.cluster.__exit__(None, None, None)
        logging.getLogger("mock_server").removeHandler(self._failures)

    async def _open_device(self, folder: Path) -> AsyncDevice:
        transport = cast(Any, SimulatedTransport(self.cluster, self.cluster.clients))
        return AsyncDevice(
            DeviceFolder.open(folder, 0.0), Environment(self.cluster), lambda _anchors, _proxy: transport
        )

    # --- what a sequence does

    def sleep(self, seconds: float) -> None:
        self.cluster.sleep(seconds)

    def send_out(self, devices: int) -> None:
        self.cluster.clients.call_soon(self.fleet.send_out, devices)

    def name(self, node: str) -> str:
        """The server that "active" or "standby" is now, or was last."""
        self._active = self.cluster.active() or self._active
        return self._active if node == "active" else peer_of(self._active)

    def start(self, node: str) -> None:
        self._start(self.name(node))

    def _start(self, name: str) -> None:
        """Start the process if it is gone, and the cluster on it if it is stopped."""
        cluster = self.cluster
        if not cluster.running(name):
            cluster.start(name)
        elif cluster.node(name).at_rest():
            cluster.processes[name].world.loop.call_soon(cluster.node(name).post, Event.START)

    def stop(self, node: str) -> None:
        """`ha_cluster_stop`; what it prints may come, or not."""
        process = self.cluster.processes[self.name(node)]
        if process.alive and not process.hangs:

            async def order() -> None:
                with contextlib.suppress(TimeoutError, BusyError):
                    async for _line in process.operations.console("ha_cluster_stop"):
                        pass

            task = process.world.loop.create_task(order())
            self._orders.add(task)
            task.add_done_callback(self._orders.discard)

    def kill(self, node: str) -> None:
        self.cluster.kill(self.name(node))

    def hang(self, node: str) -> None:
        self.cluster.hang(self.name(node))

    def resume(self, node: str) -> None:
        self.cluster.resume(self.name(node))

    def cut(self, node: str, kind: str, seconds: float) -> None:
        self._drill(self.name(node), f"{kind}-cut", seconds)

    def slow(self, seconds: float) -> None:
        self.cluster.computer.slow(seconds)

    def fill_disk(self, node: str) -> None:
        self._drill(self.name(node), "disk-full")

    def empty_disk(self, node: str) -> None:
        self._drill(self.name(node), "disk-ok")

    def _drill(self, name: str, kind: str, seconds: float = 0.0) -> None:
        cluster = self.cluster
        if cluster.running(name) and not cluster.processes[name].hangs and cluster.node(name).worker:
            with contextlib.suppress(TimeoutError):
                cluster.ask_node(name, "drill", kind=kind, seconds=seconds, within=2.0)

    # --- what must hold

    def _answered(self, world: SimulatedWorld, _request: object, answer: Answer) -> None:
        """Called when an answer leaves a node."""
        if answer[0] == 503:
            return
        node = self.cluster.processes[world.name].node
        others = [
            process.name
            for process in self.cluster.processes.values()
            if process.alive
            and process.node is not node
            and process.node.serving.holds_vip
            and process.node.ledger is not None
            and process.node.ledger.may_answer()
        ]
        Violation.unless(not others, "one Active", f"{world.name} answers while {others} may answer as well")
        epoch = node.ledger.epoch if node.ledger is not None else 0
        later = f"{world.name} answers in epoch {epoch} after one of {self._epoch}"
        Violation.unless(epoch >= self._epoch, "one Active", later)
        self._epoch = epoch

    def check(self) -> None:
        """After every step."""
        for error in [*self.cluster.scheduler.failures, *self.fleet.failures]:
            raise error
        Violation.unless(not self._failures.found, "no failure of a node", "\n".join(self._failures.found))
        active = self.cluster.active()
        if active is not None:
            self._check_active(active)

    def _check_active(self, active: str) -> None:
        """Whoever serves has what was acknowledged."""
        state, told, unless = self.state(active), self.fleet.told, Violation.unless
        missing = set(self.fleet.present()) - set(state.instances)
        unless(not missing, "told", f"acknowledged registrations that {active} does not have: {missing}")
        for piid, count in told.counts.items():
            if piid not in told.leaving:
                has = sum(state.instances[piid].usage.values())
                unless(has == count, "told", f"{piid} was told that {count} are counted, {active} has {has}")
        used = next(token.used for token in state.tokens.values() if token.token_id == self.token_id)
        begun = self.fleet.begun
        text = f"{used} token uses, {len(told.registered)} devices were told, {begun} have tried"
        unless(len(told.registered) <= used <= begun, "token uses", text)

    def state(self, name: str) -> Any:
        """What a node has in memory."""
        return cast(Any, self.cluster.node(name).service.machine).state

    def heal(self) -> None:
        """All is well again: both run and are one cluster, and every device has been told."""
        cluster = self.cluster
        cluster.sleep(1.0)
        for name in NODES:
            cluster.resume(name)
        for name in NODES:
            self._drill(name, "disk-ok")

        def whole() -> bool:
            for error in self.fleet.failures:
                raise error
            for name in NODES:
                if not cluster.running(name) or cluster.node(name).state is State.STOPPED:
                    self._start(name)
            return cluster.whole() and not self.fleet.busy

        began, was_whole = cluster.scheduler.now, False
        while not whole():
            was_whole = was_whole or cluster.whole()
            passed = cluster.scheduler.now - began
            if passed > (self.done_within if was_whole else self.whole_within):
                break
            cluster.sleep(0.02)
        if not whole():
            reasons = {name: cluster.node(name).reason for name in NODES if cluster.running(name)}
            raise Violation(
                "whole again",
                f"not whole again: {cluster.states()}, {reasons}, {cluster.problems()}, "
                f"{self.fleet.busy} devices not told",
            )

    def finish(self) -> None:
        """At the end, healed and quiet."""
        cluster, fleet = self.cluster, self.fleet
        self.heal()
        self.check()
        status = cluster.ask_node(NODES[0], "status")
        assert sorted(status["in_sync"]) == sorted(NODES)
        fleet.compare(cluster.ask, self.token_id)
        cluster.run(lambda: cluster.node("primary").index == cluster.node("secondary").index, 10.0)
        machines = [cast(Any, cluster.node(name).service.machine) for name in NODES]
        copies = [content(cluster.layout.journal(name)) for name in NODES]
        Violation.unless(copies[0] == copies[1], "equal copies", "the two copies differ")
        for kind, key, body in copies[0][1]:
            same = all(machine.row(kind, key) == body for machine in machines)
            Violation.unless(same, "equal copies", f"memory and disk differ in {kind} {key}")
        assert len([name for name in NODES if cluster.node(name).state in ACTIVE_STATES]) == 1
