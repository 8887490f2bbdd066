"""Faults on purpose, and the journal of requests. Off until one is set; nothing here does input or output.

They are this server's alone, in its memory, and end with its time as the Active. A fault meets the requests
of one endpoint: the next so many of them, or each with some chance, which comes from a seed.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from mock_server.errors import CallerError, problem

__all__ = ["ANSWERS", "CERTIFICATES", "ENDPOINTS", "KINDS", "Endpoint", "Fault", "Faults", "Kind", "Request"]

log = logging.getLogger(__name__)

Kind = Literal[
    "refuse",
    "reset",
    "drop",
    "half",
    "slow",
    "status",
    "wrong-signature",
    "wrong-nonce",
    "old-version",
    "skew",
    "former-name",
    "expired",
]
Endpoint = Literal["devices", "api", "pages"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
ENDPOINTS: Final[tuple[str, ...]] = get_args(Endpoint)
ANSWERS: Final = ("wrong-signature", "wrong-nonce", "old-version", "skew")
"""Of licensing answers: for devices only."""
CERTIFICATES: Final = ("former-name", "expired")
"""Of the product certificate: each handshake meets them, until they are cleared."""
_STATUSES: Final = (429, 500, 502, 503)
_LONGEST: Final = 3600.0
_KEPT: Final = 1000

BAD_FAULT = problem(
    "fault-unusable",
    CallerError,
    "This cannot be a fault: {why}.",
    "docs/reference/faults.md lists the kinds, and what each takes.",
)


class Fault(msgspec.Struct, kw_only=True):
    """`times`: for the next so many requests (None: until it is cleared); `rate`: the chance to meet one.

    `seconds`: how slow, or how far the clock is off; `status` and `retry_after`: of `status`.
    """

    kind: Kind
    endpoint: Endpoint = "devices"
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    rate: float = 1.0
    seconds: float = 0.0
    status: int = 503
    retry_after: Annotated[int, msgspec.Meta(ge=0, le=86400)] | None = None


class Request(msgspec.Struct, kw_only=True):
    """One request, as the journal has it. `what`: the kind of a licensing message. `nearest`: of a path that
    there is none of, the one that may have been meant."""

    at: float
    endpoint: Endpoint
    method: str
    path: str
    status: int | None = None
    what: str = ""
    fault: str = ""
    nearest: str = ""


class Faults:
    """At most one fault of a kind for an endpoint; setting it again replaces it."""

    def __init__(self, paths: Callable[[], Iterable[str]] = tuple) -> None:
        self._active: dict[tuple[str, str], Fault] = {}
        self._random = random.Random(0)  # noqa: S311 - which requests are met, repeated by the seed
        self._paths = paths
        self.requests: deque[Request] = deque(maxlen=_KEPT)

    # ---- what is set --------------------------------------------------------------------------------------
    def set(self, fault: Fault) -> None:
        """Raises fault-unusable."""
        if why := _why_not(fault):
            raise BAD_FAULT(why=why)
        self._active[fault.kind, fault.endpoint] = fault
        log.info("fault %s is set for %s", fault.kind, fault.endpoint)

    def clear(self, kind: str | None = None) -> int:
        """End one kind, or all; how many there were."""
        ended = [key for key in self._active if kind in (None, key[0])]
        for key in ended:
            del self._active[key]
        return len(ended)

    def reset(self, seed: int) -> None:
        """No fault, an empty journal, and chances from the beginning of a seed."""
        self._active.clear()
        self.requests.clear()
        self._random.seed(seed)

    def listed(self) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(fault) for fault in self._active.values()]

    def shown_certificate(self) -> str | None:
        """The fault of the product certificate that is set."""
        return next((kind for kind in CERTIFICATES if (kind, "devices") in self._active), None)

    # ---- what is met --------------------------------------------------------------------------------------
    def meets(self, kind: str, request: Request) -> Fault | None:
        """The fault of this kind, if it meets this request; it is used up by that."""
        fault = self._active.get((kind, request.endpoint))
        if fault is None or (fault.rate < 1.0 and self._random.random() >= fault.rate):
            return None
        if fault.times is not None:
            fault.times -= 1
            if not fault.times:
                del self._active[kind, request.endpoint]
        request.fault = kind
        log.info("fault %s meets %s %s", kind, request.method, request.path)
        return fault

    def note(self, request: Request) -> None:
        """Keep a request for the journal; the oldest one goes."""
        self.requests.append(request)

    def newest(self) -> list[Request]:
        """The journal, newest first. Which path was meant is found out for its reader, not at the request."""
        for request in self.requests:
            if request.status == 404 and not request.nearest:
                near = get_close_matches(request.path, [*self._paths()], n=1, cutoff=0.5)
                request.nearest = near[0] if near else ""
        return list(reversed(self.requests))


def _why_not(fault: Fault) -> str:
    if fault.kind in (*ANSWERS, *CERTIFICATES) and fault.endpoint != "devices":
        return f"{fault.kind} is for the endpoint of devices"
    if fault.kind in CERTIFICATES and (fault.times is not None or fault.rate != 1.0):
        return f"{fault.kind} is met by every handshake until it is cleared"
    if not 0.0 < fault.rate <= 1.0:
        return f"a rate is more than 0 and at most 1, not {fault.rate:g}"
    if fault.kind == "slow" and not 0.0 < fault.seconds <= _LONGEST:
        return f"an answer is slow by up to {_LONGEST:g} seconds, not by {fault.seconds:g}"
    if fault.kind == "skew" and not 0.0 < abs(fault.seconds) <= 1e9:
        return f"a clock is off by some seconds, not by {fault.seconds:g}"
    if fault.kind == "status" and fault.status not in _STATUSES:
        return f"a status is one of {', '.join(map(str, _STATUSES))}, not {fault.status}"
    return ""
