"""HTTP listeners and sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mock_server.cluster import identity, listeners
from mock_server.cluster.listeners import BOOTING, MAX_HEAD, Gate, Listener
from mock_server.cluster.sockets import bind, holder, spell
from smartlic_client.errors import SmartlicError

pytestmark = pytest.mark.real
HOST = "127.77.255.1"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, or after `?wait`."""
    if scope["query_string"]:
        await asyncio.sleep(float(scope["query_string"]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """On the loop that nodes use."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_within(scenario))


async def _within(scenario: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(20):
        await scenario()


async def opened(listener: Listener, host: str = HOST) -> int:
    sock = bind(host, 0)
    port: int = sock.getsockname()[1]
    await listener.serve(sock)
    return port


async def ask(
    port: int, request: bytes = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", **options: Any
) -> tuple[bytes, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(options.pop("host", HOST), port, **options)
    writer.write(request)
    try:
        return await reader.read(65536), writer
    except ConnectionError:
        return b"", writer


def test_it_serves_and_says_little() -> None:
    """An answer has a Date and no Server header."""

    async def scenario() -> None:
        listener = Listener(app, None)
        port = await opened(listener)
        answer, writer = await ask(port)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        assert b"server:" not in answer.lower()
        assert listener.connections == 1
        listener.abort()
        await asyncio.sleep(0.05)
        assert listener.connections == 0
        writer.close()

    run(scenario)


def tls(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server with a certificate of its own, and of a client that trusts it under any name."""
    certificate, key = identity.make("x")
    (folder / "pem").write_bytes(certificate + key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "pem")
    client = ssl.create_default_context(cafile=str(folder / "pem"))
    client.check_hostname = False
    return server, client


def test_it_serves_tls_and_ipv6(tmp_path: Path) -> None:
    """TLS with a context of the service, on an IPv6 address."""

    async def scenario() -> None:
        server, client = tls(tmp_path)
        listener = Listener(app, server)
        port = await opened(listener, "::1")
        answer, writer = await ask(port, host="::1", ssl=client)
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()
        listener.abort()
        await asyncio.sleep(0.05)

    run(scenario)


def test_rule_5_before_the_gate_is_open_it_is_503_with_retry_after() -> None:
    """No answer leaves before everything is open."""

    async def scenario() -> None:
        gate = Gate()
        listener = Listener(gate.wrap(app), None)
        port = await opened(listener)
        answer, writer = await ask(port)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1\r\n" in answer
        assert b'"code":"not-active"' in answer
        writer.close()
        gate.open = True
        answer, writer = await ask(port)
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()
        listener.abort()

    run(scenario)


def test_a_server_that_boots_says_502_with_retry_after() -> None:
    """What is asked of the pages and the REST API while they are not there yet, for the first time."""

    async def scenario() -> None:
        listener = Listener(Gate().wrap(app, BOOTING), None)
        port = await opened(listener)
        answer, writer = await ask(port)
        assert answer.startswith(b"HTTP/1.1 502")
        assert b"retry-after: 1\r\n" in answer
        assert b'"code":"booting"' in answer
        writer.close()
        listener.abort()

    run(scenario)


def test_rule_8_a_drain_lets_answers_leave_and_frees_the_address() -> None:
    """Idle connections close at once, requests under way get their answer, the port is free for the next."""

    async def scenario() -> None:
        gate = Gate()
        gate.open = True
        listener = Listener(gate.wrap(app), None)
        port = await opened(listener)
        idle = asyncio.create_task(ask(port))
        slow = asyncio.create_task(ask(port, b"GET /?0.3 HTTP/1.1\r\nhost: x\r\n\r\n"))
        (_answer, first) = await idle
        await asyncio.sleep(0.05)
        assert gate.inside == 1
        listener.stop_accepting()
        bind(HOST, port).close()  # in the same turn of the loop
        listener.finish()
        assert await gate.emptied(2)
        answer, second = await slow
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
        listener.abort()
        first.close()
        second.close()

    run(scenario)


def test_rule_8_a_drain_has_an_end() -> None:
    """What is not answered in time is cut off."""

    async def scenario() -> None:
        gate = Gate()
        gate.open = True
        listener = Listener(gate.wrap(app), None)
        port = await opened(listener)
        slow = asyncio.create_task(ask(port, b"GET /?30 HTTP/1.1\r\nhost: x\r\n\r\n"))
        await asyncio.sleep(0.05)
        assert not await gate.emptied(0.1)
        listener.abort()
        answer, writer = await slow
        assert answer == b""
        writer.close()

    run(scenario)


def test_rule_3_abort_closes_connections_in_their_handshake_too(tmp_path: Path) -> None:
    """A connection that was accepted but has not finished TLS is not served after the end."""

    async def scenario() -> None:
        certificate, key = identity.make("x")
        (tmp_path / "pem").write_bytes(certificate + key)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / "pem")
        listener = Listener(app, server)
        port = await opened(listener)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(HOST, port)
        await asyncio.sleep(0.05)
        listener.abort()
        with pytest.raises((OSError, ssl.SSLError)):
            await writer.start_tls(client)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            if not await reader.read(100):
                raise ConnectionResetError
        writer.close()

    run(scenario)


def test_a_head_that_is_too_large_is_refused() -> None:
    """Many headers, or one that never ends: no memory without an end."""

    async def scenario() -> None:
        listener = Listener(app, None)
        port = await opened(listener)
        many = b"".join(b"x-%d: %b\r\n" % (number, b"y" * 1000) for number in range(MAX_HEAD // 900))
        answer, first = await ask(port, b"GET / HTTP/1.1\r\n" + many + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400")
        answer, second = await ask(port, b"GET / HTTP/1.1\r\nx: " + b"y" * 1_000_000)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431")
        body = b"z" * 500_000
        request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        answer, third = await ask(port, request + body)
        assert answer.startswith(b"HTTP/1.1 200")
        for writer in (first, second, third):
            writer.close()
        listener.abort()

    run(scenario)


async def closed(reader: asyncio.StreamReader) -> bool:
    """It has been closed by the other side, by whichever packet."""
    try:
        return await reader.read(65536) == b""
    except ConnectionError:
        return True


def test_who_has_most_connections_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room, one address pushes out its own oldest one; the other's stay, and get in."""
    monkeypatch.setattr(listeners, "MAX_CONNECTIONS", 4)

    async def scenario() -> None:
        listener = Listener(app, None)
        port = await opened(listener)
        honest = [await ask(port, local_addr=("127.0.0.1", 0))]
        many = [await asyncio.open_connection(HOST, port, local_addr=("127.0.0.66", 0)) for _ in range(6)]
        for reader, _writer in many[:3]:
            assert await closed(reader)
        honest.append(await ask(port, local_addr=("127.0.0.2", 0)))
        assert [answer[:12] for answer, _writer in honest] == [b"HTTP/1.1 200"] * 2
        assert await closed(many[3][0])
        assert listener.connections == 4
        for writer in (*(one[1] for one in honest), *(one[1] for one in many)):
            writer.close()
        listener.abort()

    run(scenario)


def test_connections_without_tls_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and does not even begin with TLS takes no room from others, and is closed in time."""
    monkeypatch.setattr(listeners, "MAX_CONNECTIONS", 5)
    monkeypatch.setattr(listeners, "HANDSHAKE_TIMEOUT", 0.3)

    async def scenario() -> None:
        server, client = tls(tmp_path)
        listener = Listener(app, server)
        port = await opened(listener)
        silent = [await asyncio.open_connection(HOST, port, local_addr=("127.0.0.66", 0)) for _ in range(20)]
        answer, writer = await ask(port, ssl=client, local_addr=("127.0.0.1", 0))
        assert answer.startswith(b"HTTP/1.1 200")
        for reader, one in silent:
            assert await closed(reader)
            one.close()
        writer.close()
        listener.abort()

    run(scenario)


def test_without_descriptors_connections_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may open no more files shows out who waits longest, and serves the one that comes."""

    async def scenario() -> None:
        listener = Listener(app, None)
        port = await opened(listener)
        idle, kept = await asyncio.open_connection(HOST, port)
        await asyncio.sleep(0.05)
        real, failures = socket.socket.accept, [OSError(24, "Too many open files")]

        def accept(sock: socket.socket) -> Any:
            if failures and sock.getsockname()[1] == port:
                raise failures.pop()
            return real(sock)

        monkeypatch.setattr(socket.socket, "accept", accept)
        answer, writer = await ask(port)
        assert answer.startswith(b"HTTP/1.1 200")
        assert await closed(idle)
        failures.append(OSError(24, "Too many open files"))
        writer.close()
        await asyncio.sleep(0.05)
        answer, writer = await ask(port)  # nobody is there to be shown out: a second later
        assert answer.startswith(b"HTTP/1.1 200")
        kept.close()
        writer.close()
        listener.abort()

    run(scenario)


def test_each_part_of_an_exchange_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed: who never asks, whose head or body does not end, and who does not read the answer. uvicorn
    alone would wait for ever."""
    for name in ("HEAD_TIMEOUT", "BODY_TIMEOUT", "UNREAD_TIMEOUT"):
        monkeypatch.setattr(listeners, name, 0.2)

    async def large(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})

    async def trickled(port: int, first: bytes, more: bytes) -> None:
        """A few bytes at a time, until it is closed."""
        _reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(first)
        with pytest.raises(ConnectionError):
            while True:
                await asyncio.sleep(0.05)
                writer.write(more)
                await writer.drain()
        writer.close()

    async def scenario() -> None:
        listener = Listener(large, None)
        port = await opened(listener)
        head = b"POST / HTTP/1.1\r\nhost: x\r\n"
        unread, unreading = await asyncio.open_connection(HOST, port)
        unreading.write(head + b"content-length: 0\r\n\r\n")
        silent, saying_nothing = await asyncio.open_connection(HOST, port)
        await trickled(port, head, b"x: y\r\n")
        await trickled(port, head + b"content-length: 100000\r\n\r\n", b"z")
        assert await closed(silent)
        assert listener.connections == 0
        assert not await closed(unread)  # what had come before
        for writer in (unreading, saying_nothing):
            writer.close()
        listener.abort()

    run(scenario)


def test_an_address_is_granted_to_one_at_a_time() -> None:
    """A second holder is refused with the address, and with the process if it is one of ours."""
    first = bind(HOST, 0)
    port = first.getsockname()[1]
    for vip, code in ((True, "vip-in-use"), (False, "port-in-use")):
        with pytest.raises(SmartlicError) as refused:
            bind(HOST, port, vip=vip, ours=[1, os.getpid()])
        assert refused.value.code == code
        assert spell(HOST, port) in refused.value.sentence
        assert refused.value.context["pid"] == os.getpid()
    with pytest.raises(SmartlicError) as refused:
        bind(HOST, port)
    assert "another program" in refused.value.sentence
    first.close()
    assert holder(HOST, port, [os.getpid()]) is None
    bind(HOST, port).close()


def test_the_holder_of_an_ipv6_address_is_found() -> None:
    """The kernel writes IPv6 addresses in words of its own."""
    sock = bind("::1", 0)
    assert holder("::1", sock.getsockname()[1], [os.getpid()]) == os.getpid()
    sock.close()


def test_an_address_of_another_machine_is_named() -> None:
    """`address-not-here`."""
    with pytest.raises(SmartlicError) as refused:
        bind("192.0.2.77", 4443)
    assert refused.value.code == "address-not-here"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen anywhere")
def test_a_port_that_needs_a_right_is_named() -> None:
    """`port-not-allowed`."""
    with pytest.raises(SmartlicError) as refused:
        bind(HOST, 443)
    assert refused.value.code == "port-not-allowed"


def test_a_right_that_is_missing_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """EACCES becomes `port-not-allowed`, also where the test runs as root."""

    class Denied(socket.socket):
        def bind(self, _address: Any) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Denied)
    with pytest.raises(SmartlicError) as refused:
        bind(HOST, 443)
    assert refused.value.code == "port-not-allowed"
