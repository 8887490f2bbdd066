"""What can go wrong between here and the server, and how exceptions of the libraries below become problems.

No exception of requests, httpx, ssl, socket or what is beneath them leaves a transport: `problem_for` reads
the whole chain of causes and picks the most telling one. `problem_for_answer` judges an answer by its status
and header.
"""

from __future__ import annotations

import email.utils
import http.client
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from smartlic_client.errors import (
    AnswerError,
    CallerError,
    CommunicationError,
    Problem,
    SmartlicError,
    TrustError,
    problem,
)
from smartlic_client.transport.urls import Destination

__all__ = ["STDLIB_RULES", "Rules", "media_type", "parse_retry_after", "problem_for", "problem_for_answer"]

# --- Trust: the server is not the one that the user named; not one byte of HTTP was sent to it ----

name_mismatch = problem(
    "name-mismatch",
    TrustError,
    "The server at {host} is not {host} by its certificate: {why}",
    "On the server: Security > Certificates: set Host Common Name to {host}, then synchronize the local "
    "accounts with Cisco Smart Software Manager, then register again. If the certificate is right, put its "
    "name into the destination URL.",
)
untrusted_chain = problem(
    "untrusted-chain",
    TrustError,
    "The certificate of {host} does not lead to a trust anchor that was given: {reason}.",
    "Give the root certificate of this SSM On-Prem cluster as the trust anchor. If it was given, somebody "
    "else answers at this address: check it before you go on.",
)
certificate_expired = problem(
    "certificate-expired",
    TrustError,
    "The certificate of {host}, or one that it leads to, has expired.",
    "Check this device's clock. If it is right, renew the certificate: on the server, synchronize the local "
    "accounts with Cisco Smart Software Manager.",
)
certificate_not_yet_valid = problem(
    "certificate-not-yet-valid",
    TrustError,
    "The certificate of {host}, or one that it leads to, is not valid yet.",
    "Check the clock of this device (NTP), then that of the server.",
)
wrong_key_usage = problem(
    "wrong-key-usage",
    TrustError,
    "The certificate of {host} is not one for a server.",
    "Somebody answers with a certificate that was made for another use, such as a device's ID certificate: "
    "check that {host} is the VIP of the cluster.",
)

# --- Communication: no answer, or one that says "later"; these are tried again --------------------

tls_failed = problem(
    "tls-failed",
    CommunicationError,
    "No TLS connection to {host}:{port} could be made: {reason}.",
    "Check that {host}:{port} is the HTTPS port of the server, and that it speaks TLS 1.2 or later.",
)
name_unresolved = problem(
    "name-unresolved",
    CommunicationError,
    "The name {host} could not be resolved: {reason}.",
    "Check the name and the DNS servers of this device, or give the address of the name with --resolve.",
)
connection_refused = problem(
    "connection-refused",
    CommunicationError,
    "Nothing accepts connections at {host}:{port}.",
    "Check the address and the port, and that the cluster is up: the VIP is on the Active node only.",
)
connection_timeout = problem(
    "connection-timeout",
    CommunicationError,
    "{host}:{port} did not answer in time.",
    "Check the route and the firewalls between this device and {host}, and that the cluster is up.",
)
connection_closed = problem(
    "connection-closed",
    CommunicationError,
    "The connection to {host}:{port} was closed before the whole answer came: {reason}.",
    "Try again; a failover closes connections. If it stays, look for a middlebox that resets them.",
)
connection_failed = problem(
    "connection-failed",
    CommunicationError,
    "No connection to {host}:{port} could be made: {reason}.",
    "Check the network of this device and the route to {host}.",
)
proxy_failed = problem(
    "proxy-failed",
    CommunicationError,
    "The proxy did not connect to {host}:{port}: {reason}.",
    "Check the address of the proxy, and that it allows CONNECT to {host}:{port}.",
)
server_unavailable = problem(
    "server-unavailable",
    CommunicationError,
    "{host} says that it cannot answer now (HTTP {status}).",
    "Wait and try again. If it stays, check the services of the node that holds the VIP.",
)

# --- Answers that cannot be believed --------------------------------------------------------------

redirected = problem(
    "redirected",
    AnswerError,
    "{host} redirects to {location!r} (HTTP {status}), and licensing messages follow no redirect.",
    "Put the URL of the licensing server itself into the destination, and look who redirects: often a portal "
    "or a proxy in the way.",
)
wrong_path = problem(
    "wrong-path",
    AnswerError,
    "{host} has nothing at {path} on port {port} (HTTP {status}).",
    "Check the port, and the path: for the transport {transport} it is {right_path}.",
)
answer_too_large = problem(
    "answer-too-large",
    AnswerError,
    "The answer of {host} has more than {limit} bytes, and no licensing answer has.",
    "Check that {url} is a licensing server.",
)
not_a_licensing_server = problem(
    "not-a-licensing-server",
    AnswerError,
    "What answers at {url} is no licensing server: {reason}.",
    "Check host, port and path of the destination URL, and whether a portal or a proxy answers in its place.",
)
http_error = problem(
    "http-error",
    AnswerError,
    "{host} answers with HTTP {status}.",
    "Look into the log of the server.",
)

bad_anchors = problem(
    "bad-anchors",
    CallerError,
    "The trust anchors cannot be read: {reason}.",
    "Give a PEM file with the root certificate of the cluster (-----BEGIN CERTIFICATE-----).",
)
bad_proxy = problem(
    "bad-proxy",
    CallerError,
    "The proxy cannot be used: {reason}.",
    "Write the proxy as http://HOST:PORT; it is asked to CONNECT, and TLS goes through it to the server.",
)

# --- Exceptions -----------------------------------------------------------------------------------

# X509_V_ERR_* of OpenSSL's x509_vfy.h; everything else is a chain that isn't trusted
_CHAIN_FLAWS = {9: certificate_not_yet_valid, 10: certificate_expired, 26: wrong_key_usage}

Rules = tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Problem], ...]
"""Classes of exceptions and the problem that each is; the first rule that fits any of a chain wins."""

STDLIB_RULES: Rules = (
    (socket.gaierror, name_unresolved),
    (ConnectionRefusedError, connection_refused),
    (TimeoutError, connection_timeout),
    (
        (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError, http.client.IncompleteRead),
        connection_closed,
    ),
    (http.client.HTTPException, not_a_licensing_server),
    (ssl.SSLError, tls_failed),
)
"""What socket, ssl and http.client raise. A driver puts the classes of its library before and after these."""


def problem_for(
    error: BaseException,
    destination: Destination,
    rules: Rules = STDLIB_RULES,
    outer: BaseException | None = None,
) -> SmartlicError:
    """The problem behind an exception of a library below.

    `outer`: what the caller was handling already (`sys.exception()` before the call). Python hangs it into
    the chain as well, and it says nothing about this connection.
    """
    chain = list(_chain(error, outer))
    for one in chain:
        carried = getattr(one, "problem", None)
        if isinstance(carried, SmartlicError):
            return carried
    facts = {**_facts(destination), "reason": _reason(chain)}
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            # set by OpenSSL only: an exception made in Python has neither
            flaw = _CHAIN_FLAWS.get(getattr(one, "verify_code", 0), untrusted_chain)
            return flaw(**{**facts, "reason": getattr(one, "verify_message", "") or facts["reason"]})
    if any(type(one) is OSError and str(one).startswith("Tunnel connection failed") for one in chain):
        return proxy_failed(**facts)
    for classes, found in rules:
        if any(isinstance(one, classes) for one in chain):
            return found(**facts)
    return connection_failed(**facts)


def _chain(error: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    """The exception and all that led to it, the outermost first; libraries also keep causes as arguments."""
    seen: list[BaseException] = [] if outer is None else [outer]
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or any(one is other for other in seen):
            continue
        seen.append(one)
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


def _reason(chain: list[BaseException]) -> str:
    """What the innermost exception says that says anything, for a human, without the final period."""
    for one in reversed(chain):
        said = getattr(one, "strerror", None) or str(one)
        if said:
            return str(said).strip().rstrip(".")
    return type(chain[0]).__name__


# --- Answers --------------------------------------------------------------------------------------

_LATER = {429, 502, 503, 504}


def problem_for_answer(
    status: int, header: Mapping[str, str], destination: Destination, now: float
) -> SmartlicError | None:
    """The problem that an answer is by its status and header, or None where the protocol may read its body.

    `header`: looked up by lower-case names. `now`: seconds since the epoch, by this device's clock.
    """
    facts = {**_facts(destination), "status": status}
    if status in _LATER:
        retry_after = parse_retry_after(header.get("retry-after"), header.get("date"), now)
        return server_unavailable(retry_after=retry_after, **facts)
    if 300 <= status < 400 and (location := header.get("location")):
        return redirected(**facts, location=location)
    if status in (404, 405):
        kind = destination.kind
        return wrong_path(**facts, path=destination.path, transport=kind.value, right_path=kind.path)
    readable = _is_readable(media_type(header.get("content-type", "")))
    if 200 <= status < 300 and not readable:
        seen = header.get("content-type") or "no content type"
        return not_a_licensing_server(**facts, reason=f"its answer is {seen!r}, neither JSON nor XML")
    if 200 <= status < 300 or (400 <= status < 500 and readable):
        # `identity` was asked for; what is packed could unpack to any size
        if header.get("content-encoding", "identity").lower() != "identity":
            return not_a_licensing_server(
                **facts, reason="its answer is compressed, and that was not asked for"
            )
        return None
    return http_error(**facts)


def media_type(content_type: str) -> str:
    """`text/xml` for `Text/XML; charset=utf-8` (RFC 9110, section 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def parse_retry_after(value: str | None, date: str | None, now: float) -> float | None:
    """Seconds to wait by the fields Retry-After and Date (RFC 9110, section 10.2.3); None if they don't say.

    A point in time is taken relative to the server's own Date where there is one, since a device's clock may
    be wrong. Never negative.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    until, since = _http_date(value), _http_date(date or "")
    return None if until is None else max(0.0, until - (now if since is None else since))


def _http_date(text: str) -> float | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _is_readable(kind: str) -> bool:
    return kind in ("application/json", "application/xml", "text/xml") or kind.endswith(("+json", "+xml"))


def _facts(destination: Destination) -> dict[str, Any]:
    return {"url": destination.url, "host": destination.host.text, "port": destination.port}
