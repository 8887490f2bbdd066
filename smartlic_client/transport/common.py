"""What the transports share, whatever sends: settings as users give them, and an answer as it comes in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from smartlic_client.errors import CallerError, SmartlicError, problem
from smartlic_client.names import DnsHost, bad_host, parse_host
from smartlic_client.transport import MAX_ANSWER, HttpAnswer
from smartlic_client.transport.errors import (
    answer_too_large,
    bad_proxy,
    media_type,
    parse_retry_after,
    problem_for_answer,
)
from smartlic_client.transport.urls import Destination

if TYPE_CHECKING:
    from smartlic_client.transport.aio import AsyncTransport

__all__ = [
    "HEADER",
    "Addresses",
    "HttpRequest",
    "Judge",
    "Reading",
    "async_transport",
    "checked_addresses",
    "checked_proxy",
]

httpx_needed = problem(
    "httpx-needed",
    CallerError,
    "In an event loop httpx sends, and {missing} is not installed.",
    "Install it: pip install 'smartlic[async]'",
)

HEADER = {
    "User-Agent": "smartlic",
    "Accept": "application/json, application/soap+xml, text/xml",
    "Accept-Encoding": "identity",
}

Judge = Callable[[int, Mapping[str, str], Destination, float], SmartlicError | None]
"""Reads an answer's head as `errors.problem_for_answer` does: status, fields, whose answer, the time."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent. `query`: percent-encoded, without its `?`. `header` and `body` are not shown: secrets.

    `judge` says of an answer's head whether its body is read, `limit` how many bytes of that at most.
    """

    destination: Destination
    method: str = "POST"
    query: str = ""
    header: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    judge: Judge = field(default=problem_for_answer, repr=False)
    limit: int = MAX_ANSWER

    @property
    def url(self) -> str:
        return f"{self.destination.url}?{self.query}" if self.query else self.destination.url


Addresses = dict[tuple[str, int], str]
"""Host and port → the address to connect to, all in canonical form."""


def checked_addresses(resolve: Mapping[tuple[str, int], str]) -> Addresses:
    """Addresses of names that are not asked of the DNS; an address that is none is `bad-host`."""
    found = {}
    for (name, port), text in resolve.items():
        address = parse_host(text)
        if isinstance(address, DnsHost):
            raise bad_host(host=text, reason="names are resolved to addresses")
        found[parse_host(name).text, port] = address.text
    return found


def checked_proxy(proxy: str) -> str:
    """The same if it is the URL of a proxy that can be used, else `bad-proxy`."""
    try:
        parts = urlsplit(proxy)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise bad_proxy(reason=str(error)) from None
    if parts.scheme != "http" or not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise bad_proxy(reason="it is no URL of the form http://HOST:PORT")
    return proxy


def async_transport() -> type[AsyncTransport]:
    """The transport on httpx. Raises httpx-needed where that is not installed."""
    try:
        from smartlic_client.transport.aio import AsyncTransport
    except ModuleNotFoundError as error:
        if error.name not in ("httpx", "httpcore", "anyio"):
            raise
        raise httpx_needed(missing=error.name) from None
    return AsyncTransport


class Reading:
    """An answer as it comes in: judged by its head before its body is read, and capped.

    Raises AnswerError or CommunicationError of `transport.errors` as soon as the protocol cannot read it.
    """

    def __init__(self, status: int, header: Mapping[str, str], request: HttpRequest) -> None:
        self._header = {name.lower(): value for name, value in header.items()}
        if found := request.judge(status, self._header, request.destination, time.time()):
            raise found
        self._status = status
        self._request = request
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > self._request.limit:
            there = self._request.destination
            raise answer_too_large(url=there.url, host=there.host.text, limit=self._request.limit)

    def finish(self) -> HttpAnswer:
        retry_after = parse_retry_after(
            self._header.get("retry-after"), self._header.get("date"), time.time()
        )
        kind = media_type(self._header.get("content-type", ""))
        location = self._header.get("location", "")
        return HttpAnswer(self._status, kind, retry_after, bytes(self._body), location)
