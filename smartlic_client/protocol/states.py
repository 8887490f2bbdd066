"""The registration and authorization machines (protocol, "Registration states", "Authorization states").

Each is one table: (state, event) → state. A step that is not in the table is illegal; `step` raises KeyError
for it, which is a programming error, never something that the field can cause. `mermaid` draws a table; the
diagrams in docs/reference/states.md are made by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

__all__ = [
    "AUTHORIZATION",
    "REGISTRATION",
    "Authorization",
    "AuthorizationEvent",
    "Registration",
    "RegistrationEvent",
    "mermaid",
]


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
    SENT_AGAIN = "sent again"
    DEREGISTERED = "de-registered"
    EXPIRED = "ID certificate expired"
    FORGOTTEN = "server does not know the instance"


_R, _RE = Registration, RegistrationEvent

REGISTRATION: Final[Mapping[tuple[Registration, RegistrationEvent], Registration]] = {
    (_R.NOT_REGISTERED, _RE.ASKED): _R.IN_PROGRESS,
    (_R.NOT_REGISTERED, _RE.DEREGISTERED): _R.NOT_REGISTERED,
    (_R.IN_PROGRESS, _RE.ACCEPTED): _R.COMPLETE,
    (_R.IN_PROGRESS, _RE.REFUSED): _R.FAILED,
    (_R.IN_PROGRESS, _RE.REFUSED_BUT_REGISTERED): _R.COMPLETE,
    (_R.IN_PROGRESS, _RE.LOST): _R.RETRY,
    (_R.IN_PROGRESS, _RE.SENT_AGAIN): _R.IN_PROGRESS,
    (_R.IN_PROGRESS, _RE.DEREGISTERED): _R.NOT_REGISTERED,
    (_R.RETRY, _RE.SENT_AGAIN): _R.IN_PROGRESS,
    (_R.RETRY, _RE.DEREGISTERED): _R.NOT_REGISTERED,
    (_R.FAILED, _RE.ASKED): _R.IN_PROGRESS,
    (_R.FAILED, _RE.DEREGISTERED): _R.NOT_REGISTERED,
    (_R.COMPLETE, _RE.ASKED): _R.IN_PROGRESS,
    (_R.COMPLETE, _RE.DEREGISTERED): _R.NOT_REGISTERED,
    (_R.COMPLETE, _RE.EXPIRED): _R.NOT_REGISTERED,
    (_R.COMPLETE, _RE.FORGOTTEN): _R.NOT_REGISTERED,
}


class Authorization(StrEnum):
    NONE = "none"
    EVAL = "eval"
    EVAL_EXPIRED = "eval-expired"
    AUTHORIZED = "authorized"
    OUT_OF_COMPLIANCE = "out-of-compliance"
    AUTHORIZATION_EXPIRED = "authorization-expired"


class AuthorizationEvent(StrEnum):
    USED = "a license comes into use"
    RELEASED = "no license in use"
    IN_COMPLIANCE = "answer: in compliance"
    OUT_OF_COMPLIANCE = "answer: out of compliance"
    EVAL_USED_UP = "90 days of evaluation used"
    DEADLINE_PASSED = "90 days without contact"
    UNREGISTERED = "registration ended"


_A, _AE = Authorization, AuthorizationEvent

AUTHORIZATION: Final[Mapping[tuple[Authorization, AuthorizationEvent], Authorization]] = {
    (_A.NONE, _AE.USED): _A.EVAL,
    (_A.NONE, _AE.RELEASED): _A.NONE,
    (_A.NONE, _AE.IN_COMPLIANCE): _A.AUTHORIZED,
    (_A.NONE, _AE.OUT_OF_COMPLIANCE): _A.OUT_OF_COMPLIANCE,
    (_A.NONE, _AE.UNREGISTERED): _A.NONE,
    (_A.EVAL, _AE.USED): _A.EVAL,
    (_A.EVAL, _AE.RELEASED): _A.NONE,
    (_A.EVAL, _AE.IN_COMPLIANCE): _A.AUTHORIZED,
    (_A.EVAL, _AE.OUT_OF_COMPLIANCE): _A.OUT_OF_COMPLIANCE,
    (_A.EVAL, _AE.EVAL_USED_UP): _A.EVAL_EXPIRED,
    (_A.EVAL, _AE.UNREGISTERED): _A.EVAL,
    (_A.EVAL_EXPIRED, _AE.USED): _A.EVAL_EXPIRED,
    (_A.EVAL_EXPIRED, _AE.RELEASED): _A.NONE,
    (_A.EVAL_EXPIRED, _AE.IN_COMPLIANCE): _A.AUTHORIZED,
    (_A.EVAL_EXPIRED, _AE.OUT_OF_COMPLIANCE): _A.OUT_OF_COMPLIANCE,
    (_A.EVAL_EXPIRED, _AE.UNREGISTERED): _A.EVAL_EXPIRED,
    (_A.AUTHORIZED, _AE.USED): _A.AUTHORIZED,
    (_A.AUTHORIZED, _AE.RELEASED): _A.NONE,
    (_A.AUTHORIZED, _AE.IN_COMPLIANCE): _A.AUTHORIZED,
    (_A.AUTHORIZED, _AE.OUT_OF_COMPLIANCE): _A.OUT_OF_COMPLIANCE,
    (_A.AUTHORIZED, _AE.DEADLINE_PASSED): _A.AUTHORIZATION_EXPIRED,
    (_A.AUTHORIZED, _AE.UNREGISTERED): _A.EVAL,
    (_A.OUT_OF_COMPLIANCE, _AE.USED): _A.OUT_OF_COMPLIANCE,
    (_A.OUT_OF_COMPLIANCE, _AE.RELEASED): _A.NONE,
    (_A.OUT_OF_COMPLIANCE, _AE.IN_COMPLIANCE): _A.AUTHORIZED,
    (_A.OUT_OF_COMPLIANCE, _AE.OUT_OF_COMPLIANCE): _A.OUT_OF_COMPLIANCE,
    (_A.OUT_OF_COMPLIANCE, _AE.DEADLINE_PASSED): _A.AUTHORIZATION_EXPIRED,
    (_A.OUT_OF_COMPLIANCE, _AE.UNREGISTERED): _A.EVAL,
    (_A.AUTHORIZATION_EXPIRED, _AE.USED): _A.AUTHORIZATION_EXPIRED,
    (_A.AUTHORIZATION_EXPIRED, _AE.RELEASED): _A.NONE,
    (_A.AUTHORIZATION_EXPIRED, _AE.IN_COMPLIANCE): _A.AUTHORIZED,
    (_A.AUTHORIZATION_EXPIRED, _AE.OUT_OF_COMPLIANCE): _A.OUT_OF_COMPLIANCE,
    (_A.AUTHORIZATION_EXPIRED, _AE.UNREGISTERED): _A.EVAL,
}

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def mermaid(table: Mapping[tuple[S, E], S], first: S) -> str:
    """The table as a Mermaid state diagram; steps that change nothing are left out."""

    def name(state: S) -> str:
        return state.value.replace("-", "_")

    lines = ["stateDiagram-v2", f"    [*] --> {name(first)}"]
    states = dict.fromkeys(state for state, _ in table)
    lines.extend(f"    {name(state)}: {state.value}" for state in states if "-" in state.value)
    edges: dict[tuple[S, S], list[str]] = {}
    for (state, event), then in table.items():
        if state is not then:
            edges.setdefault((state, then), []).append(event.value)
    for (state, then), events in edges.items():
        lines.append(f"    {name(state)} --> {name(then)}: {' / '.join(events)}")
    return "\n".join(lines) + "\n"
