"""One connection between the two nodes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import cast

from mock_server.cluster.wire import FrameError, Frames, Message, encode

log = logging.getLogger(__name__)


class Link(asyncio.Protocol):
    """Frames over one TLS connection. Whoever owns it sets `on_message` and `on_lost`."""

    def __init__(
        self,
        on_message: Callable[[Link, Message], None],
        on_lost: Callable[[Link], None],
        on_made: Callable[[Link], None] | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on_message = on_message
        self.on_lost = on_lost
        self.last_byte = now()
        self.closed = False
        self.error: Exception | None = None
        self._now = now
        self._on_made = on_made
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.last_byte = self._now()
        if self.closed:
            self.abort()
        elif self._on_made:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        self.last_byte = self._now()
        try:
            messages = self._frames.feed(data)
        except FrameError as error:
            log.warning("peer connection closed: %s", error)
            self.abort()
            return
        for message in messages:
            if self.closed:
                return
            self.on_message(self, message)

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.error = exc
            log.debug("peer connection lost: %s", exc)
        self.closed = True
        self._transport = None
        self.on_lost(self)

    def send(self, message: Message) -> None:
        """Send a message; nothing happens when the connection is gone."""
        if self._transport is not None and not self.closed:
            self._transport.write(encode(message))

    def close(self) -> None:
        """Close after what was sent has left."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
