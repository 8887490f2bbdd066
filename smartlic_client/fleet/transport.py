"""Messages of many devices over few connections, on aiohttp, with the same name check in the handshake.

docs/decisions/029 says why not httpx. What aiohttp does by itself and must not: follow redirects, keep
cookies, take proxies and roots from the environment, and unpack bodies.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from smartlic_client.transport.common import (
    HEADER,
    Addresses,
    HttpRequest,
    Reading,
    checked_addresses,
    checked_proxy,
)
from smartlic_client.transport.errors import (
    STDLIB_RULES,
    Rules,
    connection_closed,
    connection_timeout,
    not_a_licensing_server,
    problem_for,
    proxy_failed,
)
from smartlic_client.transport.tls import context_for
from smartlic_client.transport.urls import Destination

__all__ = ["FleetTransport"]

_RULES: Rules = (
    (aiohttp.ClientProxyConnectionError, proxy_failed),
    *STDLIB_RULES,
    (aiohttp.ServerTimeoutError, connection_timeout),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError), connection_closed),
    (aiohttp.ClientResponseError, not_a_licensing_server),
    (aiohttp.ClientConnectionError, connection_closed),
)


class FleetTransport:
    """At most `connections` at a time, kept open unless `anew`. Tasks of one loop share it."""

    def __init__(
        self,
        anchors_pem: bytes,
        *,
        connections: int,
        anew: bool = False,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        resolve: Mapping[tuple[str, int], str] | None = None,
        proxy: str | None = None,
    ) -> None:
        self._longest = connect_timeout + read_timeout
        self._proxy = None if proxy is None else checked_proxy(proxy)
        addresses = checked_addresses(resolve or {})
        connector = aiohttp.TCPConnector(
            limit=connections,
            ssl=context_for(anchors_pem),
            force_close=anew,
            resolver=_Resolver(addresses) if addresses else None,
            keepalive_timeout=None if anew else 60.0,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=HEADER,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout),
        )

    async def post(self, destination: Destination, body: bytes, content_type: str) -> bytes:
        """The answer's body: of 2xx, or of 4xx with JSON or XML. Raises as `transport.aio`."""
        request = HttpRequest(destination)
        header = {"Content-Type": content_type, "Host": destination.authority}
        try:
            async with (
                asyncio.timeout(self._longest),
                self._session.post(
                    destination.url, data=body, headers=header, allow_redirects=False, proxy=self._proxy
                ) as answer,
            ):
                reading = Reading(answer.status, answer.headers, request)
                async for piece in answer.content.iter_any():
                    reading.feed(piece)
                return reading.finish().body
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise problem_for(error, destination, _RULES) from error

    async def aclose(self) -> None:
        await self._session.close()


class _Resolver(AbstractResolver):
    """The addresses that were given for names, and the system's for the others."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._other = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        address = self._addresses.get((host, port))
        return await self._other.resolve(address or host, port, family)

    async def close(self) -> None:
        await self._other.close()
