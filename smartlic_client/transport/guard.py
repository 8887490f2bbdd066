"""Ends connections whose time is over, from outside.

A socket's timeout is looked at between reads. A server that sends what OpenSSL passes over by itself, such as
HelloRequests or session tickets without end, keeps it inside one call; so at the deadline the connection is
shut down under it, and the call ends.
"""

from __future__ import annotations

import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["guarded"]


@contextmanager
def guarded(sock: socket.socket, until: float) -> Iterator[None]:
    """Shut `sock` down at `until` if the block is not left by then; what it raises becomes TimeoutError."""
    entry = _Entry(sock)
    _watchdog.watch(until, entry)
    try:
        yield
    except OSError:
        if _watchdog.forget(entry):
            raise
        raise TimeoutError("the time for this connection is over") from None
    finally:
        _watchdog.forget(entry)


class _Entry:
    """A connection under watch; `sock` is None once it is left or was shut down."""

    __slots__ = ("over", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock: socket.socket | None = sock
        self.over = False


class _Watchdog:
    """One thread for all connections; it sleeps until the next deadline, and is there only once needed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, _Entry]] = []
        self._number = itertools.count()
        self._running = False

    def watch(self, until: float, entry: _Entry) -> None:
        with self._changed:
            heapq.heappush(self._waiting, (until, next(self._number), entry))
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="deadlines", daemon=True).start()
            elif self._waiting[0][2] is entry:
                self._changed.notify()

    def forget(self, entry: _Entry) -> bool:
        """Whether the connection was left in time. Never shut down after this."""
        with self._changed:
            entry.sock = None
            return not entry.over

    def _run(self) -> None:
        with self._changed:
            while True:
                while self._waiting and self._waiting[0][2].sock is None:
                    heapq.heappop(self._waiting)
                if not self._waiting:
                    self._changed.wait()
                    continue
                left = self._waiting[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                self._end(heapq.heappop(self._waiting)[2])

    def _end(self, entry: _Entry) -> None:
        if entry.sock is None:
            return
        entry.over = True
        with suppress(OSError):  # it may have been closed by the other side just now
            # Not SSLSocket's own, which would take its TLS away from under the thread that is in it.
            socket.socket.shutdown(entry.sock, socket.SHUT_RDWR)


_watchdog = _Watchdog()
