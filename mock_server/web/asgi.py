"""The little of ASGI that the endpoints share: reading a bounded body, sending one whole answer."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from mock_server.errors import SmartlicError

__all__ = [
    "App",
    "BodyTooLarge",
    "ClientGone",
    "Receive",
    "Scope",
    "Send",
    "raw_path",
    "read_body",
    "send_json",
    "send_problem",
    "send_whole",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[..., Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


class BodyTooLarge(Exception):
    """The request's body is over the limit; it has not been read to its end."""


class ClientGone(Exception):
    """The client closed before its request was whole."""


def raw_path(scope: Scope) -> str:
    """The path as it was sent, without its query: a name in it may have an encoded slash or per cent sign."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else quote(scope["path"])
    return str(path).partition("?")[0]


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. A Content-Length over `limit` is refused unread, a longer stream at the limit."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > limit):
            raise BodyTooLarge
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_whole(
    send: Send, status: int, content_type: bytes, body: bytes, headers: Headers = ()
) -> None:
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *headers,
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, data: Any, headers: Headers = ()) -> None:
    await send_whole(send, status, b"application/json", msgspec.json.encode(data), headers)


async def send_problem(send: Send, status: int, error: SmartlicError) -> None:
    """An error as JSON; with `retry_after`, the header too, in whole seconds (RFC 9110, section 10.2.3)."""
    headers = []
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    await send_json(send, status, {"error": error.as_dict()}, headers)
