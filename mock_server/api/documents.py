"""`/openapi.json`, and `/api-docs`, its page: made and served here, nothing is fetched from elsewhere.

Swagger UI comes from the package swagger-ui-py, which has it as files; the package's code is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
from starlette.responses import FileResponse, RedirectResponse, Response

from mock_server.api import problems
from mock_server.api.calls import Route
from mock_server.api.openapi import document
from mock_server.api.paths import DOCUMENT, PAGE
from mock_server.web.asgi import Receive, Scope, Send

__all__ = ["Documents"]

_OWN: Final = Path(__file__).parent / "static"
_BROUGHT: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_HEADERS: Final = {
    # Swagger UI sets styles from its script, which is no inline style; pictures in its style sheet are data.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


class Documents:
    """An ASGI application for a path that was freed of its prefix."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._document = b""

    async def __call__(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise problems.WRONG_METHOD(path=path[:200], method=scope["method"][:20], allow="GET, HEAD")
        await self._found(path)(scope, receive, send)

    def _found(self, path: str) -> Response:
        if path == DOCUMENT:
            self._document = self._document or msgspec.json.encode(document(self._routes))
            return Response(self._document, media_type="application/json", headers=_HEADERS)
        if path == PAGE:
            return FileResponse(_OWN / "page.html", headers=_HEADERS)
        name = path.removeprefix(PAGE + "/")
        if not name:
            return RedirectResponse("../api-docs", 308, headers=_HEADERS)
        if name == "start.js":
            return FileResponse(_OWN / name, headers=_HEADERS)
        if name in _BROUGHT:
            return FileResponse(_brought() / name, headers=_HEADERS)
        raise problems.NO_ROUTE(path=path[:200])


@cache
def _brought() -> Path:
    spec = find_spec("swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("swagger-ui-py is not installed")
    return Path(spec.submodule_search_locations[0]) / "static"
