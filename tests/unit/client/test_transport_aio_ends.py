"""The transport on httpx where it ends badly: connections that fail, cancellation, exceptions from below."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
import httpcore
import httpx
import pytest
import respx

from smartlic_client.errors import CommunicationError, SmartlicError, TrustError
from smartlic_client.transport import HttpAnswer
from smartlic_client.transport.aio import _LOWER, AsyncTransport
from smartlic_client.transport.urls import Destination
from tests.unit.client.posting import (
    AUTHORITY,
    BODY,
    CERTIFICATE,
    ELSEWHERE,
    NAMED,
    Mute,
    destination,
    failure,
    post,
    posts,
    unused_port,
)
from tests.unit.client.tls_servers import (
    OK_JSON,
    ConnectProxy,
    RawServer,
    TcpServer,
)

T = TypeVar("T")


# ---- connections that fail --------------------------------------------------------------------------------
def _found(monkeypatch: pytest.MonkeyPatch, *places: tuple[str, int]) -> None:
    """Let every name have these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.parametrize("addresses", [1, 2])
def test_a_refused_connection(addresses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens, at any address of the name."""
    port = unused_port()
    _found(monkeypatch, *[("127.0.0.1", port), ("127.0.0.9", port)][:addresses])
    with pytest.raises(CommunicationError) as caught:
        post(Destination.parse(f"https://ssm.example.com:{port}"))
    assert caught.value.code == "connection-refused"


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first address refuses, the second one is connected to."""
    with RawServer(NAMED) as server:
        _found(monkeypatch, ("127.0.0.9", server.port), ("127.0.0.1", server.port))
        assert post(destination(server, "ssm.example.com"))[0].status == 200


def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's answer that there is no such name."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CommunicationError) as caught:
        post(ELSEWHERE)
    assert caught.value.code == "name-unresolved"
    assert "Name or service not known" in caught.value.sentence


class Plain(TcpServer):
    """Speaks HTTP without TLS."""

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Closing(TcpServer):
    """Closes the connection in the middle of the TLS handshake."""

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(Mute, "connection-timeout"), (Plain, "tls-failed"), (Closing, "connection-closed")],
)
def test_a_handshake_that_fails_has_its_code(kind: Callable[[], TcpServer], code: str) -> None:
    """Silence, plain HTTP and a closed connection are told apart, and the socket is closed."""
    with kind() as server:
        with pytest.raises(CommunicationError) as caught:
            post(destination(server), connect_timeout=0.3)
        server.settle()
    assert caught.value.code == code


def test_a_silent_server_times_out() -> None:
    """No answer within the read timeout."""

    def wait(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.recv(1)

    assert failure(wait, read_timeout=0.3).code == "connection-timeout"


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", OK_JSON.replace(b": 2", b": 9999")])
def test_a_dripping_server_does_not_outlast_the_deadline(start: bytes) -> None:
    """A byte every now and then, in head or body, holds no read timeout off, but the total ends it."""

    def drip(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(start)
        while not server.closing.wait(0.1):
            connection.sendall(b"x")

    with RawServer(CERTIFICATE, drip) as server:
        since = time.monotonic()
        with pytest.raises(CommunicationError) as caught:
            post(destination(server), connect_timeout=0.5, read_timeout=0.5)
        took = time.monotonic() - since
        server.settle()
    assert caught.value.code == "connection-timeout"
    assert 0.8 < took < 3


# ---- cancellation -----------------------------------------------------------------------------------------
class Watched(TcpServer):
    """Says to the event loop when it has been asked, and waits for the client to close."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        while connection.recv(4096):
            self.loop.call_soon_threadsafe(self.asked.set)


async def _cancelled(server: TcpServer, asked: asyncio.Event, **settings: Any) -> None:
    """Cancel a post once the server was asked: it ends, its connection is closed, and another post works."""
    async with AsyncTransport(AUTHORITY.pem, **settings) as transport:
        sending = asyncio.create_task(transport.post(destination(server), BODY, "application/json"))
        await asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.to_thread(server.settle)
        with RawServer(CERTIFICATE) as other, ConnectProxy(other.port):
            settings.pop("proxy", None)
            assert (await posts(destination(other)))[0].status == 200


@pytest.mark.parametrize("proxied", [False, True])
def test_a_post_that_is_cancelled_in_the_handshake_closes_its_socket(proxied: bool) -> None:
    """Before TLS stands, and while a proxy is asked, nothing is left open."""

    async def main() -> None:
        with Watched() as server:
            settings = {"proxy": f"http://127.0.0.1:{server.port}"} if proxied else {}
            await _cancelled(server, server.asked, **settings)

    asyncio.run(main())


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", OK_JSON.replace(b": 2", b": 99")])
def test_a_post_that_is_cancelled_before_the_whole_answer_closes_its_socket(start: bytes) -> None:
    """Without an answer, in its head and in its body, the connection is closed and not used again."""

    async def main() -> None:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()

        def begin(connection: ssl.SSLSocket, request: bytes) -> None:
            connection.sendall(start)
            loop.call_soon_threadsafe(asked.set)
            connection.recv(1)

        with RawServer(CERTIFICATE, begin) as server:
            await _cancelled(server, asked)
        assert len(server.requests) == 1

    asyncio.run(main())


def test_a_cancelled_post_leaves_the_others_alone() -> None:
    """Of two posts with one transport the cancelled one ends, and the other gets its answer."""

    async def main() -> None:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()

        def handle(connection: ssl.SSLSocket, request: bytes) -> None:
            if request.endswith(b"slow"):
                loop.call_soon_threadsafe(asked.set)
                connection.recv(1)
            else:
                connection.sendall(OK_JSON)

        with RawServer(CERTIFICATE, handle) as server:
            async with AsyncTransport(AUTHORITY.pem) as transport:
                there = destination(server)
                slow = asyncio.create_task(transport.post(there, b"slow", "text/xml"))
                await asked.wait()
                slow.cancel()
                answer, ended = await asyncio.gather(
                    transport.post(there, b"fast", "text/xml"), slow, return_exceptions=True
                )
        assert isinstance(answer, HttpAnswer)
        assert isinstance(ended, asyncio.CancelledError)

    asyncio.run(main())


# ---- exceptions of the libraries below --------------------------------------------------------------------
def exception_classes() -> list[type[BaseException]]:
    """Every exception of httpx and httpcore, those of anyio's streams, and some of the standard library."""
    found: list[type[BaseException]] = []
    for module in (httpx, httpcore):
        found += [
            one for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, BaseException)
        ]
    assert len(found) > 35
    streams = ("Resource", "EndOfStream", "IncompleteRead", "Delimiter", "WouldBlock", "ConnectionFailed")
    found += [kind for name, kind in vars(anyio).items() if any(word in name for word in streams)]
    return [*found, OSError, TimeoutError, ssl.SSLError, ssl.SSLEOFError, ConnectionResetError]


async def _post_with(act: Callable[[AsyncTransport], Coroutine[Any, Any, T]]) -> T:
    async with AsyncTransport(AUTHORITY.pem) as transport:
        return await act(transport)


@pytest.mark.parametrize("kind", exception_classes())
def test_every_exception_below_becomes_a_problem(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Whichever class is raised inside, the caller gets a problem of ours with it as the cause."""
    error = kind.__new__(kind)  # their constructors want requests and answers
    assert isinstance(error, _LOWER)

    async def fail(*_: object, **__: object) -> None:
        raise error

    async def act(transport: AsyncTransport) -> None:
        monkeypatch.setattr(transport._client, "send", fail)
        await transport.post(ELSEWHERE, BODY, "application/json")

    with pytest.raises(SmartlicError) as caught:
        asyncio.run(_post_with(act))
    assert caught.value.__cause__ is error
    expected = {
        "ConnectTimeout": "connection-timeout",
        "ReadTimeout": "connection-timeout",
        "ProxyError": "proxy-failed",
        "ReadError": "connection-closed",
        "EndOfStream": "connection-closed",
        "RemoteProtocolError": "not-a-licensing-server",
        "SSLError": "tls-failed",
    }
    known = {*expected.values(), "connection-failed"}
    assert caught.value.code in known
    assert caught.value.code == expected.get(kind.__name__, caught.value.code)


def test_what_the_caller_was_handling_is_not_the_cause() -> None:
    """A post inside the handling of a mismatch is judged by its own failure."""
    gone = Destination.parse(f"https://127.0.0.1:{unused_port()}")

    async def act(transport: AsyncTransport) -> None:
        try:
            await transport.post(there, BODY, "application/json")
        except TrustError:
            await transport.post(gone, BODY, "application/json")

    with RawServer(NAMED) as server:
        there = destination(server)
        with pytest.raises(CommunicationError) as caught:
            asyncio.run(_post_with(act))
    assert caught.value.code == "connection-refused"


def test_a_problem_that_is_raised_below_passes(respx_mock: respx.MockRouter) -> None:
    """An exception that is none of the libraries' is not taken for one of theirs."""
    respx_mock.post(ELSEWHERE.url).mock(side_effect=ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        post(ELSEWHERE)
