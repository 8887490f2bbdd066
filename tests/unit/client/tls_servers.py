"""Real TLS servers on the loopback for tests, with certificates of every right and wrong form.

A `RawServer` knows nothing of HTTP beyond finding the end of a request: it counts the application bytes that
reach it, which is what tests of the name check are about.
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH

DAY = datetime.timedelta(days=1)
OK_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

Handler = Callable[[ssl.SSLSocket, bytes], None]


class Certificate:
    """A leaf with its key; `der`, and a server's context that presents it."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.der = certificate.public_bytes(Encoding.DER)
        self._pem = certificate.public_bytes(Encoding.PEM) + key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )

    def add_chain(self, chain: Sequence[bytes]) -> None:
        """Show these certificates (DER) after the leaf."""
        self._pem += b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "server.pem")
            path.write_bytes(self._pem)
            context.load_cert_chain(path)
        return context


class Authority:
    """A root that signs leaves; `pem` is what a client is given as its trust anchor."""

    def __init__(self, name: str = "Licensing Root") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key, -DAY, 365 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(Encoding.PEM)

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        since: datetime.timedelta,
        until: datetime.timedelta,
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + since)
            .not_valid_after(now + until)
        )

    def issue(
        self,
        *common_names: str,
        san: Sequence[str] = (),
        usage: Sequence[ObjectIdentifier] = (SERVER_AUTH,),
        since: datetime.timedelta = -DAY,
        until: datetime.timedelta = DAY,
    ) -> Certificate:
        """A leaf for `common_names` in this order; `san` holds addresses and DNS names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])
        builder = self._builder(subject, key, since, until)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        if san:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in san]), critical=False
            )
        return Certificate(builder.sign(self._key, hashes.SHA256()), key)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def answer_with(*pieces: bytes) -> Handler:
    """A handler that sends these bytes and keeps the connection."""

    def handle(connection: ssl.SSLSocket, request: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return handle


def http(status: str, *fields: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
    """An HTTP/1.1 answer; `status` as `503 Service Unavailable`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class TcpServer:
    """Accepts on the loopback and serves each connection in a thread of its own, until `close`."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the listener was shut down
                return
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with self._guard:
            self._open.add(connection)
        try:
            self.serve(connection)
        except OSError:
            return  # the client went away, which most of these tests make it do
        finally:
            with self._guard:
                self._open.discard(connection)
            connection.close()

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def replace(self, old: socket.socket, new: socket.socket) -> None:
        """Remember the socket that took over a connection, so that `close` can end it."""
        with self._guard:
            self._open.discard(old)
            self._open.add(new)

    def settle(self) -> None:
        """Wait until all connections are over, as they are once the client has closed its side."""
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a connection is still open"

    def close(self) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(10)
        self._listener.close()
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client may have closed it just now
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RawServer(TcpServer):
    """A TLS server that gives each request to `handler` and counts what it is sent.

    `received`: application bytes so far. `requests`: each with head and body. `names`: the SNI of each
    handshake, None where none was sent. `reused`: whether each handshake resumed a session.
    """

    def __init__(
        self,
        certificate: Certificate,
        handler: Handler | None = None,
        host: str = "127.0.0.1",
        versions: ssl.TLSVersion | None = None,
    ) -> None:
        self._context = certificate.server_context()
        self._context.sni_callback = lambda _, name, __: self.names.append(name)
        if versions is not None:
            self._context.minimum_version = self._context.maximum_version = versions
        self._handler = handler or answer_with(OK_JSON)
        self.received = 0
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        self.reused: list[bool | None] = []
        super().__init__(host)

    def serve(self, connection: socket.socket) -> None:
        with self._context.wrap_socket(connection, server_side=True) as tls:
            self.replace(connection, tls)
            self.reused.append(tls.session_reused)
            try:
                while request := self._read_request(tls):
                    self.requests.append(request)
                    self._handler(tls, request)
            finally:
                with self._guard:
                    self._open.discard(tls)

    def _read_request(self, tls: ssl.SSLSocket) -> bytes:
        data = b""
        while True:
            head, end, body = data.partition(b"\r\n\r\n")
            if end and len(body) >= _content_length(head):
                return data
            piece = tls.recv(65536)
            self.received += len(piece)
            if not piece:
                return b""
            data += piece


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


class ConnectProxy(TcpServer):
    """A proxy for CONNECT. `asked`: the targets; `refusal`: the answer instead of a tunnel."""

    def __init__(self, target_port: int, refusal: bytes | None = None) -> None:
        self._target_port = target_port
        self._refusal = refusal
        self.asked: list[str] = []
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        self.asked.append(head.split(b" ")[1].decode())
        if self._refusal is not None:
            connection.sendall(self._refusal)
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self._target_port), timeout=20) as upstream:
            back = threading.Thread(target=_pump, args=(upstream, connection))
            back.start()
            _pump(connection, upstream)
            back.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one side is gone; the other notices by itself
