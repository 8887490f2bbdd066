"""Every cell of the two tables, walked by a real agent: state, timer, message and log are the row's."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
import pytest

from smartlic_client.errors import CommunicationError, SmartlicError, problem
from smartlic_client.protocol import errors, timers
from smartlic_client.protocol.agent import Outgoing
from smartlic_client.protocol.messages import request_type
from smartlic_client.protocol.record import Entitlement, Identity
from smartlic_client.protocol.states import (
    AUTHORIZATION,
    REGISTRATION,
    Authorization,
    AuthorizationEvent,
    Registration,
    RegistrationEvent,
    Says,
    Step,
    Timer,
)
from tests.unit.domain.world import NOW
from tests.unit.protocol.bench import DAY, ONE, Bench, refusing

A, AE, R, RE = Authorization, AuthorizationEvent, Registration, RegistrationEvent
LOST = problem("cells-lost", CommunicationError, "Nothing came back.", "Try again.")
HOUR = timers.HOUR


class Cell:
    """A bench whose log was emptied, and what is in flight on it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.sent: Outgoing | None = None
        self.agent = bench.agent
        self.agent.tick(bench.time)
        self.agent.take_logs()

    def sending(self) -> Outgoing:
        if self.sent is None:
            self.sent = self.bench.say()
        return self.sent

    def identity(self) -> Identity:
        identity = self.bench.record.identity
        assert identity is not None
        return identity

    def hear(self) -> None:
        """The server's answer."""
        sent = self.sending()
        self.bench.hear(sent, self.bench.answer(sent))

    def again(self) -> None:
        self.sent = self.bench.say()

    def fail(self, error: SmartlicError) -> None:
        self.sending()
        self.agent.lost(error, self.bench.time, 0.5)

    def refuse(self, code: str) -> None:
        sent = self.sending()
        with pytest.raises(SmartlicError):
            self.bench.hear(sent, refusing(self.bench.answer(sent), code))

    def postpone(self) -> None:
        with pytest.raises(SmartlicError) as caught:
            self.bench.hear(self.sending(), self.bench.later(self.sending(), "OK_TRY_AGAIN", 600))
        self.fail(caught.value)

    def poll(self) -> None:
        with pytest.raises(SmartlicError) as caught:
            self.bench.hear(self.sending(), self.bench.later(self.sending(), "OK_POLL", 600))
        self.fail(caught.value)


# ---- registration -----------------------------------------------------------------------------------------
def _not_registered() -> Bench:
    return Bench()


def _in_progress() -> Bench:
    bench = Bench()
    bench.ask()
    return bench


def _retry() -> Bench:
    bench = _in_progress()
    bench.say()
    bench.agent.lost(LOST(), NOW)
    return bench


def _failed() -> Bench:
    bench = _in_progress()
    sent = bench.say()
    with pytest.raises(SmartlicError):
        bench.hear(sent, refusing(bench.answer(sent), "token-unknown"))
    return bench


def _complete() -> Bench:
    return Bench().registered()


REGISTERED_BEFORE = {RE.EXPIRED, RE.REFUSED_BUT_REGISTERED}
RENEWING = {
    RE.RENEWED,
    RE.RENEWAL_REFUSED,
    RE.LOST,
    RE.DOUBTED,
    RE.POSTPONED,
    RE.POLLED,
}
STARTS: dict[Registration, Callable[[], Bench]] = {
    R.NOT_REGISTERED: _not_registered,
    R.IN_PROGRESS: _in_progress,
    R.RETRY: _retry,
    R.FAILED: _failed,
    R.COMPLETE: _complete,
}


def _registration_cell(state: Registration, event: RegistrationEvent) -> Cell:
    """An agent in `state` that is ready for `event`."""
    if state in (R.IN_PROGRESS, R.RETRY) and event in REGISTERED_BEFORE:
        bench = _complete()
        bench.ask(force=True)
        if state is R.RETRY:
            bench.say()
            bench.agent.lost(LOST(), NOW)
    else:
        bench = STARTS[state]()
    cell = Cell(bench)
    record = bench.record
    if state is R.COMPLETE and event in RENEWING:
        bench.agent.renew(bench.time)
    if event is RE.INSIDE:
        _outside(cell)
        bench.time = NOW + DAY
    if event is RE.EXPIRED:
        bench.time = cell.identity().valid_until
        bench.agent.tick(bench.time)
        bench.time += HOUR
    if event is RE.WARNED:
        bench.agent.renew(bench.time)
        cell.fail(LOST())
        bench.time = cell.identity().valid_until - 60 * DAY
    bench.agent.take_logs()
    assert record.registration is state
    return cell


def _expiring(cell: Cell) -> None:
    cell.agent.tick(cell.bench.time)


def _outside(cell: Cell) -> None:
    cell.bench.time = cell.identity().valid_from - DAY
    cell.agent.tick(cell.bench.time)


def _renewal_due(cell: Cell) -> None:
    cell.bench.time += 180 * DAY
    cell.bench.record.authorizing.next = None
    cell.agent.tick(cell.bench.time)


def _asked(cell: Cell) -> None:
    cell.bench.ask(force=True, now=cell.bench.time)


def _deregistered(cell: Cell) -> None:
    cell.agent.forget(cell.bench.time)


REGISTRATION_RAISED: dict[RegistrationEvent, Callable[[Cell], None]] = {
    RE.ASKED: _asked,
    RE.ACCEPTED: lambda cell: cell.hear(),
    RE.REFUSED: lambda cell: cell.refuse("token-unknown"),
    RE.REFUSED_BUT_REGISTERED: lambda cell: cell.refuse("token-unknown"),
    RE.LOST: lambda cell: cell.fail(LOST()),
    RE.DOUBTED: lambda cell: cell.fail(errors.ANSWER_UNREADABLE(why="x")),
    RE.POSTPONED: lambda cell: cell.postpone(),
    RE.POLLED: lambda cell: cell.poll(),
    RE.SENT_AGAIN: lambda cell: cell.again(),
    RE.DEREGISTERED: _deregistered,
    RE.WARNED: _expiring,
    RE.OUTSIDE: _outside,
    RE.INSIDE: _expiring,
    RE.EXPIRED: _expiring,
    RE.FORGOTTEN: lambda cell: cell.bench.forgotten(),
    RE.RENEWAL_DUE: _renewal_due,
    RE.RENEWED: lambda cell: cell.hear(),
    RE.RENEWAL_REFUSED: lambda cell: cell.refuse("server-failed"),
}


def _timer_is(timer: Timer, before: float | None, after: float | None, now: float) -> bool:
    """Whether a machine's timer is what the row says."""
    if timer in (Timer.KEPT, Timer.GRACE):
        # A clock that went back brings in what would be too far away.
        return after == (before if before is None else min(before, now + 180 * DAY))
    if timer is Timer.STOPPED:
        return after is None
    assert after is not None
    left = after - now
    spread = {Timer.BACK_OFF: (15, 30), Timer.TOLD: (600, 750)}
    if timer in spread:
        low, high = spread[timer]
        return low <= left <= high
    fixed = {
        Timer.NOW: 0.0,
        Timer.SOON: 2.0,
        Timer.STANDING: 30 * DAY,
        Timer.CERTIFICATE: 180 * DAY,
        Timer.FORMER: max(0.0, NOW + 180 * DAY - now),
        Timer.AUTHORIZATION: 30 * DAY,
        Timer.COMPLIANCE: 12 * HOUR,
    }
    return abs(left - fixed[timer]) < 0.001


def _says(cell: Cell, says: Says, before: Outgoing | None) -> bool:
    """Whether the outbox holds what the row says."""
    if says in (Says.NOTHING, Says.COUNTS):  # no license is in use here
        return True
    sent = cell.bench.say()
    if says is Says.SAME:
        return before is not None and sent.request == before.request
    return request_type(sent.request) == says.value


@pytest.mark.parametrize(("state", "event"), REGISTRATION, ids=lambda part: part.name)
def test_registration(state: Registration, event: RegistrationEvent) -> None:
    """An agent in the row's state, to which the row's event happens, does what the row says."""
    step = REGISTRATION[state, event]
    cell = _registration_cell(state, event)
    record = cell.bench.record
    before = record.registering.next
    REGISTRATION_RAISED[event](cell)
    assert record.registration is step.state
    assert tuple(log.name for log in cell.agent.take_logs() if log.name in _SPOKEN_BY[RE]) == step.logs
    # A refused replacement gives the timer of the former registration back: what is left of it.
    assert _timer_is(step.timer, before, record.registering.next, cell.bench.time)
    if step.timer is Timer.GRACE:
        assert record.outside_since == cell.bench.time
    assert _says(cell, step.says, cell.sent)


# ---- authorization ----------------------------------------------------------------------------------------
def _using(bench: Bench, count: int = 2) -> Bench:
    bench.use(ONE, count)
    return bench


def _eval_expired(bench: Bench) -> Bench:
    bench.use(ONE, 2)
    bench.time += 90 * DAY
    bench.agent.tick(bench.time)
    return bench


def _turned(bench: Bench, count: int) -> Bench:
    _using(bench, count).turn()
    return bench


def _expired(bench: Bench) -> Bench:
    _turned(bench, 2)
    bench.time += 90 * DAY
    bench.agent.tick(bench.time)
    return bench


AUTHORIZATION_STARTS: dict[Authorization, Callable[[Bench], Bench]] = {
    A.NONE: lambda bench: bench,
    A.EVAL: _using,
    A.EVAL_EXPIRED: _eval_expired,
    A.AUTHORIZED: lambda bench: _turned(bench, 2),
    A.OUT_OF_COMPLIANCE: lambda bench: _turned(bench, 9),
    A.AUTHORIZATION_EXPIRED: _expired,
}


def _authorization_cell(state: Authorization, event: AuthorizationEvent) -> Cell:
    bench = AUTHORIZATION_STARTS[state](Bench().registered())
    record = bench.record
    assert record.authorization is state
    cell = Cell(bench)
    if event is AE.RELEASED and state is A.NONE:
        # The only way to it: used and released before anything was told.
        bench.use(ONE, 1)
        record.authorization = A.NONE
        record.evaluation_since = None
    if event is AE.NOTHING_IN_USE and state is not A.NONE:
        bench.agent.release(ONE, bench.time)
        record.authorization = state
        record.evaluation_since = bench.time if state is A.EVAL else None
    if event in (AE.IN_COMPLIANCE, AE.OUT_OF_COMPLIANCE):
        record.to_report = False
        used = msgspec.structs.replace(record.entitlements.get(ONE) or _ENTITLEMENT)
        used.count = 2 if event is AE.IN_COMPLIANCE else 9
        record.entitlements[ONE] = used
    if event in ANSWERS:
        bench.agent.report(bench.time)
    if event is AE.EVAL_WARNED:
        bench.time += 30 * DAY
    if event is AE.EVAL_USED_UP:
        bench.time += 90 * DAY
        record.evaluation_warned = HOUR
    if event is AE.DEADLINE_PASSED:
        bench.time += 90 * DAY
        record.registering.next = None
        record.authorizing.next = bench.time + DAY
    if event is AE.DUE:
        record.to_report = False
        record.authorizing.next = bench.time
    if event is AE.UNREGISTERED_IDLE:
        record.entitlements.clear()
    if event is AE.UNREGISTERED and not record.entitlements:
        record.entitlements[ONE] = msgspec.structs.replace(_ENTITLEMENT)
    bench.agent.take_logs()
    return cell


_ENTITLEMENT = Entitlement(count=2)
ANSWERS = {
    AE.IN_COMPLIANCE,
    AE.OUT_OF_COMPLIANCE,
    AE.NOTHING_IN_USE,
    AE.REFUSED,
    AE.LOST,
    AE.DOUBTED,
    AE.POSTPONED,
    AE.POLLED,
}

AUTHORIZATION_RAISED: dict[AuthorizationEvent, Callable[[Cell], None]] = {
    AE.USED: lambda cell: cell.bench.use(ONE, 3),
    AE.RELEASED: lambda cell: cell.bench.agent.release(ONE, cell.bench.time),
    AE.EVAL_WARNED: _expiring,
    AE.EVAL_USED_UP: _expiring,
    AE.DUE: _expiring,
    AE.IN_COMPLIANCE: lambda cell: cell.hear(),
    AE.OUT_OF_COMPLIANCE: lambda cell: cell.hear(),
    AE.NOTHING_IN_USE: lambda cell: cell.hear(),
    AE.REFUSED: lambda cell: cell.refuse("server-failed"),
    AE.LOST: lambda cell: cell.fail(LOST()),
    AE.DOUBTED: lambda cell: cell.fail(errors.ANSWER_UNREADABLE(why="x")),
    AE.POSTPONED: lambda cell: cell.postpone(),
    AE.POLLED: lambda cell: cell.poll(),
    AE.DEADLINE_PASSED: _expiring,
    AE.UNREGISTERED: _deregistered,
    AE.UNREGISTERED_IDLE: _deregistered,
}


@pytest.mark.parametrize(("state", "event"), AUTHORIZATION, ids=lambda part: part.name)
def test_authorization(state: Authorization, event: AuthorizationEvent) -> None:
    """An agent in the row's state, to which the row's event happens, does what the row says."""
    step = AUTHORIZATION[state, event]
    cell = _authorization_cell(state, event)
    record = cell.bench.record
    before = record.authorizing.next
    AUTHORIZATION_RAISED[event](cell)
    assert record.authorization is step.state
    assert tuple(log.name for log in cell.agent.take_logs() if log.name in _SPOKEN_BY[AE]) == step.logs
    soon_already = step.timer is Timer.SOON and before is not None and before <= cell.bench.time + 2
    assert soon_already or _timer_is(step.timer, before, record.authorizing.next, cell.bench.time)
    assert _says(cell, step.says, cell.sent)


# ---- what is not in the tables ----------------------------------------------------------------------------
def _logs(table: dict[Any, Step[Any]]) -> set[str]:
    return {log for step in table.values() for log in step.logs}


_SPOKEN_BY: dict[type[StrEnum], set[str]] = {RE: _logs(dict(REGISTRATION)), AE: _logs(dict(AUTHORIZATION))}


def test_every_event_has_a_way_to_happen() -> None:
    """The walks above know each event of the two machines."""
    assert set(REGISTRATION_RAISED) == set(RE)
    assert set(AUTHORIZATION_RAISED) == set(AE)


def test_the_two_machines_log_different_things() -> None:
    """No name is in both tables, so that a walk can tell whose it is."""
    assert not _SPOKEN_BY[RE] & _SPOKEN_BY[AE]
