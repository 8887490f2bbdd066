"""An application behind the faults that are set: what a request meets before and after its application."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, cast

from mock_server.faults import Endpoint, Faults, Request
from mock_server.scope import TRANSPORT
from mock_server.web.asgi import App, Receive, Scope, Send, raw_path, send_json

__all__ = ["NOTED", "Faulty"]

NOTED = "smartlic.request"
"""In a request's scope: what the journal will have of it."""
_CUTS = ("drop", "half")


class Faulty:
    """`endpoint(scope)` names the endpoint that a request is for."""

    def __init__(self, app: App, faults: Faults, endpoint: Callable[[Scope], Endpoint]) -> None:
        self._app = app
        self._faults = faults
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(
            at=time.time(),
            endpoint=self._endpoint(scope),
            method=scope["method"],
            path=raw_path(scope)[:300],
        )
        scope[NOTED] = request
        try:
            await self._through(scope, request, receive, send)
        finally:
            self._faults.note(request)

    async def _through(self, scope: Scope, request: Request, receive: Receive, send: Send) -> None:
        meets = self._faults.meets
        for kind in ("reset", "refuse"):
            if meets(kind, request):
                _end(scope, reset=kind == "reset")
                await _gone(receive)
                return
        if slow := meets("slow", request):
            await asyncio.sleep(slow.seconds)
        if told := meets("status", request):
            request.status = told.status
            headers = [] if told.retry_after is None else [(b"retry-after", b"%d" % told.retry_after)]
            await send_json(send, told.status, {"error": "a fault, on purpose"}, headers)
            return
        cut = next((kind for kind in _CUTS if meets(kind, request)), None)
        await self._app(scope, receive, _Cut(scope, request, cut, send).send)
        if cut is not None:
            await _gone(receive)


class _Cut:
    """What goes out: all of it, none of it, or half of the body and then the end of the connection."""

    def __init__(self, scope: Scope, request: Request, kind: str | None, send: Send) -> None:
        self._scope = scope
        self._request = request
        self._kind = kind
        self._send = send

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._request.status = message["status"]
        if self._kind == "drop":
            _end(self._scope)
        elif self._kind == "half" and message["type"] == "http.response.body":
            body = message.get("body", b"")
            await self._send({**message, "body": body[: len(body) // 2], "more_body": True})
            _end(self._scope)
        else:
            await self._send(message)


async def _gone(receive: Receive) -> None:
    """Until the end of the connection has been seen: else a server error would be sent into it."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _end(scope: Scope, *, reset: bool = False) -> None:
    """Close the connection, so that the client sees its end, or a reset."""
    transport = cast("asyncio.Transport | None", scope.get(TRANSPORT))
    if transport is None:
        raise ConnectionResetError("a fault, on purpose")
    if reset:
        # A close with what was not sent thrown away is a reset (socket(7), SO_LINGER).
        found: socket.socket | None = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
