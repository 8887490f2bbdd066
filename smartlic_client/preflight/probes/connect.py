"""A TCP connection that is up by a deadline, by a proxy if there is one."""

from __future__ import annotations

import errno
import socket
import time
from typing import TYPE_CHECKING

from smartlic_client.preflight.observation import Outcome

if TYPE_CHECKING:
    from smartlic_client.preflight.probes.proxy import Proxy

__all__ = ["FailedError", "connect", "failure_of", "left"]

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EINVAL, errno.EACCES,
                errno.EAFNOSUPPORT, errno.EPERM}  # fmt: skip


class FailedError(Exception):
    """A probe that came no further; `outcome` and `detail` as in an `Endpoint`."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def left(until: float) -> float:
    """The seconds until then. Raises TimeoutError where there are none: to a socket 0 means "do not wait"."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the time for this target is over")
    return seconds


def connect(address: str, port: int, until: float, proxy: Proxy | None = None) -> socket.socket:
    """Raises FailedError."""
    if proxy is not None:
        return proxy.connect(address, port, until)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(left(until))
        sock.connect((address, port))
    except OSError as error:
        if sock is not None:
            sock.close()
        raise failure_of(error) from None
    return sock


def failure_of(error: OSError) -> FailedError:
    """Which failure an exception of a socket is."""
    if isinstance(error, ConnectionRefusedError):
        return FailedError(Outcome.REFUSED, "connection refused")
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return FailedError(Outcome.TIMEOUT, "no answer in time")
    said = (error.strerror or str(error) or type(error).__name__).rstrip(".")
    if isinstance(error, ConnectionError):
        return FailedError(Outcome.CLOSED, said)
    if error.errno in _UNREACHABLE:
        return FailedError(Outcome.UNREACHABLE, said)
    return FailedError(Outcome.UNREACHABLE, said)
