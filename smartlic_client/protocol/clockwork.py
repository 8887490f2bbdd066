"""What time alone does to an agent, and when it will do the next thing.

`tick` is called whenever the driver likes, at the latest at `next_deadline`; it sends nothing. After it,
`due` says whether there is something to send now. A clock may stand, jump, and go back: a time that was set
for later than its longest interval allows is brought in, so that no jump silences a device.
"""

from __future__ import annotations

from smartlic_client.protocol import timers, usage
from smartlic_client.protocol.logs import span
from smartlic_client.protocol.machine import Machine, until_renewal
from smartlic_client.protocol.messages import RegistrationRequest, TrustRequest
from smartlic_client.protocol.record import Identity, Record
from smartlic_client.protocol.states import Authorization, AuthorizationEvent, Registration, RegistrationEvent

__all__ = ["due", "next_deadline", "tick"]

# Less than any clock's steps, more than a float loses in adding and taking away Unix seconds.
_SLACK = 0.001
_WITH_DEADLINE = (Authorization.AUTHORIZED, Authorization.OUT_OF_COMPLIANCE)


def tick(machine: Machine, now: float) -> None:
    """Let time have passed."""
    _ready(machine, now)
    _bring_in(machine, now)
    _evaluation(machine, now)
    _certificate(machine, now)
    usage.tick(machine, now)
    record = machine.record
    if record.authorization in _WITH_DEADLINE and record.deadline is not None and now >= record.deadline:
        reason = "no contact since the authorization's deadline"
        machine.authorization(AuthorizationEvent.DEADLINE_PASSED, now, reason=reason)
    if record.identity is None or record.in_flight is not None:
        return
    if _passed(record.registering.next, now) and not record.to_renew:
        machine.registration(RegistrationEvent.RENEWAL_DUE, now)
    if _passed(record.authorizing.next, now) and not record.to_report:
        machine.authorization(AuthorizationEvent.DUE, now)


def due(record: Record, now: float) -> bool:
    """Whether something is to be sent now, by the timers."""
    return any(at <= now for at in _sendings(record))


def next_deadline(record: Record) -> float | None:
    """When `tick` has something to do next, Unix seconds; None: nothing before the next command."""
    moments = [*_sendings(record), *_ends(record)]
    return min(moments) if moments else None


def _passed(at: float | None, now: float) -> bool:
    return at is not None and at <= now


def _sendings(record: Record) -> list[float]:
    """The times at which something is to be sent. Whichever comes first, the message in flight goes first."""
    if record.transport_off:
        return []
    moments = []
    if record.identity is not None:
        moments = [record.registering.next, record.authorizing.next]
    elif isinstance(record.in_flight, RegistrationRequest):
        moments = [record.registering.next]
    if record.usage is not None:
        if isinstance(record.in_flight, TrustRequest):
            moments.append(record.usage.trusting.next)
        if record.usage.identity is not None:
            moments.append(record.usage.reporting.next)
    return [at for at in moments if at is not None]


def _ends(record: Record) -> list[float]:
    """The times at which a state changes, or a warning is due, without a message."""
    moments = []
    if record.evaluation_since is not None:
        left = timers.EVALUATION - record.evaluation_used
        mark = timers.warning_after(record.evaluation_warned) or 0.0
        moments.append(record.evaluation_since + max(0.0, left - mark))
    if (identity := record.identity) is not None:
        if record.outside_since is not None:
            moments.append(record.outside_since + timers.GRACE)
        else:
            mark = timers.warning_after(record.certificate_warned) or 0.0
            moments.append(identity.valid_until - mark)
    if record.authorization in _WITH_DEADLINE and record.deadline is not None:
        moments.append(record.deadline)
    if record.usage is not None:
        moments.extend(usage.ends(record.usage))
    return moments


def _ready(machine: Machine, now: float) -> None:
    record = machine.record
    if not record.ready:
        record.ready = True
        machine.log("AGENT_ENABLED", now)
        machine.log("AGENT_READY", now)
        if record.identity is None:
            machine.log("EXPORT_CONTROLLED", now, allowed="not allowed")


def _bring_in(machine: Machine, now: float) -> None:
    record = machine.record
    for attempts, interval in (
        (record.registering, timers.ID_CERTIFICATE_RENEWAL),
        (record.authorizing, timers.AUTHORIZATION_RENEWAL),
    ):
        if attempts.next is not None:
            longest = timers.RETRY_TOLD * 1.25 if attempts.tries else interval
            attempts.next = min(attempts.next, now + longest)
    if record.deadline is not None:
        record.deadline = min(record.deadline, now + timers.AUTHORIZATION_DEADLINE)
    if record.outside_since is not None:
        record.outside_since = min(record.outside_since, now)


def _evaluation(machine: Machine, now: float) -> None:
    record = machine.record
    if record.authorization is not Authorization.EVAL:
        return
    machine.count_evaluation(now)
    left = timers.EVALUATION - record.evaluation_used
    if left <= _SLACK:
        machine.authorization(AuthorizationEvent.EVAL_USED_UP, now)
    elif (mark := timers.warning_due(left - _SLACK, record.evaluation_warned)) is not None:
        record.evaluation_warned = mark
        machine.authorization(AuthorizationEvent.EVAL_WARNED, now, left=span(left))


def _certificate(machine: Machine, now: float) -> None:
    """The ID certificate's end; and the clock outside its validity, which may be the clock's fault."""
    record = machine.record
    identity = record.identity
    if identity is None:
        return
    complete = record.registration is Registration.COMPLETE
    if identity.valid_from <= now < identity.valid_until:
        if record.outside_since is not None:
            record.outside_since = None
            if complete:
                record.authorizing.next = now
                machine.registration(RegistrationEvent.INSIDE, now, delay=until_renewal(identity, now))
        _warn(machine, identity, now)
    elif record.outside_since is None:
        record.outside_since = now
        if complete:
            machine.registration(RegistrationEvent.OUTSIDE, now)
    elif now >= record.outside_since + timers.GRACE:
        machine.unregistered(RegistrationEvent.EXPIRED, now)


def _warn(machine: Machine, identity: Identity, now: float) -> None:
    record = machine.record
    left = identity.valid_until - now
    mark = timers.warning_due(left - _SLACK, record.certificate_warned)
    if mark is None:
        return
    record.certificate_warned = mark
    if record.registration is Registration.COMPLETE and record.registering.failure is not None:
        machine.registration(RegistrationEvent.WARNED, now, left=span(left))
