"""One end of a connection between two simulated processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mock_server.cluster.link import Link

if TYPE_CHECKING:
    from mock_server.simulation.network import Computer, SimulatedWorld

__all__ = ["RESET", "Pipe"]

RESET = "Connection reset by peer"


class Pipe(asyncio.Transport):
    """Bytes arrive later, in order, unless it was reset."""

    def __init__(self, computer: Computer, owner: SimulatedWorld, link: Link) -> None:
        super().__init__()
        self.other: Pipe | None = None
        self.owner = owner
        self.vanished = False
        """It lost its power: what it has sent and is not there yet never comes."""
        self._computer = computer
        self._link = link
        self._closed = False
        self._lost = False
        self._due = 0.0

    def made(self) -> None:
        if not self._lost:
            self._link.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._closed and self.other is not None:
            self._send(self.other.arrive, bytes(data))

    def close(self) -> None:
        """After what was written has arrived, the other end sees the end."""
        if not self._closed:
            self._closed = True
            if self.other is not None:
                self._send(self.other.lose, None)
            self.owner.loop.call_soon(self.lose, None)

    def abort(self) -> None:
        if not self._closed:
            self._closed = True
            if self.other is not None:
                self._send(self.other.lose, ConnectionResetError(RESET))
        self.owner.loop.call_soon(self.lose, None)

    def is_closing(self) -> bool:
        return self._closed

    def arrive(self, data: bytes) -> None:
        if not self._closed and not (self.other is not None and self.other.vanished):
            self._link.data_received(data)

    def lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closed = True
            self.owner.pipes.pop(self, None)
            self._link.connection_lost(error)

    def _send(self, call: Callable[..., None], what: Any) -> None:
        assert self.other is not None  # noqa: S101 - narrows the type
        far = self.other.owner
        if self._computer.weather.hold(self.owner.name, far.name, lambda: self._leave(call, what)):
            return
        self._leave(call, what)

    def _leave(self, call: Callable[..., None], what: Any) -> None:
        assert self.other is not None  # noqa: S101 - narrows the type
        self._due = max(self._due, self._computer.scheduler.now + self._computer.between_nodes())
        self.other.owner.loop.call_at(self._due, call, what)
