"""Runs the devices of a fleet, or of one process's share of it, in one event loop.

A device that wants nothing is a row in the store and a line in a heap; it is read when it is due, attended to
by the same errands as any device, and put away again. So what is in memory grows with what happens at the
same time, not with the fleet.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from array import array
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass

from smartlic_client.errands import Answer, Errand, Errands, HangUp, Persist, Send, Settings, Step
from smartlic_client.errors import CallerError, RefusedError, RemoteError, SmartlicError, TrustError
from smartlic_client.fleet.figures import Figures
from smartlic_client.fleet.inventory import Inventory, Member
from smartlic_client.fleet.store import FleetStore, Row
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.errors import TOKEN_NEEDED
from smartlic_client.protocol.flow import Environment
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.messages import request_type
from smartlic_client.protocol.record import Record
from smartlic_client.transport.urls import Destination
from smartlic_client.waiting import any_of

__all__ = ["Fleet", "Pace"]

Post = Callable[[Destination, bytes, str], Awaitable[bytes]]

_LAG = 0.1
_SOONEST = 0.5
"""Seconds after which a device that was attended to is attended to again, whatever its timers say."""
_LATEST = 3600.0
"""Seconds after which even a device without a timer is looked at, where a clock may have been set."""


@dataclass(frozen=True)
class Pace:
    """When devices are begun, and how often they report.

    `rate`: at most so many begin a second, after a `ramp` of so many seconds; `splay`: they are spread over
    so many seconds; `every`: each reports again after so many; `wait`: communication failures are tried again
    for so long at once, after which the device's own timers count. `at_once`: devices in attendance.
    """

    rate: float | None = None
    ramp: float = 0.0
    splay: float = 0.0
    every: float | None = None
    wait: float = 60.0
    at_once: int = 64

    @property
    def slows(self) -> bool:
        """Whether devices may have to wait for their turn though there is a place for them."""
        return self.rate is not None or self.splay > 0

    def begin_at(self, number: int, total: int, chance: float) -> float:
        """Seconds after the start when the device with this number (of `total`, from 0) is begun."""
        spread = self.splay * (number + chance) / total if total else 0.0
        if self.rate is None:
            return spread
        ramped = self.rate * self.ramp / 2
        limited = (
            (2 * number * self.ramp / self.rate) ** 0.5
            if number < ramped
            else self.ramp / 2 + number / self.rate
        )
        return max(spread, limited)


class _StoppedError(Exception):
    """The fleet ends while a device waits; what it means to say is saved."""


class Fleet:
    """`share`: the indices of the inventory that are this object's. `run` it once."""

    def __init__(
        self,
        inventory: Inventory,
        share: range,
        store: FleetStore,
        settings: Settings,
        token: IdToken | None,
        pace: Pace,
        post: Post,
        environment: Environment,
        *,
        seed: int = 0,
    ) -> None:
        self.figures = Figures()
        self.problem: BaseException | None = None
        self._inventory = inventory
        self._share = share
        self._store = store
        self._settings = settings
        self._token = token
        self._pace = pace
        self._post = post
        self._environment = environment
        self._random = random.Random(seed)  # noqa: S311 - spreads the load
        self._due: list[tuple[float, int]] = []
        self._new = array("L")
        self._begun = 0
        self._start = 0.0
        self._is_settled = bytearray(len(share))
        self._is_refused: dict[int, str] = {}
        self._slots = asyncio.Semaphore(pace.at_once)
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._known = False

    # ---- the run ------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Begin nothing more; what is under way ends, and is kept."""
        self._stop.set()

    def due_now(self) -> int:
        """How many devices are due, or not begun."""
        now = self._environment.now()
        return sum(at <= now for at, _ in self._due) + len(self._new) - self._begun

    async def run(self, *, once: bool = False) -> None:
        """Until `stop`; with `once` until each is registered or refused. Raises what hinders all."""
        self._read()
        watching = asyncio.ensure_future(self._watch())
        try:
            await self._dispatch(once)
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            watching.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.problem is not None:
            raise self.problem

    def _read(self) -> None:
        """What the store knows of the devices; those that it does not know are begun in their order.

        All that it knows are looked at: the inventory may want other counts now, and those that wait for
        their owner have been waiting for this.
        """
        known = {name: (states, settled) for name, *states, settled in self._store.known()}
        self._start = self._environment.now()
        for place, index in enumerate(self._share):
            found = known.get(self._inventory[index].name)
            if found is None:
                self._new.append(index)
                continue
            states, self._is_settled[place] = found
            self.figures.moved(None, (str(states[0]), str(states[1])))
            self.figures.started += 1
            spread = self._pace.every or 0.0
            self._due.append((self._start + spread * self._random.random(), index))
        self.figures.settled = sum(self._is_settled)
        heapq.heapify(self._due)

    async def _dispatch(self, once: bool) -> None:
        while not self._stop.is_set():
            self._changed.clear()
            if once and self._done():
                return
            await self._slots.acquire()
            now = self._environment.now()
            index, at = self._next(now)
            if index is None:
                self._slots.release()
                await any_of(self._stop, self._changed, seconds=min(max(at - now, 0.0), _LATEST))
                continue
            task = asyncio.create_task(self._attended(index))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _done(self) -> bool:
        return self.figures.settled + len(self._is_refused) >= len(self._share)

    def _next(self, now: float) -> tuple[int | None, float]:
        """The index of a device that is due, taken; or None, and when the next one is."""
        new_at = due_at = float("inf")
        if self._begun < len(self._new):
            chance = (self._begun * 0.618034) % 1.0
            new_at = self._start + self._pace.begin_at(self._begun, len(self._new), chance)
        if self._due:
            due_at = self._due[0][0]
        if min(new_at, due_at) > now:
            return None, min(new_at, due_at)
        if due_at <= new_at:
            return heapq.heappop(self._due)[1], due_at
        self._begun += 1
        return self._new[self._begun - 1], new_at

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.problem = self.problem or error
            self.stop()

    async def _watch(self) -> None:
        """How late this loop is, and how much processor time it takes."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_LAG)
            self.figures.lag.add(max(time.perf_counter() - before - _LAG, 0.0))
            self.figures.cpu = time.process_time()
            self.figures.busy = len(self._tasks)

    # ---- one device ---------------------------------------------------------------------------------------
    async def _attended(self, index: int) -> None:
        member = self._inventory[index]
        row = self._store.load(member.name)
        if row is None:
            record = Record(udi=member.udi, software_id=member.software, hostname=member.name)
            row = Row(member.name, self._environment.now(), None, record)
            before = None
            self.figures.started += 1
        else:
            before = _states(row.record)
        visit = _Visit(self, row)
        refused: str | None = None
        try:
            await visit.drive(self._errand(visit.errands, member, row.started))
        except _StoppedError:
            pass
        except TrustError as error:
            if not self._known:  # nobody has come through: it is the server that is the wrong one, for all
                await visit.save()
                raise
            refused = error.code
        except RefusedError as error:
            refused = error.code
        except RemoteError:
            pass  # it is counted, and in the record; the timers of the device try again
        except CallerError as error:
            if error.code == "fleet-unusable":
                raise
            refused = error.code
        at = self._due_at(visit.errands, member, row.started, refused)
        if at != row.due or visit.changed:
            await self._store.save(row._replace(due=at))
        self._put_away(index, row, before, refused, at)

    def _errand(self, errands: Errands, member: Member, started: float) -> Errand[None]:
        """What the device does now that it is due."""
        agent, record, now = errands.agent, errands.record, self._environment.now()
        wanted = {tag: schedule.count(now, started) for tag, schedule in member.licenses}
        for tag in [*wanted, *(tag for tag in record.entitlements if tag not in wanted)]:
            used = record.entitlements.get(tag)
            if (used.count if used else 0) != wanted.get(tag, 0):
                agent.request(tag, wanted.get(tag, 0), now)
        if record.identity is None and record.usage is None:
            if self._token is None:
                raise TOKEN_NEEDED()
            yield from errands.register(self._token, wait=self._pace.wait)
            return
        yield from errands.attend(first=record.in_flight is not None)
        if record.identity is not None and (record.to_report or self._pace.every is not None):
            yield from errands.report(wait=self._pace.wait)

    def _due_at(self, errands: Errands, member: Member, started: float, refused: str | None) -> float | None:
        if refused is not None:
            return None
        now = self._environment.now()
        times = [errands.agent.next_deadline()]
        times += [schedule.next_change(now, started) for _, schedule in member.licenses]
        if self._pace.every is not None and errands.record.identity is not None:
            times.append(now + self._pace.every * (0.5 + self._random.random()))
        found = min((at for at in times if at is not None), default=None)
        return None if found is None else max(found, now + _SOONEST)

    def _put_away(
        self, index: int, row: Row, before: tuple[str, str] | None, refused: str | None, at: float | None
    ) -> None:
        self.figures.moved(before, _states(row.record))
        place = (index - self._share.start) // self._share.step
        settled = row.settled
        self.figures.settled += settled - self._is_settled[place]
        self._is_settled[place] = settled
        if (former := self._is_refused.pop(index, None)) is not None:
            self.figures.refused[former] -= 1
        if refused is not None:
            self._is_refused[index] = refused
            self.figures.refused[refused] = self.figures.refused.get(refused, 0) + 1
        if at is not None:
            heapq.heappush(self._due, (at, index))

    # ---- for a visit --------------------------------------------------------------------------------------
    async def save(self, row: Row) -> None:
        await self._store.save(row._replace(due=self._environment.now()))

    async def pause(self, seconds: float) -> None:
        await any_of(self._stop, seconds=seconds)
        if self._stop.is_set():
            raise _StoppedError

    async def send(self, destination: Destination, step: Send) -> bytes:
        answer = await self._post(destination, step.body, step.content_type)
        self._known = True
        return answer

    def errands(self, record: Record) -> Errands:
        return Errands(Agent(record), self._settings, self._environment)


class _Visit:
    """Drives one errand of one device (errands, "An errand is a generator"), and counts.

    A `Persist` is carried out when something leaves or time passes after it, not before: between an answer
    and the next message the record is written once and not twice. Whoever drives writes what is left over.
    """

    def __init__(self, fleet: Fleet, row: Row) -> None:
        self.errands = fleet.errands(row.record)
        self._fleet = fleet
        self._row = row
        self._began = 0.0
        self._unsaved = False
        self.changed = False
        """Whether the record may be another one than the one that was read."""

    async def drive(self, errand: Errand[None]) -> None:
        with closing(errand):
            answer: Answer = None
            while True:
                sent = self._sent()
                try:
                    step = errand.send(answer)
                except StopIteration:
                    self._judge(sent, answer)
                    return
                except SmartlicError as error:
                    self._judge(sent, answer, error)
                    raise
                self._judge(sent, answer)
                answer = await self._do(step)

    async def _do(self, step: Step) -> Answer:
        self.errands.agent.take_logs()
        if isinstance(step, Persist):
            self.changed = self._unsaved = True
            return None
        if isinstance(step, HangUp):
            return None
        await self.save()
        if isinstance(step, Send):
            self._began = time.perf_counter()
            try:
                return await self._fleet.send(self.errands.destination()[0], step)
            except RemoteError as error:
                return error
        await self._fleet.pause(step.seconds)
        return None

    async def save(self) -> None:
        """Write what is to be on the disk by now."""
        if self._unsaved:
            await self._fleet.save(self._row)
            self._unsaved = False

    def _sent(self) -> tuple[str, str] | None:
        """Kind and id of the message in flight."""
        message = self._row.record.in_flight
        return None if message is None else (request_type(message).lower(), message.message_id)

    def _judge(
        self, sent: tuple[str, str] | None, answer: Answer, error: SmartlicError | None = None
    ) -> None:
        """Count an outcome of `Send`: an answer counts if it was the end of its message."""
        if answer is None or sent is None:
            return
        figures = self._fleet.figures
        if isinstance(answer, SmartlicError):
            figures.failed(sent[0], answer.code)
        elif error is not None:
            figures.failed(sent[0], error.code)
        elif self._sent() == sent:
            figures.failed(sent[0], "answer-not-accepted")
        else:
            figures.answered(sent[0], time.perf_counter() - self._began)


def _states(record: Record) -> tuple[str, str]:
    return record.registration.value, record.authorization.value
