"""Messages over HTTPS on httpx, in an event loop of asyncio.

What httpx and httpcore do by themselves and must not (names, "Measured: how to enforce it in requests and
httpx"): take proxies and roots from the environment, let a request change the name that is checked
(`sni_hostname`), read a redirect's target before the answer is judged, keep cookies, unpack a body, and leave
a connection open that is cancelled in the middle of its handshake.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import anyio
import httpcore
import httpx

from smartlic_client.errors import RemoteError
from smartlic_client.names import Policy, parse_host
from smartlic_client.transport import HttpAnswer
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
from smartlic_client.transport.tls import LicensingContext, context_for
from smartlic_client.transport.urls import Destination

__all__ = ["AsyncTransport"]

_BROKEN = (
    anyio.BrokenResourceError,
    anyio.BusyResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
)

# Everything that httpx and the libraries beneath it raise
_LOWER = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    httpcore.ConnectionNotAvailable,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    *_BROKEN,
    anyio.DelimiterNotFound,
    anyio.WouldBlock,
    OSError,
)

_RULES: Rules = (
    ((httpx.ProxyError, httpcore.ProxyError), proxy_failed),
    *STDLIB_RULES,
    ((httpx.TimeoutException, httpcore.TimeoutException), connection_timeout),
    (_BROKEN, connection_closed),
    ((httpx.ReadError, httpx.WriteError, httpx.CloseError), connection_closed),
    ((httpcore.ReadError, httpcore.WriteError), connection_closed),
    ((httpx.RemoteProtocolError, httpcore.RemoteProtocolError, httpx.DecodingError), not_a_licensing_server),
)
_RULES_OF_A_CLOSED_CONNECTION: Rules = (
    ((httpx.RemoteProtocolError, httpcore.RemoteProtocolError), connection_closed),
    *_RULES,
)
_RULES_OF_THE_PROXY: Rules = ((BaseException, proxy_failed),)


@dataclass
class _Course:
    """How far a request has come; it tells what an exception means."""

    request: HttpRequest
    asking_proxy: bool = False
    sent: bool = False
    start: bytes = b""
    closed: bool = False
    reading: Reading | None = None

    @property
    def rules(self) -> Rules:
        if self.asking_proxy:
            return _RULES_OF_THE_PROXY
        return _RULES_OF_A_CLOSED_CONNECTION if self.closed else _RULES


_course: ContextVar[_Course] = ContextVar("course")


class AsyncTransport:
    """Sends messages to destinations whose chain leads to `anchors_pem` and whose name holds.

    Settings, answers and problems are those of `SyncTransport`. Tasks of one loop may share it. A `post` that
    is cancelled closes its connection.
    """

    def __init__(
        self,
        anchors_pem: bytes,
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        resolve: Mapping[tuple[str, int], str] | None = None,
        proxy: str | None = None,
        policy: Policy = Policy.COMMON_NAME,
    ) -> None:
        self._longest = connect_timeout + read_timeout
        self._client = httpx.AsyncClient(
            transport=_Wire(context_for(anchors_pem, policy), checked_addresses(resolve or {}), proxy),
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers=HEADER,
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            event_hooks={"response": [_judge]},
        )

    async def post(self, destination: Destination, body: bytes, content_type: str) -> HttpAnswer:
        """Send a message and return the answer: 2xx, or 4xx with a JSON or XML body.

        Raises CommunicationError, TrustError or AnswerError of `transport.errors`, and nothing of httpx or of
        the libraries beneath it. Nothing is tried again here.
        """
        request = HttpRequest(destination, header={"Content-Type": content_type}, body=body)
        return await self.exchange(request)

    async def exchange(self, request: HttpRequest) -> HttpAnswer:
        """The same for any request: which answers are returned is up to its judge. A failure knows `sent`."""
        outer = sys.exception()
        course = _Course(request)
        token = _course.set(course)
        try:
            async with asyncio.timeout(self._longest):
                return await self._exchange(course)
        except _LOWER as error:
            found = problem_for(error, request.destination, course.rules, outer)
            if isinstance(found, RemoteError):
                found.sent = course.sent
            raise found from error
        finally:
            _course.reset(token)

    async def _exchange(self, course: _Course) -> HttpAnswer:
        asked = course.request
        header = {**asked.header, "Host": asked.destination.authority}
        request = self._client.build_request(asked.method, asked.url, content=asked.body, headers=header)
        response = await self._client.send(request, stream=True)
        try:
            reading = course.reading
            assert reading is not None  # noqa: S101 - narrows the type; `_judge` has set it
            async for chunk in response.aiter_raw():
                reading.feed(chunk)
            return reading.finish()
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the connections that are kept alive."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def _judge(response: httpx.Response) -> None:
    """Read the head before httpx does, which fails where a redirect leads to no URL."""
    course = _course.get()
    course.reading = Reading(response.status_code, response.headers, course.request)


class _Wire(httpx.AsyncBaseTransport):
    """Connects with one `LicensingContext`, to the addresses given for names, by the proxy if there is one.

    On httpcore itself: httpx's own transport does not let the addresses be given.
    """

    def __init__(self, context: LicensingContext, addresses: Addresses, proxy: str | None) -> None:
        self._addresses = addresses
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            proxy=None if proxy is None else _proxy(proxy),
            max_connections=None,
            http1=True,
            http2=False,
            network_backend=_Network({} if proxy is not None else addresses, proxied=proxy is not None),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme != "https":
            raise httpx.UnsupportedProtocol("licensing messages are sent over TLS only", request=request)
        if "sni_hostname" in request.extensions:
            raise ValueError("the name that is checked is always that of the URL")
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore.Request(
            request.method,
            url,
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": request.extensions["timeout"]},
        )
        # This request has its own target already, and CONNECT takes over its extensions: a proxy is asked for
        # the address given for a name, and for an IPv6 address in brackets, which httpcore leaves out.
        host, port = _course.get().request.destination.host, _course.get().request.destination.port
        to = parse_host(self._addresses.get((host.text, port), host.text))
        sent.extensions["target"] = f"{to.url_text}:{port}".encode()
        answer = await self._pool.handle_async_request(sent)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.aiter_stream():
            yield piece

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Network(httpcore.AsyncNetworkBackend):
    """Connects to the proxy, or to the address given for the name, or else to the name."""

    def __init__(self, addresses: Addresses, proxied: bool) -> None:
        self._below = httpcore.AnyIOBackend()
        self._addresses = addresses
        self._proxied = proxied

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        _course.get().asking_proxy = self._proxied
        host = self._addresses.get((host, port), host)
        return _Stream(
            await self._below.connect_tcp(host, port, timeout, local_address, socket_options), tls=False
        )


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that notes what the post has come to, and is closed whenever its handshake ends badly."""

    def __init__(self, below: httpcore.AsyncNetworkStream, tls: bool) -> None:
        self._below = below
        self._tls = tls

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        piece = await self._below.read(max_bytes, timeout)
        course = _course.get()
        course.closed = not piece
        if self._tls and len(course.start) < len(_HTTP):
            course.start += piece[: len(_HTTP) - len(course.start)]
            if not _HTTP.startswith(course.start):
                course.closed = False
                raise httpcore.RemoteProtocolError("its answer is no HTTP")
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if self._tls:
            _course.get().sent = True
        await self._below.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._below.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        _course.get().asking_proxy = False
        try:
            return _Stream(await self._below.start_tls(ssl_context, server_hostname, timeout), tls=True)
        except BaseException:
            await self._below.aclose()  # httpcore does so for an `Exception` only
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._below.get_extra_info(info)


_HTTP = b"HTTP/"


def _proxy(url: str) -> httpcore.Proxy:
    parts = urlsplit(checked_proxy(url))
    user = None
    if parts.username is not None:
        user = (unquote(parts.username), unquote(parts.password or ""))
    where = httpcore.URL(scheme="http", host=parts.hostname or "", port=parts.port or 80, target="/")
    return httpcore.Proxy(where, auth=user)
