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


def test_it_serves_tls_and_ipv6(tmp_path: Path) -> None:
    """TLS with a context of the service, on an IPv6 address."""

    async def scenario() -> None:
        certificate, key = identity.make("x")
        (tmp_path / "pem").write_bytes(certificate + key)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / "pem")
        client = ssl.create_default_context(cafile=str(tmp_path / "pem"))
        client.check_hostname = False
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


def test_connections_have_a_cap_and_a_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many connections, and one that never asks, are closed."""
    monkeypatch.setattr(listeners, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(listeners, "HEAD_TIMEOUT", 0.1)

    async def scenario() -> None:
        listener = Listener(app, None)
        port = await opened(listener)
        made = [await asyncio.open_connection(HOST, port) for _ in range(3)]
        with pytest.raises(ConnectionError):
            if not await made[2][0].read(10):
                raise ConnectionResetError
        with pytest.raises(ConnectionError):
            if not await made[0][0].read(10):
                raise ConnectionResetError
        for _reader, writer in made:
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
