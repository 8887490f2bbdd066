"""Every client that we ship or document, against servers that are not the one named: no byte reaches them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import httpx
import pytest

from smartlic_client.errors import SmartlicError, TrustError
from smartlic_client.transport.aio import AsyncTransport
from smartlic_client.transport.errors import problem_for
from smartlic_client.transport.sync import SyncTransport
from smartlic_client.transport.tls import context_for
from smartlic_client.transport.urls import Destination
from tests.unit.client.tls_servers import DAY, Authority, Certificate, RawServer

Client = Callable[[Destination], int]

AUTHORITY = Authority()
BODY = b'{"id_token": "secret"}'


def on_requests(there: Destination) -> int:
    """What Device uses."""
    with SyncTransport(AUTHORITY.pem) as transport:
        return transport.post(there, BODY, "application/json").status


def on_httpx(there: Destination) -> int:
    """What AsyncDevice uses."""

    async def main() -> int:
        async with AsyncTransport(AUTHORITY.pem) as transport:
            return (await transport.post(there, BODY, "application/json")).status

    return asyncio.run(main())


def on_httpx_of_ones_own(there: Destination) -> int:
    """What docs/how-to/embed-in-an-emulator.md shows: httpx's own client with our context."""
    with httpx.Client(verify=context_for(AUTHORITY.pem), trust_env=False) as client:
        return client.post(there.url, content=BODY).status_code


def on_asyncio(there: Destination) -> int:
    """Streams of asyncio with our context."""

    async def main() -> int:
        reader, writer = await asyncio.open_connection(
            there.host.text, there.port, ssl=context_for(AUTHORITY.pem)
        )
        head = f"POST {there.path} HTTP/1.1\r\nHost: {there.authority}\r\nContent-Length: {len(BODY)}\r\n\r\n"
        writer.write(head.encode() + BODY)
        status = int((await reader.readline()).split()[1])
        writer.close()
        await writer.wait_closed()
        return status

    return asyncio.run(main())


CLIENTS = [on_requests, on_httpx, on_httpx_of_ones_own, on_asyncio]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
STRANGERS = {
    "wrong name": (AUTHORITY.issue("other.example.com", san=["127.0.0.1"]), "name-mismatch"),
    "untrusted chain": (Authority("Other Root").issue("127.0.0.1"), "untrusted-chain"),
    "expired": (AUTHORITY.issue("127.0.0.1", since=-2 * DAY, until=-DAY), "certificate-expired"),
}
RIGHT = AUTHORITY.issue("127.0.0.1")


def served(certificate: Certificate, version: ssl.TLSVersion) -> tuple[RawServer, Destination]:
    server = RawServer(certificate, versions=version)
    return server, Destination.parse(f"https://127.0.0.1:{server.port}")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", STRANGERS)
def test_a_stranger_gets_no_byte(client: Client, version: ssl.TLSVersion, case: str) -> None:
    """A wrong name, an untrusted chain and an expired certificate end each client before its first byte."""
    certificate, code = STRANGERS[case]
    server, there = served(certificate, version)
    with server:
        with pytest.raises((SmartlicError, httpx.ConnectError, ssl.SSLError)) as caught:
            client(there)
        server.settle()
    found = caught.value
    if not isinstance(found, SmartlicError):
        found = problem_for(found, there)
    assert isinstance(found, TrustError)
    assert found.code == code
    assert server.received == 0
    assert server.connections == 1


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_server_that_is_named_gets_the_message(client: Client, version: ssl.TLSVersion) -> None:
    """The counter-check: with the right certificate each client sends its message and gets the answer."""
    server, there = served(RIGHT, version)
    with server:
        assert client(there) == 200
    assert server.requests[0].endswith(BODY)
    assert server.received > len(BODY)
