"""The agent's two state machines at work: steps through the tables of `states`, timers, and the log.

Every step of the record goes through `registration` or `authorization`; what a step means is in its row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from smartlic_client.errors import CommunicationError, SmartlicError
from smartlic_client.protocol import errors, logs, timers
from smartlic_client.protocol.logs import Logged
from smartlic_client.protocol.messages import (
    DeregistrationRequest,
    IdCertRenewalRequest,
    LicenseUsageRequest,
    RegistrationRequest,
    Request,
    TrustRequest,
    request_type,
)
from smartlic_client.protocol.record import (
    MAX_HISTORY,
    MAX_NOTES,
    Attempts,
    Entitlement,
    Identity,
    Imported,
    Note,
    Record,
)
from smartlic_client.protocol.seals import REAL, Seals
from smartlic_client.protocol.signing import PrivateKey
from smartlic_client.protocol.states import (
    AUTHORIZATION,
    REGISTRATION,
    TRUST,
    Authorization,
    AuthorizationEvent,
    Registration,
    RegistrationEvent,
    Says,
    Timer,
    Trust,
    TrustEvent,
)

__all__ = ["Machine", "until_renewal"]

_FIXED: Final = {
    Timer.SOON: timers.COALESCE,
    Timer.STANDING: timers.STANDING,
    Timer.AUTHORIZATION: timers.AUTHORIZATION_RENEWAL,
    Timer.COMPLIANCE: timers.OUT_OF_COMPLIANCE,
    Timer.CERTIFICATE: timers.ID_CERTIFICATE_RENEWAL,
}


class Machine:
    """A record, how many steps were taken (`steps`), and what was logged since `take_logs`.

    `seals`: how its messages are made believable, and others' believed.
    """

    __slots__ = ("_key", "_logged", "_udi", "record", "seals", "steps")

    def __init__(self, record: Record, seals: Seals = REAL) -> None:
        self.record = record
        self.seals = seals
        self._key: tuple[str, PrivateKey] | None = None
        self.steps = 0
        self._udi = sys.intern(str(record.udi)[:200])
        self._logged: list[Logged] = []

    # ---- the key ------------------------------------------------------------------------------------------
    def key(self, text: str) -> PrivateKey:
        """The private key that the record holds as `text`: read once for all that is said in a row."""
        if self._key is None or self._key[0] != text:
            self._key = text, self.seals.load_key(text)
        return self._key[1]

    def keep_key(self, text: str, key: PrivateKey) -> None:
        self._key = text, key

    def drop_key(self) -> None:
        """Nothing is to be said any more: a device that waits holds its key as text only."""
        self._key = None

    # ---- steps --------------------------------------------------------------------------------------------
    def registration(
        self, event: RegistrationEvent, now: float, *, delay: float | None = None, **fields: str
    ) -> None:
        """`delay`: seconds of a timer whose time is not fixed. `fields` fill the texts that are logged."""
        record = self.record
        step = REGISTRATION[record.registration, event]
        self.steps += 1
        record.registration = step.state
        self._set(record.registering, step.timer, now, delay)
        self._say(step.says)
        for name in step.logs:
            self.log(name, now, **fields)

    def authorization(
        self, event: AuthorizationEvent, now: float, *, delay: float | None = None, **fields: str
    ) -> None:
        """Also counts evaluation time while the machine is in `eval`: only then it runs."""
        record = self.record
        self.count_evaluation(now)
        step = AUTHORIZATION[record.authorization, event]
        self.steps += 1
        record.authorization = step.state
        if step.timer is not Timer.SOON or record.identity is not None:
            self._set(record.authorizing, step.timer, now, delay)
        self._say(step.says)
        for name in step.logs:
            self.log(name, now, state=step.state.value, **fields)
        if step.state is Authorization.EVAL:
            record.evaluation_since = now
            if timers.EVALUATION - record.evaluation_used <= 0.001:
                self.authorization(AuthorizationEvent.EVAL_USED_UP, now)
        else:
            record.evaluation_since = None

    def trust(
        self, state: Trust, event: TrustEvent, now: float, *, delay: float | None = None, **fields: str
    ) -> None:
        """A step of the trust code, in `state` until now: what is in flight and in the record says it."""
        usage = self.record.usage
        if usage is None:
            return
        step = TRUST[state, event]
        self.steps += 1
        self._set(usage.trusting, step.timer, now, delay)
        for name in step.logs:
            self.log(name, now, **fields)

    def count_evaluation(self, now: float) -> None:
        """Add what was used since the last count; a clock that was set back gives nothing back."""
        record = self.record
        if record.evaluation_since is not None:
            record.evaluation_used += max(0.0, now - record.evaluation_since)
            record.evaluation_since = now

    def _set(self, attempts: Attempts, timer: Timer, now: float, delay: float | None) -> None:
        if timer is Timer.STOPPED:
            attempts.next = None
        elif timer is Timer.NOW:
            attempts.next = now
        elif timer is Timer.SOON:
            soon = now + timers.COALESCE
            # A message that is being retried keeps its own time: the change is told after it.
            if not attempts.tries and (attempts.next is None or soon < attempts.next):
                attempts.next = soon
        elif timer not in (Timer.KEPT, Timer.GRACE):
            attempts.next = now + (_FIXED[timer] if delay is None else delay)

    def _say(self, says: Says) -> None:
        record = self.record
        if record.identity is None:
            return
        if says is Says.RENEWAL:
            record.to_renew = True
        elif says is Says.AUTHORIZATION or (says is Says.COUNTS and record.entitlements):
            record.to_report = True

    # ---- failures -----------------------------------------------------------------------------------------
    def failed(self, request: Request, error: SmartlicError, now: float, chance: float) -> None:
        """Sending failed, or the answer could not be believed, or comes later. The message stays."""
        attempts = self.attempts(request)
        attempts.last, attempts.failure = now, error.as_dict()
        kind, delay = self._kind(error, attempts, chance)
        if kind in ("LOST", "DOUBTED") and not self.record.communication_failed:
            self.record.communication_failed = True
            self.log("COMM_FAILED", now, reason=error.sentence)
        registering = isinstance(request, RegistrationRequest)
        if isinstance(request, TrustRequest):
            self.trust(Trust.ASKED, TrustEvent[kind], now, delay=delay, reason=error.sentence)
            self.not_supported(error, now)
        elif isinstance(request, (LicenseUsageRequest, DeregistrationRequest)):
            # It changes no state by failing: the timers are those of the tables.
            attempts.next = now + (timers.STANDING if delay is None else delay)
            if isinstance(request, LicenseUsageRequest):
                self.not_supported(error, now)
        elif registering or isinstance(request, IdCertRenewalRequest):
            if not registering or self.record.registration is Registration.IN_PROGRESS:
                self.registration(RegistrationEvent[kind], now, delay=delay, reason=error.sentence)
        else:
            self.authorization(AuthorizationEvent[kind], now, delay=delay, reason=error.sentence)
        self._hold_back(attempts, now)

    def not_supported(self, error: SmartlicError, now: float) -> None:
        """A server that cannot read TRUST or LICENSE_USAGE is one of an older release."""
        if error.code in (errors.MESSAGE_REJECTED.code, errors.MESSAGE_MALFORMED.code):
            self.log("REPORTING_NOT_SUPPORTED", now)

    @staticmethod
    def _kind(error: SmartlicError, attempts: Attempts, chance: float) -> tuple[str, float | None]:
        """The event's name in both tables, and the timer's seconds where they are not the table's own."""
        if not isinstance(error, CommunicationError):
            attempts.tries = 0
            return "DOUBTED", None
        delay = timers.retry_delay(attempts.tries, chance, error.retry_after)
        attempts.tries += 1
        if error.code == errors.TRY_AGAIN.code:
            return "POSTPONED", delay
        return ("POLLED" if error.code == errors.ANSWER_LATER.code else "LOST"), delay

    def _hold_back(self, failed: Attempts, now: float) -> None:
        """One message is in flight: what else is due waits for it, and cannot be tried before it."""
        floor = failed.next if failed.next is not None else now + timers.STANDING
        for attempts in self.all_attempts():
            if attempts.next is not None and attempts is not failed:
                attempts.next = max(attempts.next, floor)

    def all_attempts(self) -> Iterator[Attempts]:
        yield self.record.registering
        yield self.record.authorizing
        if self.record.usage is not None:
            yield self.record.usage.trusting
            yield self.record.usage.reporting

    def attempts(self, request: Request | None) -> Attempts:
        record = self.record
        if record.usage is not None and isinstance(request, TrustRequest):
            return record.usage.trusting
        if record.usage is not None and isinstance(request, LicenseUsageRequest):
            return record.usage.reporting
        registering = isinstance(request, (RegistrationRequest, IdCertRenewalRequest))
        return record.registering if registering else record.authorizing

    # ---- what ends a registration -------------------------------------------------------------------------
    def unregistered(self, event: RegistrationEvent, now: float, reason: str = "") -> None:
        """Wipe what belongs to the registration; a new one that is in flight outlives an expired one."""
        record = self.record
        self.registration(event, now, reason=reason)
        record.identity = record.deadline = record.outside_since = record.certificate_warned = None
        record.authorizing = Attempts()
        record.to_renew = False
        if not isinstance(record.in_flight, RegistrationRequest) or event is not RegistrationEvent.EXPIRED:
            record.new_key = record.in_flight = record.poll_id = None
            record.registering = Attempts()
        record.entitlements = {
            tag: Entitlement(
                count=used.count, enforcement_mode="evaluation", export_controlled=used.export_controlled
            )
            for tag, used in record.entitlements.items()
            if used.count
        }
        record.to_report = bool(record.entitlements)
        idle = not record.entitlements
        self.authorization(
            AuthorizationEvent.UNREGISTERED_IDLE if idle else AuthorizationEvent.UNREGISTERED, now
        )

    # ---- the log ------------------------------------------------------------------------------------------
    def log(self, name: str, now: float, **fields: str) -> None:
        """Only the fields that the text has are kept."""
        kept = {key: fields[key][:200] for key in logs.FIELDS[name] if key in fields}
        if "udi" in logs.FIELDS[name]:
            kept["udi"] = self._udi
        history = self.record.history
        event = logs.like(Logged(now, name, kept), reversed(history))
        self._logged.append(event)
        history.append(event)
        del history[:-MAX_HISTORY]

    def note(self, request: Request, outcome: str, now: float) -> None:
        self._keep(Note(now, request_type(request), request.message_id, outcome[:64]))

    def imported(self, kind: Imported, now: float) -> None:
        """Something came in a file."""
        self._keep(Note(now, kind, "", "OK"))

    def _keep(self, note: Note) -> None:
        notes = self.record.notes
        notes.append(note)
        del notes[:-MAX_NOTES]

    def take_logs(self) -> list[Logged]:
        """What was logged since the last call, oldest first: for a logger or a callback."""
        taken, self._logged = self._logged, []
        return taken


def until_renewal(identity: Identity, now: float) -> float:
    """Seconds until an ID certificate is to be renewed; 0 where that is over."""
    since = identity.renewed_at or identity.registered_at
    return max(0.0, timers.renewal_at(since, identity.valid_until) - now)
