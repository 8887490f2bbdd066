"""Devices that may die at any moment: each has a process and a disk of its own, and a list of deeds."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import msgspec

from mock_server.simulation.cluster import SimulatedCluster
from mock_server.simulation.loop import VirtualLoop
from smartlic_client.device_async import AsyncDevice
from smartlic_client.errands import Settings
from smartlic_client.folders import MemoryFolder
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.record import Identity, Record
from smartlic_client.protocol.states import Authorization, Registration
from tests.simulation.fleet import DNA, SOFTWARE, Told, until_told
from tests.simulation.simulated import Environment, SimulatedTransport, Violation

__all__ = ["Agent", "Agents"]

_until_told = partial(until_told, pause=0.2)

_PATIENCE = 5.0
_ANSWER_WITHIN = 2.0
_DEEDS = (8, 14)


@dataclass
class Agent:
    """`disk`: what its last save left. `deeds`: what it has yet to do, the next one first."""

    name: str
    policy: bool
    deeds: list[tuple[Any, ...]]
    skew: float
    chance: random.Random
    disk: bytes = b""
    loop: VirtualLoop | None = None
    lives: int = 0

    def record(self) -> Record:
        record: Record = Record.from_data(msgspec.json.decode(self.disk)["record"])
        return record


class _Kept(MemoryFolder):
    """The state of an agent on its disk: a save is whole or absent, as the store's are."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(Udi(pid="C9300-24T", sn=agent.name.upper()), software=SOFTWARE, hostname=agent.name)
        self._agent = agent
        if agent.disk:
            data = msgspec.json.decode(agent.disk)
            self.record = Record.from_data(data["record"])
            self.settings = msgspec.convert(data["settings"], Settings)

    def save(self, state: dict[str, Any]) -> None:
        self._agent.disk = msgspec.json.encode(state)


@dataclass
class Agents:
    """As `tests.simulation.fleet.Fleet`, with devices that are killed and start again."""

    cluster: SimulatedCluster
    url: str
    anchors: bytes
    token: str
    seed: int
    told: Told = field(default_factory=Told)
    failures: list[BaseException] = field(default_factory=list)
    all: list[Agent] = field(default_factory=list)

    @property
    def begun(self) -> int:
        return len(self.all)

    @property
    def busy(self) -> int:
        return sum(bool(agent.deeds) for agent in self.all)

    def send_out(self, count: int) -> None:
        for _ in range(count):
            chance = random.Random(f"device {self.seed} {len(self.all)}")
            policy = chance.random() < 0.25
            agent = Agent(
                f"d{len(self.all)}", policy, _drawn(chance, policy), chance.uniform(-600, 600), chance
            )
            self.all.append(agent)
            self.start(agent)

    def start(self, agent: Agent) -> None:
        agent.lives += 1
        agent.loop = loop = self.cluster.scheduler.loop(f"clients {agent.name}")
        loop.skew = agent.skew
        task = loop.create_task(self._life(agent, loop))
        task.add_done_callback(self._ended)

    def crash(self, agent: Agent, turns: int, pause: float) -> None:
        """Kill a device after so many callbacks more; it starts again after a pause."""
        loop = agent.loop
        if loop is None or not agent.deeds:
            return

        def end() -> None:
            loop.kill()
            self.cluster.clients.call_later(pause, self.start, agent)

        loop.end_after(turns, end)

    def present(self) -> Counter[str]:
        """PIIDs that the server must have."""
        return Counter(self.told.registered - self.told.leaving)

    def expected_use(self) -> int:
        """What the server must show in use when all is quiet."""
        return sum(count for piid, count in self.told.counts.items() if piid not in self.told.leaving)

    def _ended(self, life: asyncio.Task[None]) -> None:
        if not life.cancelled() and (error := life.exception()) is not None:
            self.failures.append(error)

    # ---- a life -------------------------------------------------------------------------------------------
    async def _life(self, agent: Agent, loop: VirtualLoop) -> None:
        transport = cast(Any, SimulatedTransport(self.cluster, loop, "clients", _ANSWER_WITHIN))
        environment = Environment(self.cluster, agent.chance)
        environment.skew = agent.skew
        device = AsyncDevice(_Kept(agent), environment, lambda _anchors, _proxy: transport)
        if not agent.disk or device.settings.anchors is None:
            await device.set_destination(self.url)
            await device.trust(self.anchors)
        while agent.deeds:
            name, *given = agent.deeds[0]
            await asyncio.sleep(agent.chance.uniform(0, 1.2))
            await getattr(self, f"_{name}")(agent, device, *given)
            agent.deeds.pop(0)

    async def _register(self, _agent: Agent, device: AsyncDevice) -> None:
        if device.record.identity is None:
            token = IdToken(self.token)
            await _until_told(lambda: device.register(token, wait=_PATIENCE))
        self.told.registered.add(_identity(device.record).piid)

    async def _trust(self, _agent: Agent, device: AsyncDevice) -> None:
        if device.record.usage is None:
            await device.use_policy()
        if _known(device.record) is None:
            token = IdToken(self.token)
            await _until_told(lambda: device.get_trust_code(token, wait=_PATIENCE))
        self.told.registered.add(_identity(device.record).piid)

    async def _count(self, agent: Agent, device: AsyncDevice, count: int) -> None:
        piid = _identity(device.record).piid
        self.told.counts.pop(piid, None)
        await _until_told(lambda: device.request(DNA, count, wait=_PATIENCE))
        if agent.policy:
            await asyncio.sleep(1.1)  # a usage report measures whole seconds
            await _until_told(lambda: device.sync_usage(wait=_PATIENCE))
        self.told.counts[piid] = count

    async def _report(self, _agent: Agent, device: AsyncDevice) -> None:
        await _until_told(lambda: device.report(wait=_PATIENCE))

    async def _sync(self, _agent: Agent, device: AsyncDevice) -> None:
        await _until_told(lambda: device.sync_usage(wait=_PATIENCE))

    async def _renew(self, _agent: Agent, device: AsyncDevice) -> None:
        await _until_told(lambda: device.renew(wait=_PATIENCE))

    async def _leave(self, _agent: Agent, device: AsyncDevice) -> None:
        if device.record.identity is None and device.record.in_flight is None:
            return  # it was told so before it was killed
        self.told.leaving.add(_identity(device.record).piid)
        done = await device.deregister(wait=3600)
        Violation.unless(done.pending is None, "told", f"de-registered without the server: {done.pending}")

    # ---- what must hold when all is quiet -----------------------------------------------------------------
    def compare(self, ask: Callable[[str], dict[str, Any]], token_id: str) -> None:
        """The server has what the devices know, no more and no less; each device is in a legal state."""
        told, unless = self.told, Violation.unless
        token = next(found for found in ask("token.list")["tokens"] if found["token_id"] == token_id)
        spent = f"{token['used']} token uses, {len(told.registered)} devices registered, {self.begun} began"
        unless(token["used"] == len(told.registered) == self.begun, "token uses", spent)
        found = {one["product_instance_identifier"] for one in ask("instance.list")["instances"]}
        unless(found == set(self.present()), "told", f"the server has {found}, and not {set(self.present())}")
        used = sum(row["in_use"] for row in ask("license.list")["licenses"])
        unless(used == self.expected_use(), "usage", f"{used} in use, devices count {self.expected_use()}")
        for agent in self.all:
            wrong = _illegal(agent)
            unless(not wrong, "legal states", f"{agent.name}: {wrong}")


def _drawn(chance: random.Random, policy: bool) -> list[tuple[Any, ...]]:
    """Deeds for a life."""
    other = ["count", "count", "sync"] if policy else ["count", "count", "count", "report", "renew"]
    deeds: list[tuple[Any, ...]] = [("trust",) if policy else ("register",), ("count", chance.randint(1, 4))]
    for _ in range(chance.randint(*_DEEDS)):
        name = chance.choice(other)
        deeds.append((name, chance.randint(1, 4)) if name == "count" else (name,))
    if not policy and chance.random() < 0.25:
        deeds.append(("leave",))
    return deeds


def _known(record: Record) -> Identity | None:
    return record.identity if record.usage is None else record.usage.identity


def _identity(record: Record) -> Identity:
    identity = _known(record)
    assert identity is not None
    return identity


def _illegal(agent: Agent) -> str:
    """What is wrong with the state of a device that has done all that it had to do."""
    record, left = agent.record(), not agent.policy and _known(agent.record()) is None
    if record.in_flight is not None:
        return "a message is still under way"
    if agent.policy:
        return "" if _known(record) is not None else "no trust code"
    allowed = (Registration.NOT_REGISTERED,) if left else (Registration.COMPLETE,)
    if record.registration not in allowed:
        return f"registration is {record.registration}"
    settled = (Authorization.AUTHORIZED, Authorization.OUT_OF_COMPLIANCE)
    if not left and record.authorization not in settled:
        return f"authorization is {record.authorization}"
    return ""
