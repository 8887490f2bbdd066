"""The devices of an inventory in virtual time, against a pair of servers that fail when the file says so.

Nothing waits: the device that is due next is taken from a heap, and time is when that is. Each is the
client's own agent with its real timers; who asks while nobody answers hears nothing, and tries again when
they say. The same seed gives the same run.
"""

from __future__ import annotations

import gc
import heapq
import random
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from mock_server.simulated_fleet.crypto import Kind, crypto
from mock_server.simulated_fleet.figures import DAY, Figures, Storm
from mock_server.simulated_fleet.pair import Died, Moment, Pair
from smartlic_client.errors import SmartlicError
from smartlic_client.fleet.engine import Pace
from smartlic_client.fleet.happenings import Happening
from smartlic_client.fleet.inventory import Inventory, Licenses
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Send, deliver
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.messages import request_type
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.signing import PrivateKey
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.errors import connection_refused, connection_timeout

__all__ = ["BEGIN", "Device", "Plan", "SimulatedFleet"]

BEGIN: Final = 1_767_225_600.0
"""2026-01-01 00:00 UTC: a simulation is not of today, so that it is the same again tomorrow."""
_VIP: Final = "vip.simulated"
_URL: Final = f"https://{_VIP}/SmartTransport"
_SOONEST: Final = 0.5
_IN_THE_MIDDLE: Final = 5.0
"""Seconds in which the Active dies with a message, if there is one; else it dies at their end."""
_MESSAGES: Final = 3
"""At most so many that were held back by one that was tried again are said at the same time."""
_LOOK: Final = 512


@dataclass(frozen=True)
class Plan:
    """`splay`: the devices begin evenly over so many seconds. `drawn`: they draw how long they wait for a
    next try. `licensed`: percent of the inventory's highest use that is bought."""

    days: float = 365.0
    seed: int = 0
    crypto: Kind = "hash"
    splay: float = float(DAY)
    drawn: bool = True
    licensed: float = 100.0
    events: tuple[Happening, ...] = ()


class Device:
    """`sequence`: of its last message that was accepted."""

    __slots__ = ("agent", "changes", "index", "licenses", "sequence", "started")

    def __init__(self, index: int, agent: Agent, licenses: Licenses, started: float) -> None:
        self.index = index
        self.agent = agent
        self.licenses = licenses
        self.changes = any(schedule.steps for _, schedule in licenses)
        self.started = started
        self.sequence = 0

    def counts(self) -> dict[str, int]:
        return {tag: used.count for tag, used in self.agent.record.entitlements.items() if used.count}


class SimulatedFleet:
    """`run` it once. It is also its devices' environment (flow.Environment)."""

    def __init__(self, inventory: Inventory, plan: Plan) -> None:
        self.inventory = inventory
        self.plan = plan
        self.figures = Figures(BEGIN)
        self.devices: list[Device | None] = [None] * len(inventory)
        self.interrupted = False
        self._crypto = crypto(plan.crypto, plan.seed, BEGIN, plan.days)
        self.pair = Pair(self._crypto, plan.seed, BEGIN)
        self._draw = random.Random(f"devices {plan.seed}").randbytes  # noqa: S311 - the same run again
        self._fate = random.Random(f"events {plan.seed}")  # noqa: S311
        self._token: IdToken = self._bought()
        self._due = array("d", bytes(8 * len(inventory)))
        self._heap: list[tuple[float, int]] = []
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._storms: list[Storm] = []
        self._dying: tuple[Happening, Moment] | None = None
        self._down_until = 0.0
        self._silence = connection_refused(host=_VIP, port=443)
        self._stop = False

    # ---- flow.Environment ---------------------------------------------------------------------------------
    def now(self) -> float:
        return self.pair.time

    def random(self, count: int, /) -> bytes:
        """One byte is what the flow draws for how long to wait."""
        return b"\xff" if count == 1 and not self.plan.drawn else self._draw(count)

    def new_key(self) -> PrivateKey:
        return self._crypto.new_key()

    # ---- the run ------------------------------------------------------------------------------------------
    @property
    def end(self) -> float:
        return BEGIN + self.plan.days * DAY

    def stop(self) -> None:
        """End after the present device; what was done is reported."""
        self._stop = True

    def run(self, show: Callable[[SimulatedFleet], None]) -> None:
        """`show` is called now and then, also at the end."""
        self._prepare()
        heap, due, coming, pair = self._heap, self._due, self._coming, self.pair
        end, done = self.end, 0
        with _few_collections() as all_begun:
            while heap and not self._stop:
                at, index = heap[0]
                if coming and coming[0][0] <= at:
                    pair.time, _, happen = heapq.heappop(coming)
                    happen()
                    continue
                if at > end:
                    break
                heapq.heappop(heap)
                if due[index] != at:
                    continue
                pair.time = at
                self._attend(index)
                done += 1
                if not done % _LOOK:
                    show(self)
                if done == len(self.devices):
                    all_begun()
            self._close()
        show(self)

    def _prepare(self) -> None:
        total, pace = len(self.devices), Pace(splay=self.plan.splay)
        for index in range(total):
            self._due[index] = BEGIN + pace.begin_at(index, total, (index * 0.618034) % 1.0)
        self._heap = [(self._due[index], index) for index in range(total)]
        heapq.heapify(self._heap)
        for happening in self.plan.events:
            if BEGIN + happening.at < self.end:
                self._at(BEGIN + happening.at, lambda one=happening: self._happens(one))  # type: ignore[misc]
        self._at(BEGIN + DAY, self._day_ends)

    def _close(self) -> None:
        """The rest of the time, in which no device wanted anything."""
        self.interrupted = self._stop
        if self._stop:
            return
        while self._coming and self._coming[0][0] <= self.end:
            self.pair.time, _, happen = heapq.heappop(self._coming)
            happen()
        self.pair.time = self.end

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (when, len(self._coming) + len(self.figures.days), happen))

    def _day_ends(self) -> None:
        self.figures.day_ended()
        if self.now() + DAY <= self.end:
            self._at(self.now() + DAY, self._day_ends)

    def _bought(self) -> IdToken:
        """A token, and of each license as many as the inventory uses when it uses most."""
        highest: dict[str, int] = {}
        for kind in self.inventory.kinds:
            for tag, schedule in kind.licenses:
                most = max(schedule.first, *(count for _, count in schedule.steps), 0)
                highest[tag] = highest.get(tag, 0) + most * kind.count
        for tag, count in highest.items():
            self.pair.purchase(tag, int(count * self.plan.licensed / 100))
        return self.pair.token()

    # ---- what happens to the servers ----------------------------------------------------------------------
    def _happens(self, happening: Happening) -> None:
        if happening.event == "failover":
            moment = self._fate.choice(list(Moment))
            if moment is Moment.IDLE:
                self._fails(happening, moment)
                return
            self.pair.die(moment)
            self._dying = (happening, moment)
            self._at(self.now() + _IN_THE_MIDDLE, self._dies_idle)
            return
        if happening.event == "switch-over":
            self.pair.take_over()
        self._begin_storm(happening, "between two messages" if happening.event == "switch-over" else "")

    def _dies_idle(self) -> None:
        """Nobody has said anything since it was to die."""
        if self._dying is not None:
            self._fails(self._dying[0], Moment.IDLE)

    def _fails(self, happening: Happening, moment: Moment) -> None:
        self._dying = None
        self.pair.take_over()
        self._begin_storm(happening, moment.value)

    def _begin_storm(self, happening: Happening, how: str) -> None:
        storm = Storm(happening.event, self.now(), happening.outage, how)
        self.figures.storms.append(storm)
        self._storms = [*self._raging(), storm]
        self._down_until = max(self._down_until, storm.until)
        gone = connection_timeout if happening.event == "network-down" else connection_refused
        self._silence = gone(host=_VIP, port=443)

    def _raging(self) -> list[Storm]:
        return [one for one in self._storms if one.waiting or one.until > self.pair.time]

    # ---- one device ---------------------------------------------------------------------------------------
    def _attend(self, index: int) -> None:
        now = self.pair.time
        device = self.devices[index]
        if device is None:
            device = self._begin(index)
            before = None
        else:
            before = device.agent.record.authorization
            if device.changes:
                self._use(device)
        agent = device.agent
        deadline: float | None = now
        for _ in range(_MESSAGES):
            if deadline is None or deadline > now:
                break
            if agent.tick(now):
                self._speak(device)
            deadline = agent.next_deadline()
        agent.take_logs()
        after = agent.record.authorization
        if after is not before:
            states = self.figures.states
            if before is not None:
                states[before.value] -= 1
            states[after.value] += 1
        self._put_away(device, now, deadline)

    def _put_away(self, device: Device, now: float, at: float | None) -> None:
        if device.changes:
            times = [at, *(schedule.next_change(now, device.started) for _, schedule in device.licenses)]
            at = min((one for one in times if one is not None), default=None)
        if at is None:
            self._due[device.index] = -1.0
            return
        at = max(at, now + _SOONEST)
        self._due[device.index] = at
        heapq.heappush(self._heap, (at, device.index))

    def _begin(self, index: int) -> Device:
        member, now = self.inventory[index], self.pair.time
        record = Record(udi=member.udi, software_id=member.software, hostname=member.name)
        agent = Agent(record, self._crypto.seals)
        device = Device(index, agent, member.licenses, now)
        self.devices[index] = device
        self.figures.begun += 1
        agent.register(self._token, self._crypto.new_key(), self.random, now=now)
        self._use(device)
        return device

    def _use(self, device: Device) -> None:
        now, record = self.pair.time, device.agent.record
        for tag, schedule in device.licenses:
            wanted = schedule.count(now, device.started)
            used = record.entitlements.get(tag)
            if (used.count if used else 0) != wanted:
                device.agent.request(tag, wanted, now)

    def _speak(self, device: Device) -> None:
        """All that the agent has to say now. What fails stays with it, and its timers say when again."""
        flow = deliver(device.agent, self, TransportKind.SMART, self._crypto.anchors, to=_URL)
        outcome: bytes | SmartlicError | None = None
        said, sequence = "", 0
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Send):
                    if said:
                        self._answered(device, said, sequence)
                    meant = device.agent.record.in_flight
                    if meant is None:
                        raise RuntimeError("nothing is in flight")
                    said, sequence = request_type(meant), meant.sequence
                    outcome = self._carried(device, step.body)
        except StopIteration:
            if said:
                self._answered(device, said, sequence)
        except SmartlicError as error:
            self.figures.failed(said.lower(), error.code)
        finally:
            del outcome  # an error holds its frame, and would be held by it

    def _answered(self, device: Device, said: str, sequence: int) -> None:
        device.sequence = sequence
        self.figures.answered[said.lower()] += 1
        if self._storms:
            for storm in self._storms:
                storm.arrived(device.index, self.pair.time)
            self._storms = self._raging()

    def _carried(self, device: Device, body: bytes) -> bytes | SmartlicError:
        """The answer, or the error of one who hears none."""
        now = self.pair.time
        if now < self._down_until:
            return self._unheard(device)
        self.figures.arrived(now)
        try:
            return self.pair.post(body)
        except Died:
            if self._dying is None:
                raise RuntimeError("a server died that was not to") from None
            self._fails(*self._dying)
            return self._unheard(device)

    def _unheard(self, device: Device) -> SmartlicError:
        record, now = device.agent.record, self.pair.time
        tries = max(record.registering.tries, record.authorizing.tries)
        for storm in self._storms:
            if storm.until > now:
                storm.hit(device.index, now, tries)
        return self._silence.with_traceback(None)  # else each sending would hang its frames to it


@contextmanager
def _few_collections() -> Iterator[Callable[[], None]]:
    """Devices and instances live to the end: Python need not look again and again whether they do. The
    function says that all are there."""
    gc.collect()
    gc.disable()

    def all_there() -> None:
        gc.freeze()
        gc.enable()

    try:
        yield all_there
    finally:
        gc.unfreeze()
        gc.enable()
