"""What the transports share, whatever sends: settings as users give them, and an answer as it comes in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

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

__all__ = ["HEADER", "Addresses", "Reading", "checked_addresses", "checked_proxy"]

HEADER = {
    "User-Agent": "smartlic",
    "Accept": "application/json, application/soap+xml, text/xml",
    "Accept-Encoding": "identity",
}

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


class Reading:
    """An answer as it comes in: judged by its head before its body is read, and capped.

    Raises AnswerError or CommunicationError of `transport.errors` as soon as the protocol cannot read it.
    """

    def __init__(self, status: int, header: Mapping[str, str], destination: Destination) -> None:
        self._header = {name.lower(): value for name, value in header.items()}
        if found := problem_for_answer(status, self._header, destination, time.time()):
            raise found
        self._status = status
        self._destination = destination
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > MAX_ANSWER:
            there = self._destination
            raise answer_too_large(url=there.url, host=there.host.text, limit=MAX_ANSWER)

    def finish(self) -> HttpAnswer:
        retry_after = parse_retry_after(
            self._header.get("retry-after"), self._header.get("date"), time.time()
        )
        kind = media_type(self._header["content-type"])
        return HttpAnswer(self._status, kind, retry_after, bytes(self._body))
