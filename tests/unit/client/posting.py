"""What the tests of the asynchronous transport share: a root, what it issued, and posts."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from smartlic_client.errors import SmartlicError
from smartlic_client.transport import HttpAnswer
from smartlic_client.transport.aio import AsyncTransport
from smartlic_client.transport.urls import Destination
from tests.unit.client.tls_servers import Authority, Handler, RawServer, TcpServer

AUTHORITY = Authority()
CERTIFICATE = AUTHORITY.issue("127.0.0.1")
NAMED = AUTHORITY.issue("ssm.example.com")
BODY = b'{"request": "hello"}'
ELSEWHERE = Destination.parse("https://ssm.example.com")


def destination(server: TcpServer, host: str = "127.0.0.1") -> Destination:
    return Destination.parse(f"https://{host}:{server.port}")


async def posts(*places: Destination, **settings: Any) -> list[HttpAnswer]:
    """Post to the places, one after the other, with one transport."""
    settings = {"connect_timeout": 5, "read_timeout": 5} | settings
    async with AsyncTransport(AUTHORITY.pem, **settings) as transport:
        return [await transport.post(place, BODY, "application/json") for place in places]


def post(*places: Destination, **settings: Any) -> list[HttpAnswer]:
    return asyncio.run(posts(*places, **settings))


def failure(handler: Handler, **settings: Any) -> SmartlicError:
    """The error that `handler`'s answer becomes."""
    with RawServer(CERTIFICATE, handler) as server, pytest.raises(SmartlicError) as caught:
        post(destination(server), **settings)
    return caught.value


def unused_port() -> int:
    """A port of the loopback at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class Mute(TcpServer):
    """Reads and says nothing."""

    def serve(self, connection: socket.socket) -> None:
        while connection.recv(4096):
            pass
