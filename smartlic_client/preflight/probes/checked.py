"""The checked connection: the client's own context, so that chain and name are judged exactly as a product's
connection is. Only where both hold a request follows, to see whether the path answers.

A GET asks first: it changes nothing anywhere. Paths for licensing messages take POST only, and a server may
say anything to a GET; so where the GET does not already tell that the path is there, a POST without a body
decides, on one more checked connection. No licensing server can take that for a message.
"""

from __future__ import annotations

import email.utils
import http.client
import ssl
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from smartlic_client.certificates import read_certificates
from smartlic_client.names import Host, Policy
from smartlic_client.preflight.observation import Service, Target, Trust
from smartlic_client.preflight.probes.connect import FailedError, connect, left
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.guard import guarded
from smartlic_client.transport.tls import LicensingContext, NameMismatchError, deadline

if TYPE_CHECKING:
    from smartlic_client.preflight.probes.proxy import Proxy

__all__ = ["Door", "ask"]

_CONTENT_TYPES = {TransportKind.CALLHOME: "application/soap+xml", TransportKind.SMART: "application/json"}
_TELLTALES = ("via", "x-squid-error", "x-bluecoat-via", "proxy-agent", "x-cache", "proxy-authenticate")


@lru_cache(maxsize=64)
def _context(anchors: bytes, policy: Policy) -> LicensingContext:
    """The context that a product has, made once; `anchors` were read before, and are certificates."""
    return LicensingContext(frozenset(each.der for each in read_certificates(anchors)), policy)


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect and whom to expect there. `expected`: the name that must hold."""

    target: Target
    expected: Host
    address: str
    anchors: bytes
    policy: Policy
    proxy: Proxy | None = None


def ask(door: Door, until: float, *, path: bool) -> tuple[Trust, Service | None]:
    """Connect as a product does, and ask for the `path` if chain and name hold."""
    trust, service = _enter(door, "GET" if path else "", until)
    if service is None or service.understood:
        return trust, service
    again, decided = _enter(door, "POST", until)
    return (again, decided) if again.held is not None else (trust, service)


def _enter(door: Door, method: str, until: float) -> tuple[Trust, Service | None]:
    try:
        context = _context(door.anchors, door.policy)
        with deadline(left(until)), connect(door.address, door.target.port, until, door.proxy) as sock:
            sock.settimeout(left(until))
            with (
                context.wrap_socket(
                    sock, server_hostname=door.expected.text, do_handshake_on_connect=False
                ) as tls,
                guarded(tls, until),
            ):
                tls.do_handshake()
                service = _exchange(door.target, tls, method) if method else None
                return Trust(held=True, named=True), service
    except FailedError as error:
        return Trust(held=None, message=error.detail), None
    except NameMismatchError as error:
        return Trust(held=True, message=str(error)), None
    except ssl.SSLCertVerificationError as error:
        return Trust(held=False, code=error.verify_code, message=error.verify_message), None
    except OSError as error:
        return Trust(held=None, message=(error.strerror or str(error)).rstrip(".")), None


def _exchange(target: Target, tls: ssl.SSLSocket, method: str) -> Service:
    """Ask once. The sockets of `transport.tls` keep the deadline in each of their operations."""
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.url.removeprefix('https://').partition('/')[0]}",
        "User-Agent: smartlic-check",
        "Accept: application/json, application/soap+xml, text/xml",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if method == "POST":
        lines += ["Content-Length: 0", f"Content-Type: {_CONTENT_TYPES[target.kind]}"]
    try:
        tls.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        with http.client.HTTPResponse(tls, method=method) as answer:
            answer.begin()
            return _service(method, answer, time.time())  # what the body says tells nothing more
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Service(sent=method, status=0, failure=(str(error) or type(error).__name__)[:200])


def _service(method: str, answer: http.client.HTTPResponse, at: float) -> Service:
    header = {name.lower(): value for name, value in answer.getheaders()}
    return Service(
        sent=method,
        status=answer.status,
        content_type=header.get("content-type", "").partition(";")[0].strip().lower(),
        location=header.get("location", "")[:500],
        allow=header.get("allow", "").upper(),
        intermediaries=tuple(f"{name}: {header[name][:100]}" for name in _TELLTALES if name in header),
        date=_date(header.get("date", "")),
        at=at,
    )


def _date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
