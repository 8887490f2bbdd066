"""The probe that reads a chain: a TLS handshake that verifies nothing, and after which nothing is sent.

It takes any version and any strength that OpenSSL still can, since a server that offers too little must be
told from one that does not answer. What it sees is believed by nobody: it is material for findings.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from smartlic_client.certificates import read_certificate
from smartlic_client.preflight.observation import Endpoint, Outcome, Role
from smartlic_client.preflight.probes.connect import FailedError, connect, failure_of, left
from smartlic_client.transport.guard import guarded

if TYPE_CHECKING:
    from smartlic_client.preflight.probes.proxy import Proxy

__all__ = ["read"]

_DER = 2  # ENCODING_DER of _ssl
_FIRST = 512
_remembered = lru_cache(maxsize=256)(read_certificate)  # many targets present the same issuers


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Reads weak keys and TLS 1.0 too; nothing is ever sent over it. Without a certificate it reads nothing.
    context.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def read(
    role: Role, address: str, port: int, server_name: str, until: float, proxy: Proxy | None = None
) -> Endpoint:
    """What an address presents. `server_name`: sent as SNI if it is no address (RFC 6066, section 3)."""
    try:
        sock = connect(address, port, until, proxy)
    except FailedError as error:
        return Endpoint(role=role, address=address, port=port, outcome=error.outcome, detail=error.detail)
    try:
        sock.settimeout(left(until))
        with (
            _context().wrap_socket(sock, server_hostname=server_name, do_handshake_on_connect=False) as tls,
            guarded(tls, until),
        ):
            tls.do_handshake()
            return _seen(role, address, port, tls)
    except TimeoutError:
        outcome, detail = (
            Outcome.SILENT,
            "it accepts the connection, and the TLS handshake does not end in time",
        )
    except ssl.SSLError as error:
        outcome, detail = _diagnose(address, port, server_name, until, proxy, error)
    except OSError as error:
        outcome, detail = failure_of(error).outcome, failure_of(error).detail
        if outcome is Outcome.CLOSED:
            outcome, detail = _diagnose(address, port, server_name, until, proxy, error)
    finally:
        sock.close()
    return Endpoint(role=role, address=address, port=port, outcome=outcome, detail=detail)


def _seen(role: Role, address: str, port: int, tls: ssl.SSLSocket) -> Endpoint:
    cipher, chain = tls.cipher(), tuple([_remembered(der) for der in _presented(tls)])
    return Endpoint(
        role=role,
        address=address,
        port=port,
        outcome=Outcome.TLS if chain else Outcome.TLS_FAILED,
        detail="" if chain else "it presents no certificate",
        tls=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        chain=chain,
    )


def _presented(tls: ssl.SSLSocket) -> list[bytes]:
    """The chain as the server sent it, in DER; public in Python 3.13, there since 3.10."""
    source: Any = tls if hasattr(tls, "get_unverified_chain") else getattr(tls, "_sslobj", None)
    chain = source.get_unverified_chain() if hasattr(source, "get_unverified_chain") else None
    if chain:
        return [each if isinstance(each, bytes) else each.public_bytes(_DER) for each in chain]
    leaf = tls.getpeercert(True)
    return [leaf] if leaf else []


# --- Why a handshake failed -----------------------------------------------------------------------


def _diagnose(
    address: str, port: int, server_name: str, until: float, proxy: Proxy | None, first: OSError
) -> tuple[Outcome, str]:
    """Look at the bytes: OpenSSL says "wrong version number" of everything that is no TLS."""
    reason = _reason(first)
    try:
        sock = connect(address, port, until, proxy)
    except FailedError:
        return Outcome.TLS_FAILED, reason
    with sock:
        said = _first_bytes(sock, server_name, until)
    if said.startswith(b"HTTP/"):
        line = said.split(b"\r\n", 1)[0].decode("latin-1")
        outcome = Outcome.PROXY if b" 407 " in said[:16] else Outcome.HTTP
        return outcome, f"it answers the TLS handshake with {line[:80]!r}"
    if said[:1] in (b"\x15", b"\x16"):
        return Outcome.TLS_FAILED, reason
    if said:
        return Outcome.NO_TLS, f"it says {said[:60]!r}"
    return Outcome.CLOSED, "it closes the connection during the TLS handshake"


def _first_bytes(sock: socket.socket, server_name: str, until: float) -> bytes:
    """What comes back on a ClientHello. A banner that is sent at once is in there as well."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = _context().wrap_bio(incoming, outgoing, server_hostname=server_name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    try:
        sock.settimeout(left(until))
        sock.sendall(outgoing.read())
        return sock.recv(_FIRST)
    except OSError:
        return b""


def _reason(error: OSError) -> str:
    """OpenSSL's reason in lower case, such as "unsupported protocol"."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return reason.replace("_", " ").lower()
    return (error.strerror or str(error)).rstrip(".")
