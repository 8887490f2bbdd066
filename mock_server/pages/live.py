"""What pages are told while they are open: that something has changed, by server-sent events.

One task looks at the cluster's state while somebody listens; a change in the journal wakes it. A page that is
told fetches itself anew: what it may show is decided there.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple

import msgspec

from mock_server.cluster.listeners import Draining

__all__ = ["Lag", "Live"]

_PERIOD: Final = 0.5
_AT_MOST_EVERY: Final = 1.0
_SILENCE: Final = 15.0
_SAMPLES: Final = 720
_SHOWN: Final = ("active", "heartbeat", "mode", "in_sync")


class Lag(NamedTuple):
    """`behind`: changes that the Standby lacks; None: there is none. `at`: Unix seconds."""

    at: float
    behind: int | None


class Live:
    """`status()`: the cluster as this node sees it."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status
        self._number = 0
        self._wakers: set[asyncio.Event] = set()
        self._watcher: asyncio.Task[None] | None = None
        self.lag: deque[Lag] = deque(maxlen=_SAMPLES)

    def changed(self) -> None:
        """Something that a page may show is another now. Cheap: called with every change."""
        self._number += 1
        for waker in self._wakers:
            waker.set()

    def begin(self) -> None:
        """This node is Active: look at both servers as long as it is."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def end(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
        self.changed()

    async def _watch(self) -> None:
        before: Any = None
        ticks = 0
        while True:
            status = self._status()
            servers = [(one["role"], one["cluster"], one["database"]) for one in status["servers"].values()]
            now = ([status[name] for name in _SHOWN], servers)
            if before is not None and now != before:
                self.changed()
            if ticks % 10 == 0 or now != before:
                self.lag.append(Lag(time.time(), status["lag"]))
            before = now
            ticks += 1
            await asyncio.sleep(_PERIOD)

    async def stream(self, draining: Draining, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Events until the listener is drained, or the page's user is not `allowed` any more."""
        change, end = asyncio.Event(), asyncio.Event()
        self._wakers.add(change)
        draining.wakers |= {change, end}
        told = -1
        try:
            yield b"retry: 1000\n\n"
            while allowed() and not draining.begun:
                change.clear()
                if told != self._number:
                    told = self._number
                    yield self._event()
                    await _within(end, _AT_MOST_EVERY)
                elif not await _within(change, _SILENCE):
                    yield b": still here\n\n"
        finally:
            self._wakers.discard(change)
            draining.wakers -= {change, end}

    def _event(self) -> bytes:
        status = self._status()
        data = {"active": status["active"], "mode": status["mode"], "number": self._number}
        return b"event: change\ndata: " + msgspec.json.encode(data) + b"\n\n"


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for it; whether it came in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
