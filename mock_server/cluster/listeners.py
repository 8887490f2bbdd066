"""HTTP listeners whose sockets and connections are ours: a node must be able to fall silent (rule 3).

uvicorn's protocol serves the application; opening, counting, draining and aborting is done here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from email.utils import formatdate
from typing import Any, cast

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mock_server.cluster.machine import ASGIApp
from mock_server.scope import TRANSPORT

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 4_096
MAX_HEAD = 64 << 10
HEAD_TIMEOUT = 20.0
KEEP_ALIVE = 75
HANDSHAKE_TIMEOUT = 10.0
_READ = 256 << 10  # the end of another request may come in the same read


class Refusal:
    """A whole answer of a server that does not serve."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        said = {"status": "ERROR", "code": code, "statusMessage": sentence, "mend": "Ask again in a second."}
        body = msgspec.json.encode(said)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", b"1"),
            (b"connection", b"close"),
        ]
        self.messages = (
            {"type": "http.response.start", "status": status, "headers": headers},
            {"type": "http.response.body", "body": body},
        )


NOT_ACTIVE = Refusal(503, "not-active", "This server is not Active just now.")
BOOTING = Refusal(502, "booting", "This server has just been started, and does not serve yet.")
"""Of the pages and the REST API, like that of a web server in front of them that is up first."""


DRAINING = "smartlic.draining"
"""In a request's scope: a `Draining`."""


class Draining:
    """Told to long answers: `begun` is true, and every event in `wakers` is set, when they have to end."""

    def __init__(self) -> None:
        self.begun = False
        self.wakers: set[asyncio.Event] = set()

    def begin(self) -> None:
        self.begun = True
        for waker in self.wakers:
            waker.set()


class Gate:
    """In front of the applications: shut, all get a refusal (rule 5); it counts who is inside."""

    def __init__(self) -> None:
        self.open = False
        self.inside = 0
        self._empty: asyncio.Event | None = None
        self._draining = Draining()

    def wrap(self, app: ASGIApp, refusal: Refusal = NOT_ACTIVE) -> ASGIApp:
        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if not self.open:
                for message in refusal.messages:
                    await send(message)
                return
            self.inside += 1
            scope[DRAINING] = self._draining
            try:
                await app(scope, receive, send)
            finally:
                self.inside -= 1
                if self._empty is not None and not self.inside:
                    self._empty.set()

        return guarded

    async def emptied(self, within: float) -> bool:
        """Wait until nobody is inside; False when that takes too long."""
        self._empty = asyncio.Event()
        self._draining.begin()
        if not self.inside:
            return True
        try:
            async with asyncio.timeout(within):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True


class Listener:
    """One application on any number of sockets."""

    def __init__(self, app: ASGIApp, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._config = Config(
            app,
            lifespan="off",
            http=HttpToolsProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self._config.load()
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self.closed = False

    async def serve(self, sock: socket.socket) -> None:
        """Accept connections on a socket that listens already."""
        loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweep()
        server = await loop.create_server(
            lambda: _Connection(self, self._config, self._state, loop),
            sock=sock,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
            ssl_shutdown_timeout=2.0 if self._tls else None,
        )
        self._servers.append(server)

    @property
    def connections(self) -> int:
        return len(self._state.connections)

    def stop_accepting(self) -> None:
        """Close the listening sockets: the kernel grants the address to the next one from here on."""
        self.closed = True
        for server in self._servers:
            server.close()
        self._servers.clear()

    def finish(self) -> None:
        """Close idle connections now, the others after their answer."""
        for connection in list(self._state.connections):
            connection.shutdown()

    def abort(self) -> None:
        """Close every connection now; what it was to answer is dropped (rule 3)."""
        self.stop_accepting()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()

    def _sweep(self) -> None:
        """Once a second: the Date header, and who has been sending a request's head for too long."""
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        limit = time.monotonic() - HEAD_TIMEOUT
        for connection in list(self._state.connections):
            if isinstance(connection, _Connection) and 0 < connection.head_since < limit:
                connection.transport.abort()
        self._sweeper = asyncio.get_running_loop().call_later(1.0, self._sweep)


class _Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits on the head of a request and on the number of connections."""

    def __init__(
        self, listener: Listener, config: Config, state: ServerState, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(config, state, {}, loop)
        self._listener = listener
        self._in_head = False
        self._head = 0
        self.head_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.head_since = time.monotonic()
        # It may have been in its TLS handshake when the listener was closed.
        if self._listener.closed or len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            # The parser gathers a header line of any length before it tells us of it.
            self._head += len(data)
            if self._head > MAX_HEAD + _READ:
                self._too_large()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[TRANSPORT] = self.transport
        self.head_since = time.monotonic()
        self._in_head = True
        self._head = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self.head_since = 0.0
        if sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > MAX_HEAD:
            raise ValueError("request head too large")
        super().on_headers_complete()

    def _too_large(self) -> None:
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        self.transport.close()
