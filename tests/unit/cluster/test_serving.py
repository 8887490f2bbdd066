"""What is answered while a server opens its addresses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mock_server.cluster.config import Layout, configure
from mock_server.cluster.serving import Serving


class Knocking:
    """A world whose listeners are asked as soon as they listen, and a service whose applications say 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def device_app(self) -> Any:
        return self._app

    gui_app = device_app

    def device_tls(self) -> None:
        return None

    gui_tls = device_tls

    async def _app(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def time(self) -> float:
        return 0.0

    def bind(self, *_place: Any, **_how: Any) -> object:
        return type("Port", (), {"close": lambda _self: None})()

    def listener(self, app: Any, _tls: Any) -> Any:
        world = self

        class Asked:
            async def serve(self, _port: object) -> None:
                async def send(message: Any) -> None:
                    if message["type"] == "http.response.start":
                        world.statuses.append(message["status"])

                await app({"type": "http"}, None, send)

            def abort(self) -> None:
                pass

        return Asked()


def test_rule_5_a_server_that_opens_answers_nothing_and_pages_tell_a_start(tmp_path: Path) -> None:
    """Products get 503 until all is open; pages and API 502 after the server was started, else 503."""

    async def scenario() -> None:
        world: Any = Knocking()
        serving = Serving("primary", configure(), Layout(tmp_path), world, world)
        await serving.take_vip()
        await serving.open()
        assert world.statuses == [503, 502, 503, 502]
        serving.abort()
        world.statuses.clear()
        await serving.take_vip()
        await serving.open()
        assert world.statuses == [503, 503, 503, 503]

    asyncio.run(scenario())
