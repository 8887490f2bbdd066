"""The GUI listener: the pages, the trust anchor, and a health answer for tools.

Only the Active serves it, so that the pages' address alone shows where the GUI is (A2.3, A2.13).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mock_server.errors import SmartlicError
from mock_server.web.asgi import App, Receive, Scope, Send, send_json, send_problem, send_whole

__all__ = ["FOOT", "SECURITY", "GuiEndpoint"]

FOOT = (
    "A mock for tests. It authorizes no real product and has no affiliation with Cisco. "
    "Cisco and Smart Licensing are names of Cisco Systems, Inc."
)

SECURITY = [
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]


class GuiEndpoint:
    """An ASGI application. `status()`: both servers; `anchor()`: PEM and fingerprint of the trust anchor.

    `pages`: what serves all other paths."""

    def __init__(
        self,
        status: Callable[[], dict[str, Any]],
        anchor: Callable[[], tuple[bytes, str]],
        pages: App,
    ) -> None:
        self._status = status
        self._anchor = anchor
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in ("/health", "/trust-anchor.pem"):
            await self._pages(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await send_json(send, 405, {"method": ["Only GET."]}, [(b"allow", b"GET, HEAD")])
        elif path == "/health":
            await send_json(send, 200, self._status())
        else:
            try:
                pem, _fingerprint = self._anchor()
            except SmartlicError as error:
                await send_problem(send, 503, error)
                return
            await send_whole(send, 200, b"application/x-pem-file", pem)
