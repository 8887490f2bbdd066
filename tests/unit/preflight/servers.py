"""Servers that do what no licensing server should, for tests of the probes; all on the loopback."""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from smartlic_client.preflight.options import Options
from smartlic_client.preflight.run import Result, run
from smartlic_client.preflight.targets import read_target
from tests.unit.client.tls_servers import Authority, Certificate, RawServer, TcpServer, http

LOCAL = "127.0.0.1"
OK = http("405 Method Not Allowed", "Allow: POST")


class Says(TcpServer):
    """Sends these bytes at once, and then waits for the client to leave."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        connection.sendall(self._said)
        while connection.recv(4096):
            pass


class Answers(TcpServer):
    """Reads what comes first, and answers it with these bytes: HTTP on the TLS port, for example."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(self._said)


class Babbles(TcpServer):
    """Sends without end, as fast as the client takes it."""

    def __init__(self, piece: bytes) -> None:
        self._piece = piece
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        while not self.closing.is_set():
            connection.sendall(self._piece)


class Hangs(TcpServer):
    """Accepts, and says nothing."""

    def serve(self, connection: socket.socket) -> None:
        while connection.recv(4096):
            pass


class Closes(TcpServer):
    """Accepts, and closes when the client has spoken."""

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)


def old_tls(certificate: Certificate) -> RawServer:
    """A server that speaks TLS 1.0 only."""
    server = RawServer(certificate)
    context = server._context
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    return server


def with_chain(authority: Authority, certificate: Certificate, count: int) -> RawServer:
    """A server that presents `count` certificates."""
    root = x509.load_pem_x509_certificate(authority.pem).public_bytes(Encoding.DER)
    certificate.add_chain([root] * (count - 1))
    return RawServer(certificate)


def check(server: TcpServer, *, url: str = LOCAL, path: str = "", timeout: float = 5, **more: Any) -> Result:
    """What a run says of a server on the loopback."""
    options = Options(now=time.time(), timeout=timeout, **more)
    return run([read_target(f"https://{url}:{server.port}{path}")], options).results[0]


def found(result: Result) -> list[str]:
    """The ids of its findings."""
    return [finding.id for finding in result.findings]
