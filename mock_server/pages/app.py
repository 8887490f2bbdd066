"""The pages as an ASGI application: routes, sign-in, what every answer bears, and errors as pages."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from mock_server.cluster.problems import INTERNAL
from mock_server.errors import CallerError, CommunicationError, SmartlicError, problem
from mock_server.pages import admin, doing, licensing, pictures, signing_in
from mock_server.pages.actions import CHANGED_MEANWHILE
from mock_server.pages.rendering import STATIC, static
from mock_server.pages.site import Site
from mock_server.pages.visit import NO_PAGE, NOT_ALLOWED, Visit
from mock_server.web.asgi import BodyTooLarge, ClientGone, Receive, Scope, Send, read_body

__all__ = ["Pages"]

log = logging.getLogger(__name__)

Handler = Callable[[Visit], Awaitable[Response]]
_LARGEST_BODY: Final = 8 << 20
"""An answer of CSSM that was carried here by file may be long."""
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

FORM_TOO_LARGE = problem(
    "form-too-large",
    CallerError,
    "The form is larger than {limit} bytes.",
    "Send less at once.",
)


class Pages:
    """`site()`: what the pages show while this node is Active. Raises not-active otherwise."""

    def __init__(self, site: Callable[[], Site]) -> None:
        self._site = site
        self._app = Starlette(
            routes=[
                Route("/static/{name}", self._static),
                Route("/sign-in", self._open(signing_in.form)),
                Route("/sign-in", self._open(signing_in.sign_in), methods=["POST"]),
                Route("/sign-out", self._signed_in(signing_in.sign_out), methods=["POST"]),
                Route("/live", self._signed_in(pictures.live)),
                Route("/do", self._signed_in(doing.do), methods=["POST"]),
                Route("/", self._signed_in(licensing.home)),
                *(Route(path, self._signed_in(handler)) for path, handler in licensing.PAGES.items()),
                *(Route(path, self._signed_in(handler)) for path, handler in pictures.PAGES.items()),
                *(Route(path, self._signed_in(handler, admin=True)) for path, handler in admin.PAGES.items()),
                Route("/admin", self._to_admin),
                Route("/{path:path}", self._signed_in(_nothing)),
            ],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            try:
                body = await read_body(scope, receive, _LARGEST_BODY)
            except ClientGone:
                return
            except BodyTooLarge:
                body, scope["path"], scope["method"] = b"", "/too-large", "GET"
            receive = _replayed(body, receive)
        await self._app(scope, receive, _with_headers(send))

    # ---- who may see it -----------------------------------------------------------------------------------
    def _open(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._answer(request, handler)

        return endpoint

    def _signed_in(
        self, handler: Handler, *, admin: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(visit: Visit) -> Response:
            if visit.user is None:
                return signing_in.needed(visit)
            if admin and not visit.is_administrator:
                raise NOT_ALLOWED(user=visit.user.name)
            return await handler(visit)

        return self._open(guarded)

    async def _answer(self, request: Request, handler: Handler) -> Response:
        visit: Visit | None = None
        try:
            visit = self._visit(request)
            return await handler(visit)
        except SmartlicError as error:
            return _failed(visit, error)
        except Exception:
            log.exception("a page failed: %s", request.url.path[:200])
            node = visit.site.context.name if visit is not None else "the server"
            return _failed(visit, INTERNAL(node=node, log="the server's log"), 500)

    def _visit(self, request: Request) -> Visit:
        site, now = self._site(), time.time()
        sessions = site.sessions
        session = sessions.read(request.cookies.get(sessions.cookie), now)
        user = sessions.user(session, site.serving.state) if session is not None else None
        if session is not None and (user is not None or not session.user):
            return Visit(site, request, session, user)
        new = sessions.anonymous(now)
        return Visit(site, request, new, None, new_session=new)

    # ---- what needs nobody --------------------------------------------------------------------------------
    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            return PlainTextResponse("There is nothing here.", 404)
        data, version = static(name)
        long = request.query_params.get("v") == version
        headers = {"cache-control": "public, max-age=31536000, immutable" if long else "no-cache"}
        return Response(data, media_type=STATIC[name], headers=headers)

    async def _to_admin(self, _request: Request) -> Response:
        return RedirectResponse("/admin/", 307)


async def _nothing(visit: Visit) -> Response:
    if visit.request.url.path == "/too-large":
        raise FORM_TOO_LARGE(limit=_LARGEST_BODY)
    raise NO_PAGE(path=visit.request.url.path[:200])


def _failed(visit: Visit | None, error: SmartlicError, status: int | None = None) -> Response:
    """An error as a page that says what to do."""
    status = status or _status(error)
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if visit is None:  # this node is not Active: there is nobody to render for
        return PlainTextResponse(f"{error.sentence} {error.mend}", status, headers)
    response = visit.render("error.html.j2", status, error=error, back=_back(visit))
    response.headers.update(headers)
    return response


def _back(visit: Visit) -> str:
    form = getattr(visit.request.state, "back", "")
    return form or "/"


def _status(error: SmartlicError) -> int:
    if isinstance(error, CommunicationError):
        return 503
    if error.code == NOT_ALLOWED.code:
        return 403
    if error.code == FORM_TOO_LARGE.code:
        return 413
    if error.code == CHANGED_MEANWHILE.code:
        return 409
    if error.code == NO_PAGE.code or error.code.endswith(("-unknown", "-not-there")):
        return 404
    return 400


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body, read already, for who reads it again."""
    said = False

    async def again() -> Any:
        nonlocal said
        if said:
            return await receive()
        said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            extra = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            if b"cache-control" not in there:
                extra.append((b"cache-control", b"no-store"))
            message = {
                **message,
                "headers": [
                    *message["headers"],
                    *((name, value) for name, value in extra if name not in there),
                ],
            }
        await send(message)

    return sending
