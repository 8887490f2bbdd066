"""An application that is loaded when somebody asks for it first, beside the loop that serves.

Most servers, in tests above all, never show a page: they start without what pages need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mock_server.web.asgi import App, Receive, Scope, Send

__all__ = ["Later"]


class Later:
    """`load` imports and makes the application; it runs in a thread, once."""

    def __init__(self, load: Callable[[], App]) -> None:
        self._load = load
        self._app: App | None = None
        self._loading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            async with self._loading:
                if self._app is None:
                    self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)
