"""The API as an ASGI application: routing, who may, reading, answering, and errors as JSON.

An answer leaves when all that it shows is on the disks of both servers (server.md, "Replication").
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router

from mock_server.api import permissions, problems, reading
from mock_server.api.calls import Call, Listing, Result, Route
from mock_server.api.documents import Documents
from mock_server.api.limits import RateLimit
from mock_server.api.paths import is_document, path_of
from mock_server.api.permissions import Caller
from mock_server.api.routes import ROUTES
from mock_server.errors import CommunicationError, SmartlicError
from mock_server.serving import Serving
from mock_server.web.asgi import ClientGone, Receive, Scope, Send

__all__ = ["ApiEndpoint"]

log = logging.getLogger(__name__)

_JSON: Final = "application/json"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_NOBODY: Final = Caller("", "", None)


class _Name(Convertor[str]):
    """A name in a path that was not decoded yet: an encoded slash is a part of it."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        raise NotImplementedError


register_url_convertor("name", _Name())


class ApiEndpoint:
    """`serving()`: what serves while this node is Active; it raises not-active otherwise."""

    def __init__(self, serving: Callable[[], Serving], body_seconds: float = reading.BODY_SECONDS) -> None:
        self._serving = serving
        self._body_seconds = body_seconds
        self._limit = RateLimit()
        self._documents = Documents(ROUTES)
        by_path: dict[str, dict[str, Route]] = {}
        for route in ROUTES:
            by_path.setdefault(route.path, {})[route.method] = route
        self._router = Router(
            [self._at(path, routes) for path, routes in by_path.items()],
            redirect_slashes=False,
            default=_no_route,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def sending(message: Any) -> None:
            nonlocal began
            began = True
            await send(message)

        path = path_of(scope)
        try:
            if is_document(path):
                await self._documents(path, scope, receive, sending)
            else:
                inner = {**scope, "path": path.rstrip("/"), "root_path": "", "app": self}
                await self._router(inner, receive, sending)
        except ClientGone:
            return
        except Exception as error:
            if began:
                raise  # what has begun is cut, so that nobody takes it for whole
            await _refusal(error, scope)(scope, receive, send)

    def _at(self, path: str, routes: Mapping[str, Route]) -> StarletteRoute:
        return StarletteRoute(
            path.replace("}", ":name}"), _Endpoint(self._handle, routes), methods=list(routes)
        )

    async def _handle(self, route: Route, scope: Scope, receive: Receive) -> Response:
        call = self._admitted(route, scope)
        spender = call.caller.bearer or call.address
        self._limit.spend(spender, call.state.settings.rate_limit, time.monotonic())
        said = reading.credentials(scope["headers"]) if route.public else {}
        said.update(reading.query(scope["query_string"]))
        if reading.has_body(scope):
            raw = await reading.body(scope, receive, self._body_seconds)
            said.update(reading.fields(raw, _header(scope, b"content-type")))
            # What let it in may have ended, or this node's time, while the body came.
            call = self._admitted(route, scope)
        asked = reading.shaped(said, route.takes)
        with _told_if_maybe_done(route):
            result = await route.run(call, asked)
        if isinstance(result, Listing) and result.is_long:
            return StreamingResponse(_pieces(call.serving, result), media_type=_JSON, headers=_HEADERS)
        content = _whole(result)
        with _told_if_maybe_done(route, done=True):
            await call.serving.ledger.settled()
        return Response(content, media_type=_JSON, headers=_HEADERS)

    def _admitted(self, route: Route, scope: Scope) -> Call:
        """The call, if whoever makes it may make it now."""
        serving = self._serving()
        path = scope["path_params"]
        if route.public:
            return Call(serving, _NOBODY, address=_address(scope))
        state = serving.state
        caller = permissions.caller_of(state, permissions.bearer_of(scope["headers"]), serving.now())
        if "account" in path:
            permissions.own_account(caller, path["account"])
        return Call(serving, caller, path.get("account", ""), path.get("virtual_account", ""))


class _Endpoint:
    """One path, with a route for each of its methods."""

    def __init__(self, handle: Callable[..., Any], routes: Mapping[str, Route]) -> None:
        self._handle = handle
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        response = await self._handle(self._routes[method], scope, receive)
        await response(scope, receive, send)


@contextmanager
def _told_if_maybe_done(route: Route, done: bool = False) -> Iterator[None]:
    """A change that is `done`, or may be on the other server's disk, gets no 503, which is sent again."""
    try:
        yield
    except CommunicationError as error:
        if route.changes and (done or error.context.get("kept") == "unknown"):
            raise problems.OUTCOME_UNKNOWN() from error
        raise


def _whole(result: Result) -> bytes:
    return b"".join(result.pieces()) if isinstance(result, Listing) else msgspec.json.encode(result)


async def _pieces(serving: Serving, listing: Listing) -> AsyncIterator[bytes]:
    """Each piece leaves when what it shows is safe."""
    for piece in listing.pieces():
        await serving.ledger.settled()
        yield piece
        await asyncio.sleep(0)  # a reader that keeps up would leave no turn to keepalives


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


def _address(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""


async def _no_route(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise problems.NO_ROUTE(path=scope["path"][:200])


def _refusal(error: Exception, scope: Scope) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        allow = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        error = problems.WRONG_METHOD(path=scope["path"][:200], method=scope["method"][:20], allow=allow)
    if not isinstance(error, SmartlicError):
        log.error("a call of the API failed", exc_info=error)
        error = problems.INTERNAL()
    body = problems.body_of(error)
    if path_of(scope).startswith("/oauth/"):
        body["error"] = problems.oauth_word(error)
    return Response(
        msgspec.json.encode(body),
        problems.status_of(error),
        {**_HEADERS, **problems.headers_of(error)},
        media_type=_JSON,
    )
