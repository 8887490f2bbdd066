"""The one kind of TLS context that is used: the anchors given, and the name check inside the handshake.

Rules (names, "When it is checked" and "Measured: how to enforce it in requests and httpx"):

- The chain is verified against exactly the anchors given, for server authentication, with TLS 1.2 or later. A
  context is sealed once it is made: nothing turns verification off, and no other root comes in.
- For server authentication means: where a certificate has extended key usages, serverAuth is one of them. One
  without any may be used for everything and passes; anyExtendedKeyUsage alone does not (RFC 5280, section
  4.2.1.12). So a device's own ID certificate under the same anchor poses as no server.
- The certificate's names are checked when the handshake completes and before anything can be written, also
  where a session is resumed. A socket refuses to read or write before that, since OpenSSL would else shake
  hands by itself at the first write.
- The name is the connection's own `server_hostname`. OpenSSL's own match stays off: an address that is only
  in the Common Name never passes it.
- No renegotiation: it could bring another certificate. No client certificate: it would be sent before the
  check.

Python's ssl sends no address as SNI (RFC 6066, section 3).
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from smartlic_client.certificates import read_names
from smartlic_client.errors import SmartlicError
from smartlic_client.names import CONNECTION_POLICIES, Match, Policy, match, parse_host, sentences
from smartlic_client.transport.errors import bad_anchors, name_mismatch
from smartlic_client.transport.guard import guarded

__all__ = [
    "LicensingContext",
    "NameMismatchError",
    "TimedSocket",
    "context_for",
    "deadline",
]

_ALPN = ["http/1.1"]
_MOST_NAMES = 100  # of a certificate, in an error: a hostile one may have thousands


class NameMismatchError(ssl.SSLCertVerificationError):
    """The chain is good and the name is not. `problem`: the same, as the problem `name-mismatch`."""

    def __init__(self, problem: SmartlicError) -> None:
        super().__init__(1, str(problem))
        self.problem = problem


# --- Sockets --------------------------------------------------------------------------------------


class Course:
    """How an exchange goes. `end`: when it is over. `sent`: whether a byte went to the checked server."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.sent = False


_course: ContextVar[Course | None] = ContextVar("course", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[Course]:
    """Everything that the sockets of this module do inside, in this thread, ends within `seconds`.

    A timeout of a socket is for one operation: a server that sends a byte a second never runs into it.
    """
    course = Course(time.monotonic() + seconds)
    token = _course.set(course)
    try:
        yield course
    finally:
        _course.reset(token)


class TimedSocket(socket.socket):
    """A socket whose operations end at its own timeout or at the `deadline`, whichever is first."""

    _own: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        self._own = value
        super().settimeout(value)

    def _arm(self) -> None:
        course = _course.get()
        if course is None:
            return
        left = course.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole answer is over")
        super().settimeout(left if self._own is None else min(left, self._own))

    def connect(self, address: Any, /) -> None:
        self._arm()
        super().connect(address)

    # The next class may be `SSLSocket`, whose defaults differ from `socket`'s: arguments pass as they came.
    def recv(self, *args: Any, **more: Any) -> bytes:
        self._arm()
        return super().recv(*args, **more)

    def recv_into(self, *args: Any, **more: Any) -> int:
        self._arm()
        return super().recv_into(*args, **more)

    def send(self, *args: Any, **more: Any) -> int:
        self._arm()
        return super().send(*args, **more)


class LicensingSocket(TimedSocket, ssl.SSLSocket):
    """A TLS socket that knows the server before it lets a byte pass."""

    _checked = False

    def do_handshake(self, *args: Any, **more: Any) -> None:  # gevent's takes no argument
        self._arm()
        with self._guarded():
            super().do_handshake(*args, **more)
        _check_name(self)
        self._checked = True

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        _require(self._checked)
        with self._guarded():
            return super().read(len, buffer)

    def write(self, data: Any) -> int:
        _require(self._checked)
        return super().write(data)

    def _guarded(self) -> AbstractContextManager[None]:
        """A call that OpenSSL does not come back from, for all that it is sent, ends at the deadline too."""
        course = _course.get()
        return nullcontext() if course is None else guarded(self, course.end)

    def send(self, *args: Any, **more: Any) -> int:
        _require(self._checked)
        if (course := _course.get()) is not None:
            course.sent = True
        return super().send(*args, **more)


class LicensingObject(ssl.SSLObject):
    """The same without a socket, as asyncio uses it."""

    _checked = False

    def do_handshake(self) -> None:
        super().do_handshake()
        _check_name(self)
        self._checked = True

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        _require(self._checked)
        return super().read(len, buffer)

    def write(self, data: Any) -> int:
        _require(self._checked)
        return super().write(data)


def _require(checked: bool) -> None:
    if not checked:
        raise ssl.SSLError(1, "nothing is read or written before the server's name is checked")


def _check_name(connection: ssl.SSLSocket | ssl.SSLObject) -> None:
    context = connection.context
    if not isinstance(context, LicensingContext):  # pragma: no cover
        raise TypeError("a licensing connection has lost its context")
    host = parse_host(connection.server_hostname or "")
    names = read_names(connection.getpeercert(True) or b"")
    verdict = match(host, names, context.policy)
    if isinstance(verdict, Match):
        return
    raise NameMismatchError(
        name_mismatch(
            host=host.text,
            names=names.seen[:_MOST_NAMES],
            policy=context.policy.value,
            why=sentences(verdict),
        )
    )


# --- Contexts -------------------------------------------------------------------------------------


class LicensingContext(ssl.SSLContext):
    """A client's context with exactly the `anchors` (DER certificates) and the name check under `policy`.

    Sealed: an assignment that would change it raises AttributeError, and so do the methods that load more.
    Assigning what is there already is allowed, since urllib3 does.
    """

    sslsocket_class = LicensingSocket
    sslobject_class = LicensingObject
    policy: Policy
    _sealed = False

    def __new__(cls, anchors: frozenset[bytes], policy: Policy = Policy.COMMON_NAME) -> LicensingContext:
        if policy not in CONNECTION_POLICIES:
            raise ValueError(f"the policy {policy.value} is for the preflight check only")
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self.check_hostname = False
        self.verify_mode = ssl.CERT_REQUIRED
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        self.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        super().set_alpn_protocols(self, _ALPN)
        super().load_verify_locations(self, cadata=b"".join(sorted(anchors)))
        self.policy = policy
        self._sealed = True
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if self._sealed and getattr(self, name, None) != value:
            raise AttributeError(f"a licensing context is sealed: {name} stays as it is")
        super().__setattr__(name, value)

    def _refuse(self, *_: object, **__: object) -> Any:
        raise AttributeError(
            "a licensing context is sealed: it takes no other anchors and no client certificate"
        )

    load_verify_locations = _refuse
    load_default_certs = _refuse
    set_default_verify_paths = _refuse
    load_cert_chain = _refuse

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """Libraries set these at each connection; the context is shared, so only the same ones are taken."""
        if list(alpn_protocols) != _ALPN:
            self._refuse()

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        name = _client_of(server_side, server_hostname)
        return super().wrap_socket(sock, False, do_handshake_on_connect, suppress_ragged_eofs, name, session)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        name = _client_of(server_side, server_hostname)
        return super().wrap_bio(incoming, outgoing, False, name, session)


def _client_of(server_side: bool, server_hostname: str | bytes | None) -> str:
    """The canonical name of the server to connect to; raises `bad-host` for what is no host."""
    if server_side or server_hostname is None:
        raise ValueError("a licensing context is for clients that name their server")
    if isinstance(server_hostname, bytes):
        server_hostname = server_hostname.decode("ascii")
    return parse_host(server_hostname).text


_making = threading.Lock()


def context_for(anchors_pem: bytes, policy: Policy = Policy.COMMON_NAME) -> LicensingContext:
    """The shared context for a set of trust anchors in PEM; safe to call from threads.

    Raises the problem `bad-anchors`. Anchors are compared by their DER: order, repetition and text around
    them make no other context.
    """
    # Only here: a check of many targets has its anchors in DER, and starts without these two.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        certificates = x509.load_pem_x509_certificates(anchors_pem)
    except ValueError as error:
        raise bad_anchors(reason=str(error).rstrip(".")) from error
    anchors = frozenset(certificate.public_bytes(Encoding.DER) for certificate in certificates)
    with _making:
        return _context(anchors, policy)


@lru_cache(maxsize=64)
def _context(anchors: frozenset[bytes], policy: Policy) -> LicensingContext:
    return LicensingContext(anchors, policy)
