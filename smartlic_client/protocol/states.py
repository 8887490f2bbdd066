"""The registration and authorization machines (protocol, "Registration states", "Authorization states").

Each is one table: (state, event) → a step: the next state, what the timer is set to, what is to be said,
what is logged. A step that is not in the table is illegal; taking it raises KeyError, which is a programming
error, never something that the field can cause. `mermaid` and `rows` draw them for docs/reference/states.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, Generic, NamedTuple, TypeVar

__all__ = [
    "AUTHORIZATION",
    "REGISTRATION",
    "TRUST",
    "Authorization",
    "AuthorizationEvent",
    "Registration",
    "RegistrationEvent",
    "Says",
    "Step",
    "Timer",
    "Trust",
    "TrustEvent",
    "mermaid",
    "rows",
]

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class Timer(StrEnum):
    """What a step does to its machine's timer (`Attempts.next` in the record); durations are in `timers`."""

    KEPT = "–"
    STOPPED = "stopped"
    NOW = "now"
    SOON = "2 s, for further changes"
    BACK_OFF = "back-off, 15 s to 4 h"
    TOLD = "when the server said"
    STANDING = "30 days: it does not mend by itself"
    CERTIFICATE = "180 days"
    FORMER = "what is left of the 180 days"
    AUTHORIZATION = "30 days"
    COMPLIANCE = "12 hours"
    GRACE = "1 hour of grace"


class Says(StrEnum):
    """The message that a step leaves in the outbox."""

    NOTHING = "–"
    REGISTRATION = "REGISTRATION"
    RENEWAL = "ID_CERT_RENEWAL"
    AUTHORIZATION = "AUTHORIZATION"
    COUNTS = "AUTHORIZATION, if licenses are in use"
    TRUST = "TRUST"
    REPORTS = "LICENSE_USAGE, if reports wait"
    SAME = "the same again"
    POLL = "POLL"


class Step(NamedTuple, Generic[S]):
    state: S
    timer: Timer = Timer.KEPT
    says: Says = Says.NOTHING
    logs: tuple[str, ...] = ()


class Registration(StrEnum):
    NOT_REGISTERED = "not-registered"
    IN_PROGRESS = "in-progress"
    COMPLETE = "complete"
    RETRY = "retry"
    FAILED = "failed"


class RegistrationEvent(StrEnum):
    ASKED = "asked to register"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REFUSED_BUT_REGISTERED = "refused, the former registration stands"
    LOST = "communication failed"
    DOUBTED = "answer not believed, server not trusted"
    POSTPONED = "answer: try again later"
    POLLED = "answer: ask for it later"
    SENT_AGAIN = "sent again"
    DEREGISTERED = "de-registered"
    WARNED = "ID certificate ends soon"
    OUTSIDE = "clock outside the ID certificate's validity"
    INSIDE = "clock back inside it"
    EXPIRED = "ID certificate expired"
    FORGOTTEN = "server does not know the instance"
    RENEWAL_DUE = "renewal due"
    RENEWED = "renewal accepted"
    RENEWAL_REFUSED = "renewal refused"


_R, _RE = Registration, RegistrationEvent
_FAILED_LOG = ("AGENT_REG_FAILED",)
_GONE: Final = Step(_R.NOT_REGISTERED, Timer.STOPPED, logs=("AGENT_DEREG_SUCCESS",))

REGISTRATION: Final[Mapping[tuple[Registration, RegistrationEvent], Step[Registration]]] = {
    (_R.NOT_REGISTERED, _RE.ASKED): Step(_R.IN_PROGRESS, Timer.NOW, Says.REGISTRATION),
    (_R.NOT_REGISTERED, _RE.DEREGISTERED): Step(_R.NOT_REGISTERED, Timer.STOPPED),
    (_R.IN_PROGRESS, _RE.ACCEPTED): Step(
        _R.COMPLETE, Timer.CERTIFICATE, Says.COUNTS, ("AGENT_REG_SUCCESS", "EXPORT_CONTROLLED")
    ),
    (_R.IN_PROGRESS, _RE.REFUSED): Step(_R.FAILED, Timer.STOPPED, logs=_FAILED_LOG),
    (_R.IN_PROGRESS, _RE.REFUSED_BUT_REGISTERED): Step(_R.COMPLETE, Timer.FORMER, logs=_FAILED_LOG),
    (_R.IN_PROGRESS, _RE.LOST): Step(_R.RETRY, Timer.BACK_OFF, Says.SAME, _FAILED_LOG),
    (_R.IN_PROGRESS, _RE.DOUBTED): Step(_R.RETRY, Timer.STOPPED, Says.SAME, _FAILED_LOG),
    (_R.IN_PROGRESS, _RE.POSTPONED): Step(_R.RETRY, Timer.TOLD, Says.SAME),
    (_R.IN_PROGRESS, _RE.POLLED): Step(_R.IN_PROGRESS, Timer.TOLD, Says.POLL),
    (_R.IN_PROGRESS, _RE.SENT_AGAIN): Step(_R.IN_PROGRESS),
    (_R.IN_PROGRESS, _RE.DEREGISTERED): _GONE,
    (_R.IN_PROGRESS, _RE.EXPIRED): Step(_R.IN_PROGRESS, logs=("ID_CERT_EXPIRED",)),
    (_R.RETRY, _RE.SENT_AGAIN): Step(_R.IN_PROGRESS),
    (_R.RETRY, _RE.DEREGISTERED): _GONE,
    (_R.RETRY, _RE.EXPIRED): Step(_R.RETRY, logs=("ID_CERT_EXPIRED",)),
    (_R.FAILED, _RE.ASKED): Step(_R.IN_PROGRESS, Timer.NOW, Says.REGISTRATION),
    (_R.FAILED, _RE.DEREGISTERED): Step(_R.NOT_REGISTERED, Timer.STOPPED),
    (_R.COMPLETE, _RE.ASKED): Step(_R.IN_PROGRESS, Timer.NOW, Says.REGISTRATION),
    (_R.COMPLETE, _RE.DEREGISTERED): _GONE,
    (_R.COMPLETE, _RE.WARNED): Step(_R.COMPLETE, logs=("ID_CERT_EXPIRED_WARNING",)),
    (_R.COMPLETE, _RE.OUTSIDE): Step(_R.COMPLETE, Timer.GRACE),
    (_R.COMPLETE, _RE.INSIDE): Step(_R.COMPLETE, Timer.FORMER, Says.AUTHORIZATION),
    (_R.COMPLETE, _RE.EXPIRED): Step(_R.NOT_REGISTERED, Timer.STOPPED, logs=("ID_CERT_EXPIRED",)),
    (_R.COMPLETE, _RE.FORGOTTEN): Step(_R.NOT_REGISTERED, Timer.STOPPED, logs=_FAILED_LOG),
    (_R.COMPLETE, _RE.RENEWAL_DUE): Step(_R.COMPLETE, Timer.NOW, Says.RENEWAL),
    (_R.COMPLETE, _RE.RENEWED): Step(_R.COMPLETE, Timer.CERTIFICATE, logs=("ID_CERT_RENEW_SUCCESS",)),
    (_R.COMPLETE, _RE.RENEWAL_REFUSED): Step(_R.COMPLETE, Timer.STANDING, logs=("ID_CERT_RENEW_FAILED",)),
    (_R.COMPLETE, _RE.LOST): Step(_R.COMPLETE, Timer.BACK_OFF, Says.SAME, ("ID_CERT_RENEW_FAILED",)),
    (_R.COMPLETE, _RE.DOUBTED): Step(_R.COMPLETE, Timer.STANDING, Says.SAME, ("ID_CERT_RENEW_FAILED",)),
    (_R.COMPLETE, _RE.POSTPONED): Step(_R.COMPLETE, Timer.TOLD, Says.SAME),
    (_R.COMPLETE, _RE.POLLED): Step(_R.COMPLETE, Timer.TOLD, Says.POLL),
}


class Authorization(StrEnum):
    NONE = "none"
    EVAL = "eval"
    EVAL_EXPIRED = "eval-expired"
    AUTHORIZED = "authorized"
    OUT_OF_COMPLIANCE = "out-of-compliance"
    AUTHORIZATION_EXPIRED = "authorization-expired"


class AuthorizationEvent(StrEnum):
    USED = "a count changes"
    RELEASED = "no license in use"
    EVAL_WARNED = "evaluation ends soon"
    EVAL_USED_UP = "90 days of evaluation used"
    DUE = "renewal due"
    IN_COMPLIANCE = "answer: in compliance"
    OUT_OF_COMPLIANCE = "answer: out of compliance"
    NOTHING_IN_USE = "answer: no license in use"
    REFUSED = "refused"
    LOST = "communication failed"
    DOUBTED = "answer not believed, server not trusted"
    POSTPONED = "answer: try again later"
    POLLED = "answer: ask for it later"
    DEADLINE_PASSED = "90 days without contact"
    UNREGISTERED = "registration ended"
    UNREGISTERED_IDLE = "registration ended, no license in use"


_A, _AE = Authorization, AuthorizationEvent
_OK_LOG, _NO_LOG = "AUTH_RENEW_SUCCESS", "AUTH_RENEW_FAILED"
_OUT_LOG, _IN_LOG = "OUT_OF_COMPLIANCE", "IN_COMPLIANCE"
_Key = tuple[Authorization, AuthorizationEvent]


def _answered(state: Authorization) -> Iterator[tuple[_Key, Step[Authorization]]]:
    """What every state has: a registered device renews in each, and can fail to; and a registration ends."""
    in_logs = (_OK_LOG,) if state is _A.AUTHORIZED else (_OK_LOG, _IN_LOG)
    out_logs = (_OK_LOG,) if state is _A.OUT_OF_COMPLIANCE else (_OK_LOG, _OUT_LOG)
    yield (state, _AE.DUE), Step(state, Timer.NOW, Says.AUTHORIZATION)
    yield (state, _AE.IN_COMPLIANCE), Step(_A.AUTHORIZED, Timer.AUTHORIZATION, logs=in_logs)
    yield (state, _AE.OUT_OF_COMPLIANCE), Step(_A.OUT_OF_COMPLIANCE, Timer.COMPLIANCE, logs=out_logs)
    yield (state, _AE.NOTHING_IN_USE), Step(_A.NONE, Timer.AUTHORIZATION, logs=(_OK_LOG,))
    yield (state, _AE.REFUSED), Step(state, Timer.STANDING, Says.AUTHORIZATION, (_NO_LOG,))
    yield (state, _AE.LOST), Step(state, Timer.BACK_OFF, Says.SAME, (_NO_LOG,))
    yield (state, _AE.DOUBTED), Step(state, Timer.STANDING, Says.SAME, (_NO_LOG,))
    yield (state, _AE.POSTPONED), Step(state, Timer.TOLD, Says.SAME)
    yield (state, _AE.POLLED), Step(state, Timer.TOLD, Says.POLL)
    yield (state, _AE.UNREGISTERED_IDLE), Step(_A.NONE, Timer.STOPPED)


AUTHORIZATION: Final[Mapping[_Key, Step[Authorization]]] = {
    (_A.NONE, _AE.USED): Step(_A.EVAL, Timer.SOON, Says.AUTHORIZATION, ("EVAL_START",)),
    (_A.NONE, _AE.RELEASED): Step(_A.NONE),
    (_A.EVAL, _AE.USED): Step(_A.EVAL, Timer.SOON, Says.AUTHORIZATION),
    (_A.EVAL, _AE.RELEASED): Step(_A.NONE, Timer.SOON, Says.AUTHORIZATION),
    (_A.EVAL, _AE.EVAL_WARNED): Step(_A.EVAL, logs=("EVAL_WILL_EXPIRE_WARNING",)),
    (_A.EVAL, _AE.EVAL_USED_UP): Step(_A.EVAL_EXPIRED, logs=("EVAL_EXPIRED",)),
    (_A.EVAL, _AE.UNREGISTERED): Step(_A.EVAL, Timer.STOPPED),
    (_A.EVAL_EXPIRED, _AE.USED): Step(_A.EVAL_EXPIRED, Timer.SOON, Says.AUTHORIZATION),
    (_A.EVAL_EXPIRED, _AE.RELEASED): Step(_A.NONE, Timer.SOON, Says.AUTHORIZATION),
    (_A.EVAL_EXPIRED, _AE.UNREGISTERED): Step(_A.EVAL_EXPIRED, Timer.STOPPED),
    (_A.AUTHORIZED, _AE.USED): Step(_A.AUTHORIZED, Timer.SOON, Says.AUTHORIZATION),
    (_A.AUTHORIZED, _AE.RELEASED): Step(_A.AUTHORIZED, Timer.SOON, Says.AUTHORIZATION),
    (_A.AUTHORIZED, _AE.DEADLINE_PASSED): Step(_A.AUTHORIZATION_EXPIRED, logs=(_NO_LOG,)),
    (_A.AUTHORIZED, _AE.UNREGISTERED): Step(_A.EVAL, Timer.STOPPED, logs=("EVAL_START",)),
    (_A.OUT_OF_COMPLIANCE, _AE.USED): Step(_A.OUT_OF_COMPLIANCE, Timer.SOON, Says.AUTHORIZATION),
    (_A.OUT_OF_COMPLIANCE, _AE.RELEASED): Step(_A.OUT_OF_COMPLIANCE, Timer.SOON, Says.AUTHORIZATION),
    (_A.OUT_OF_COMPLIANCE, _AE.DEADLINE_PASSED): Step(_A.AUTHORIZATION_EXPIRED, logs=(_NO_LOG,)),
    (_A.OUT_OF_COMPLIANCE, _AE.UNREGISTERED): Step(_A.EVAL, Timer.STOPPED, logs=("EVAL_START",)),
    (_A.AUTHORIZATION_EXPIRED, _AE.USED): Step(_A.AUTHORIZATION_EXPIRED, Timer.SOON, Says.AUTHORIZATION),
    (_A.AUTHORIZATION_EXPIRED, _AE.RELEASED): Step(_A.AUTHORIZATION_EXPIRED, Timer.SOON, Says.AUTHORIZATION),
    (_A.AUTHORIZATION_EXPIRED, _AE.UNREGISTERED): Step(_A.EVAL, Timer.STOPPED, logs=("EVAL_START",)),
    **{key: step for state in Authorization for key, step in _answered(state)},
}


class Trust(StrEnum):
    """The trust code of Smart Licensing Using Policy; asked for again, the former one stays until then."""

    NONE = "none"
    ASKED = "asked-for"
    INSTALLED = "installed"


class TrustEvent(StrEnum):
    ASKED = "asked for a trust code"
    GRANTED = "granted"
    REFUSED = "refused"
    REFUSED_BUT_INSTALLED = "refused, the former trust code stands"
    LOST = "communication failed"
    DOUBTED = "answer not believed, server not trusted"
    POSTPONED = "answer: try again later"
    POLLED = "answer: ask for it later"
    FORGOTTEN = "server does not know the instance"


_T, _TE = Trust, TrustEvent
_TRUST_LOG = ("TRUST_CODE_INSTALL_FAILED",)

TRUST: Final[Mapping[tuple[Trust, TrustEvent], Step[Trust]]] = {
    (_T.NONE, _TE.ASKED): Step(_T.ASKED, Timer.NOW, Says.TRUST),
    (_T.ASKED, _TE.GRANTED): Step(_T.INSTALLED, Timer.STOPPED, Says.REPORTS, ("TRUST_CODE_INSTALL_SUCCESS",)),
    (_T.ASKED, _TE.REFUSED): Step(_T.NONE, Timer.STOPPED, logs=_TRUST_LOG),
    (_T.ASKED, _TE.REFUSED_BUT_INSTALLED): Step(_T.INSTALLED, Timer.STOPPED, logs=_TRUST_LOG),
    (_T.ASKED, _TE.LOST): Step(_T.ASKED, Timer.BACK_OFF, Says.SAME, _TRUST_LOG),
    (_T.ASKED, _TE.DOUBTED): Step(_T.ASKED, Timer.STOPPED, Says.SAME, _TRUST_LOG),
    (_T.ASKED, _TE.POSTPONED): Step(_T.ASKED, Timer.TOLD, Says.SAME),
    (_T.ASKED, _TE.POLLED): Step(_T.ASKED, Timer.TOLD, Says.POLL),
    (_T.INSTALLED, _TE.ASKED): Step(_T.ASKED, Timer.NOW, Says.TRUST),
    (_T.INSTALLED, _TE.FORGOTTEN): Step(_T.NONE, Timer.STOPPED),
}


def mermaid(table: Mapping[tuple[S, E], Step[S]] | Mapping[tuple[S, E], S], first: S) -> str:
    """A table of steps, or of states alone, as a Mermaid state diagram; what changes nothing is left out."""

    def name(state: S) -> str:
        return state.value.replace("-", "_")

    lines = ["stateDiagram-v2", f"    [*] --> {name(first)}"]
    states = dict.fromkeys(state for state, _ in table)
    lines.extend(f"    {name(state)}: {state.value}" for state in states if "-" in state.value)
    edges: dict[tuple[S, S], list[str]] = {}
    for (state, event), step in table.items():
        then: S = step.state if isinstance(step, Step) else step
        if state is not then:
            edges.setdefault((state, then), []).append(event.value)
    for (state, then), events in edges.items():
        lines.append(f"    {name(state)} --> {name(then)}: {' / '.join(events)}")
    return "\n".join(lines) + "\n"


def rows(table: Mapping[tuple[S, E], Step[S]]) -> str:
    """The table in Markdown, a row a cell, in the order of states and events."""
    states = list(dict.fromkeys(state for state, _ in table))
    events = list(type(next(iter(table))[1]))
    lines = ["| state | event | then | timer | to say | logs |", "|---|---|---|---|---|---|"]
    for state in states:
        for event in events:
            if (step := table.get((state, event))) is None:
                continue
            logs = ", ".join(f"`{log}`" for log in step.logs) or "–"
            then = step.state.value
            lines.append(f"| {state} | {event} | {then} | {step.timer} | {step.says} | {logs} |")
    return "\n".join(lines) + "\n"
