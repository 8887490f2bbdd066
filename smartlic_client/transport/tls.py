"""The one kind of TLS context that is used: the anchors given, and the name check inside the handshake.

Rules (names, "When it is checked" and "Measured: how to enforce it in requests and httpx"):

- The chain is verified against exactly the anchors given, for server authentication, with TLS 1.2 or later. A
  context is sealed once it is made: nothing turns verification off, and no other root comes in.
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

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from smartlic_client.errors import SmartlicError
from smartlic_client.names import CertificateNames, InvalidName, Match, Policy, match, parse_host
from smartlic_client.transport.errors import bad_anchors, name_mismatch

__all__ = [
    "LicensingContext",
    "NameMismatchError",
    "TimedSocket",
    "context_for",
    "deadline",
    "read_names",
]

_ALPN = ["http/1.1"]


class NameMismatchError(ssl.SSLCertVerificationError):
    """The chain is good and the name is not. `problem`: the same, as the problem `name-mismatch`."""

    def __init__(self, problem: SmartlicError) -> None:
        super().__init__(1, str(problem))
        self.problem = problem


# --- Sockets --------------------------------------------------------------------------------------

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything that the sockets of this module do inside, in this thread, ends within `seconds`.

    A timeout of a socket is for one operation: a server that sends a byte a second never runs into it.
    """
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class TimedSocket(socket.socket):
    """A socket whose operations end at its own timeout or at the `deadline`, whichever is first."""

    _own: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        self._own = value
        super().settimeout(value)

    def _arm(self) -> None:
        end = _deadline.get()
        if end is None:
            return
        left = end - time.monotonic()
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

    def do_handshake(self, block: bool = False) -> None:
        self._arm()
        super().do_handshake(block)
        _check_name(self)
        self._checked = True

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        _require(self._checked)
        return super().read(len, buffer)

    def write(self, data: Any) -> int:
        _require(self._checked)
        return super().write(data)

    def send(self, *args: Any, **more: Any) -> int:
        _require(self._checked)
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
            names=names.seen,
            policy=context.policy.value,
            why=" ".join(mismatch.sentence for mismatch in verdict),
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


# --- Reading certificates -------------------------------------------------------------------------

_COMMON_NAME = bytes.fromhex("550403")  # 2.5.4.3
_PRINTABLE = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*")
_ASCII_STRINGS = {0x12: "NumericString", 0x14: "TeletexString", 0x16: "IA5String", 0x1A: "VisibleString"}


def read_names(der: bytes) -> CertificateNames:
    """Read the names of a DER certificate. Never raises: what can't be read comes back as an `InvalidName`.

    The subject is read here and not by `cryptography`, which refuses the whole subject for one bad string and
    lets through an IA5String that is none; the extension is read by `cryptography`.
    """
    try:
        common_names = tuple(_common_names(der))
    except (ValueError, IndexError) as error:
        common_names = (InvalidName("", f"the certificate's subject can't be read ({error})"),)
    dns: tuple[str | InvalidName, ...] = ()
    ip: tuple[IPv4Address | IPv6Address | InvalidName, ...] = ()
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = tuple(san.get_values_for_type(x509.DNSName))
        ip = tuple(
            address
            if isinstance(address, IPv4Address | IPv6Address)
            else InvalidName(str(address), "it is a network")
            for address in san.get_values_for_type(x509.IPAddress)
        )
    except x509.ExtensionNotFound:
        pass
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        dns = (InvalidName("", f"the alternative names can't be read ({error})"),)
    return CertificateNames(common_names, dns, ip)


def _common_names(der: bytes) -> Iterator[str | InvalidName]:
    """All Common Names of the subject (RFC 5280, sections 4.1 and 4.1.2.4)."""
    certificate = _only(_elements(der))
    to_be_signed, *_ = _elements(certificate[1])
    fields = list(_elements(to_be_signed[1]))
    first = 1 if fields[0][0] == 0xA0 else 0  # the version is left out in version 1
    subject = fields[first + 4][1]
    for _, relative in _elements(subject):
        for _, attribute in _elements(relative):
            (_, oid), (tag, value) = _elements(attribute)
            if oid == _COMMON_NAME:
                yield _decode(tag, value)


def _decode(tag: int, value: bytes) -> str | InvalidName:
    """A DirectoryString (RFC 5280, appendix A.1) as text; `InvalidName` if its bytes aren't of its type."""
    try:
        if tag == 0x0C:
            return value.decode("utf-8")
        if tag == 0x1E:
            return value.decode("utf-16-be")
        if tag == 0x1C:
            return value.decode("utf-32-be")
        if tag == 0x13 and _PRINTABLE.fullmatch(value):
            return value.decode("ascii")
        if tag in _ASCII_STRINGS:
            return value.decode("ascii")
    except UnicodeDecodeError:
        pass
    return InvalidName(value.decode("latin-1"), f"its bytes are no valid string of ASN.1 type {tag:#04x}")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and the content of each element of DER `data`, one level deep (X.690, section 8.1)."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("an element is longer than what holds it")
        yield tag, data[at : at + length]
        at += length


def _only(elements: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    found = list(elements)
    if len(found) != 1:
        raise ValueError("there is not one element")
    return found[0]
