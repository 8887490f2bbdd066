"""HTTP listeners whose sockets and connections are ours: a node must be able to fall silent (rule 3).

uvicorn's protocol serves the application; opening, counting, draining and aborting is done here, and so are
limits: uvicorn ends a connection that is idle after an answer, and waits for ever for one that sends a
request slowly, never sends one, or does not read its answer.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from email.utils import formatdate
from functools import partial
from typing import Any, cast

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mock_server.cluster.crowd import Crowd, client_of
from mock_server.cluster.machine import ASGIApp
from mock_server.scope import TRANSPORT

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 4_096
MAX_HEAD = 64 << 10
HEAD_TIMEOUT = 20.0
BODY_TIMEOUT = 60.0
UNREAD_TIMEOUT = 60.0
KEEP_ALIVE = 75
HANDSHAKE_TIMEOUT = 10.0
_ACCEPTS = 64
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
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
        self._sockets: list[socket.socket] = []
        self._crowd: Crowd[_Guest] = Crowd(MAX_CONNECTIONS)
        self._sweeper: asyncio.TimerHandle | None = None
        self.closed = False

    async def serve(self, sock: socket.socket) -> None:
        """Accept connections on a socket that listens already."""
        loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweep()
        sock.setblocking(False)
        self._sockets.append(sock)
        loop.add_reader(sock, self._accept, sock)

    @property
    def connections(self) -> int:
        return len(self._state.connections)

    def stop_accepting(self) -> None:
        """Close the listening sockets: the kernel grants the address to the next one from here on."""
        self.closed = True
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

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
        for guest in self._crowd:
            guest.show_out()
        for task in list(self._state.tasks):
            task.cancel()

    def _accept(self, sock: socket.socket) -> None:
        """Take connections from the kernel's queue, and begin with TLS."""
        for _ in range(_ACCEPTS):
            try:
                accepted, address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                if error.errno not in _NO_DESCRIPTOR:
                    raise
                self._make_room()
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            guest = _Guest(client_of(address[0]))
            guest.welcome = asyncio.get_running_loop().create_task(self._welcome(accepted, guest))
            guest.welcome.add_done_callback(partial(self._welcomed, accepted, guest))
            if (victim := self._crowd.enter(guest)) is not None:
                self._crowd.leave(victim)
                victim.show_out()

    async def _welcome(self, accepted: socket.socket, guest: _Guest) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: _Connection(self, guest, self._config, self._state, loop),
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
                ssl_shutdown_timeout=2.0 if self._tls else None,
            )
        except (OSError, asyncio.CancelledError) as error:  # of a stranger to TLS, or shown out
            log.debug("no connection: %s", error)

    def _welcomed(self, accepted: socket.socket, guest: _Guest, _task: asyncio.Task[None]) -> None:
        """Also of a task that was cancelled before it began."""
        guest.welcome = None
        if guest.connection is None:
            accepted.close()
            self.left(guest)

    def _make_room(self) -> None:
        """This process has no descriptor left: what waits in the queue is taken when somebody has gone."""
        victim = self._crowd.victim()
        if victim is not None:
            self._crowd.leave(victim)
            victim.show_out()
            return
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock)
            loop.call_later(1.0, self._accept_again, sock)

    def _accept_again(self, sock: socket.socket) -> None:
        if sock in self._sockets:
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def left(self, guest: _Guest) -> None:
        """A connection is gone."""
        self._crowd.leave(guest)

    def _sweep(self) -> None:
        """Once a second: the Date header, and who has been too slow."""
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        now = time.monotonic()
        for guest in self._crowd:
            if guest.connection is not None and guest.connection.is_too_slow(now):
                guest.show_out()
        self._sweeper = asyncio.get_running_loop().call_later(1.0, self._sweep)


class _Guest:
    """An accepted connection: in its TLS handshake it has a task, then it has a connection."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.welcome: asyncio.Task[None] | None = None
        self.connection: _Connection | None = None

    @property
    def busy(self) -> bool:
        return self.connection is not None and self.connection.busy

    def show_out(self) -> None:
        """Close it now."""
        if self.connection is not None:
            self.connection.transport.abort()
        elif self.welcome is not None:
            self.welcome.cancel()


class _Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits on size and time of a request, and on the time of its answer."""

    def __init__(
        self,
        listener: Listener,
        guest: _Guest,
        config: Config,
        state: ServerState,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, state, {}, loop)
        self._listener = listener
        self._guest = guest
        self._in_head = False
        self._head = 0
        self._head_since = 0.0
        self._body_since = 0.0
        self._unread_since = 0.0

    @property
    def busy(self) -> bool:
        """Whether a request has come whole and is being answered."""
        return not self._body_since and self.cycle is not None and not self.cycle.response_complete

    def is_too_slow(self, now: float) -> bool:
        """In sending a request's head or body, or in reading what was answered."""
        return (
            0 < self._head_since < now - HEAD_TIMEOUT
            or 0 < self._body_since < now - BODY_TIMEOUT
            or 0 < self._unread_since < now - UNREAD_TIMEOUT
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._guest.connection = self
        self._head_since = time.monotonic()
        # It may have been in its TLS handshake when the listener was closed.
        if self._listener.closed:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._listener.left(self._guest)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = time.monotonic()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = 0.0

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
        self._head_since = time.monotonic()
        self._in_head = True
        self._head = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_since = 0.0
        if sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > MAX_HEAD:
            raise ValueError("request head too large")
        self._body_since = time.monotonic()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._body_since = 0.0
        super().on_message_complete()

    def _too_large(self) -> None:
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        self.transport.close()
