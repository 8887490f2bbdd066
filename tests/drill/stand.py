"""The stand of the drill: both nodes, CSSM and devices, each of which may die, and a network that fails."""

from __future__ import annotations

import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mock_server.cluster.config import NODES
from mock_server.cluster.machine import NodeContext
from mock_server.domain import events
from mock_server.errors import SmartlicError
from mock_server.journal import Journal
from mock_server.service import LicensingService
from mock_server.simulation.disk import Crash
from mock_server.simulation.loop import wall_clocks
from mock_server.simulation.network import Answer, SimulatedWorld
from mock_server.simulation.weather import CALM, Odds
from tests.drill.agents import Agents
from tests.drill.cssm import SimulatedCssm
from tests.simulation.fleet import DNA
from tests.simulation.simulated import SimulatedStand, Violation

__all__ = ["DrillStand"]

BOUGHT_HERE = 10
_SKEW = 600.0


class DrillStand(SimulatedStand):
    """Also counts what has happened: `exchanges` are messages of devices that a node has answered."""

    fleet: Agents
    whole_within, done_within = 15.0, 60.0

    def __init__(self, folder: Path, seed: int) -> None:
        self.exchanges = 0
        self.happened: Counter[str] = Counter()
        self._seed = seed
        self._exit = contextlib.ExitStack()
        self._chance = random.Random(f"stand {seed}")
        self._promised = (0, b"")
        self._served: dict[int, object] = {}
        super().__init__(folder, seed)

    def _prepare(self, folder: Path) -> None:
        cluster = self.cluster
        self._exit.enter_context(wall_clocks(cluster.scheduler, random.Random(f"entropy {self._seed}")))
        self._cssm_process = SimulatedCssm(cluster, folder / "cssm")
        self._exit.callback(self._cssm_process.close)
        start = cluster.computer.start

        def with_a_clock_of_its_own(name: str) -> SimulatedWorld:
            world = start(name)
            clock = random.Random(f"clock {self._seed} {name}")
            world.clock = (clock.uniform(0.99, 1.01), clock.uniform(0.0, 1e6))
            world.loop.skew = clock.uniform(-_SKEW, _SKEW)
            return world

        cluster.computer.start = with_a_clock_of_its_own  # type: ignore[method-assign]

    def _service(self, context: NodeContext) -> LicensingService:
        return LicensingService(context, self._cssm_process.port(context.name))

    def _fleet(self, _folder: Path, url: str, anchors: bytes) -> Agents:
        return Agents(self.cluster, url, anchors, self.token, self._seed)

    @property
    def epochs(self) -> int:
        """In how many epochs a node has answered devices."""
        return len(self._served)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._exit.close()

    # --- what an operation does beside those of the sequences

    def kill_after(self, node: str, turns: int, power: bool) -> None:
        self.cluster.kill_after(self.name(node), turns, power=power)

    def kill_both(self, *turns: int) -> None:
        for name, count in zip(NODES, turns, strict=True):
            self.cluster.kill_after(name, count, power=True)

    def kill_in_write(self, node: str, crash: Crash, seed: int) -> None:
        self.cluster.kill_in_write(self.name(node), crash, random.Random(seed))

    def hang(self, node: str, seconds: float = 0.0, wake: bool = False) -> None:
        name = self.name(node)
        self.cluster.hang(name)
        self.sleep(seconds)
        if wake:
            self.cluster.resume(name)

    def slow_disk(self, node: str, seconds: float) -> None:
        name = self.name(node)
        if self.cluster.running(name):
            self.cluster.processes[name].world.loop.slow_until = self.cluster.scheduler.now + seconds

    def part(self, pair: tuple[str, str], both: bool, seconds: float) -> None:
        self.cluster.computer.weather.part(*pair, both=both)
        self.cluster.clients.call_later(seconds, self.cluster.computer.weather.join)

    def weather(self, lost: float, doubled: float, late: float) -> None:
        self.cluster.computer.weather.odds = Odds(lost, doubled, late)

    def crash_device(self, turns: int, which: int) -> None:
        agents = self.fleet.all
        agent = agents[which % len(agents)] if agents else None
        if agent is not None:
            self.fleet.crash(agent, turns, self._chance.uniform(0.0, 2.0))

    def kill_cssm(self) -> None:
        self._cssm_process.kill()

    def start_cssm(self) -> None:
        self._cssm_process.start()

    def buy(self, quantity: int) -> None:
        self._cssm_process.portal(op="cssm.purchase.add", tag=DNA, name="DNA Premier 50M", quantity=quantity)

    def synchronize(self) -> None:
        """The Active is asked to synchronize; nobody waits for it."""
        active = self.cluster.active()
        if active is None:
            return
        process = self.cluster.processes[active]

        async def order() -> None:
            with contextlib.suppress(SmartlicError, TimeoutError):
                await process.operations.dispatch({"op": "synchronize"})

        task = process.world.loop.create_task(order())
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    def heal(self) -> None:
        weather = self.cluster.computer.weather
        weather.odds = CALM
        weather.join()
        for process in self.cluster.processes.values():
            process.world.loop.spare()  # a crash that has not come by now would come in the quiet
        self._cssm_process.start()
        super().heal()

    # --- what must hold

    def _answered(self, world: SimulatedWorld, request: object, answer: Answer) -> None:
        super()._answered(world, request, answer)
        if answer[0] == 503:
            return
        self.exchanges += 1
        node = self.cluster.processes[world.name].node
        ledger = node.ledger
        if ledger is None or node.worker is None or not ledger.is_open:
            return
        if self._served.setdefault(ledger.epoch, world.process) != world.process:
            raise Violation("one Active", f"two processes answer in epoch {ledger.epoch}")
        journal = node.worker.journal
        self._has_promised(world.name, journal)
        self._promised = (ledger.safe, journal.checksum_at(ledger.safe) or b"")

    def _has_promised(self, name: str, journal: Journal) -> None:
        """What was safe when an answer left is on the disk of whoever serves, unchanged."""
        index, checksum = self._promised
        if index and journal.checksum_at(index) != checksum:
            raise Violation(
                "acknowledged is kept", f"change {index} is not what {name} has at {journal.head.idx}"
            )

    def _check_active(self, active: str) -> None:
        worker = self.cluster.node(active).worker
        if worker is not None:
            self._has_promised(active, worker.journal)
        super()._check_active(active)

    def finish(self) -> None:
        super().finish()
        cluster = self.cluster
        active = cluster.active()
        assert active is not None
        with contextlib.suppress(SmartlicError):
            cluster.ask("synchronize")
        bought = self._cssm_process.portal(op="cssm.purchase.list")["purchases"]
        wanted = BOUGHT_HERE + sum(one["quantity"] for one in bought)
        has = sum(row["purchased"] for row in cluster.ask("license.list")["licenses"])
        Violation.unless(has == wanted, "purchases", f"{has} licenses purchased, and not {wanted}")
        worker = cluster.node(active).worker
        assert worker is not None
        self._check_journal(worker.journal)

    def _check_journal(self, journal: Journal) -> None:
        """Each message has had its effect once, and each epoch is one node's."""
        taken: Counter[str] = Counter()
        writers: dict[int, set[str]] = defaultdict(set)
        epoch, first = 0, 1
        while rows := journal.read(first):
            for row in rows:
                Violation.unless(row.epoch >= epoch, "epochs", f"epoch {row.epoch} after {epoch}")
                epoch = row.epoch
                change = events.decode(row.payload)
                writers[epoch].add(change.node)
                taken.update(_message_ids(change))
            first = rows[-1].idx + 1
        twice = [message for message, times in taken.items() if times > 1]
        Violation.unless(not twice, "once", f"messages that had their effect twice: {twice}")
        shared = {number: nodes for number, nodes in writers.items() if len(nodes) > 1}
        Violation.unless(not shared, "epochs", f"two nodes wrote in one epoch: {shared}")
        for name in NODES:
            used = next(t.used for t in self.state(name).tokens.values() if t.token_id == self.token_id)
            Violation.unless(used == self.fleet.begun, "token uses", f"{used} on {name}")


def _message_ids(change: events.Change) -> Iterator[str]:
    for event in change.events:
        if isinstance(event, events.InstanceRegistered):
            last: Any = event.instance.last
            yield last.message_id
        elif isinstance(event, (events.UsageReported, events.ReportsTaken, events.CertificateRenewed)):
            yield event.last.message_id
