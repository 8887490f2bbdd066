"""The least of clients for HTTP over TLS: bytes that were made before, on kept connections, by uvloop.

It looks for the end of an answer and nothing else, and opens a connection anew where the server says that it
closes it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import uvloop

__all__ = ["Turn", "process_seconds", "spent"]


class Turn:
    """What some requests took. `wall`: milliseconds of each; `cpu`: of the server's process."""

    def __init__(self, wall: float, cpu: float, last: bytes, opened: int) -> None:
        self.wall = wall
        self.cpu = cpu
        self.last = last
        self.opened = opened


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._got = b""
        self._whole = -1
        self._asked = self._closes = False
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own are none by their class
        self._load.opened += 1
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        request = self._load.take()
        self._asked = request is not None
        if request is None:
            self._transport.close()
            return
        self._got, self._whole = b"", -1
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._whole < 0:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._got[:end].lower()
            if b" 200" not in head.partition(b"\r\n")[0] or b"content-length:" not in head:
                self._load.failed(self._got)
                return
            self._closes = b"connection: close" in head
            self._whole = end + 4 + int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._got) >= self._whole:
            self._load.answered(self._got)
            if self._closes and self._transport is not None:
                self._asked = False
                self._transport.close()
            else:
                self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        self._load.lost(unanswered=self._asked)


class _Load:
    """`at_once` connections say `count` requests in turn; `done` at the last answer."""

    def __init__(self, requests: Sequence[bytes], count: int, at_once: int) -> None:
        self._requests = requests
        self._left = count
        self._waiting = count
        self.last = b""
        self.opened = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reopen = asyncio.Semaphore(at_once)

    def take(self) -> bytes | None:
        if self._left == 0:
            return None
        self._left -= 1
        return self._requests[self._left % len(self._requests)]

    @property
    def more(self) -> bool:
        return self._left > 0

    def answered(self, answer: bytes) -> None:
        self.last = answer
        self._waiting -= 1
        if self._waiting == 0 and not self.done.done():
            self.done.set_result(None)

    def failed(self, answer: bytes) -> None:
        if not self.done.done():
            self.done.set_exception(ValueError(f"the answer is not one: {answer[:300]!r}"))

    def lost(self, *, unanswered: bool) -> None:
        """A server may close a kept connection as it is asked."""
        self._left += unanswered
        self.reopen.release()


def spent(
    pid: int,
    port: int,
    context: ssl.SSLContext,
    requests: Sequence[bytes],
    count: int,
    at_once: int,
    host: str = "127.0.0.1",
) -> Turn:
    """Send `count` requests to a server whose process is `pid`."""

    async def run() -> Turn:
        loop = asyncio.get_running_loop()
        load = _Load(requests, count, at_once)
        before, began = process_seconds(pid), time.perf_counter()

        async def keep_open() -> None:
            while True:  # also a last request may be lost, and is said again
                await load.reopen.acquire()
                if load.more:
                    await loop.create_connection(
                        lambda: _Connection(load), host, port, ssl=context, server_hostname=host
                    )

        opening = asyncio.create_task(keep_open())
        async with asyncio.timeout(120):
            await asyncio.wait([opening, load.done], return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                opening.result()
            await load.done
        took, cpu = time.perf_counter() - began, process_seconds(pid) - before
        opening.cancel()
        return Turn(1000 * took / count, 1000 * cpu / count, load.last, load.opened)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def process_seconds(pid: int) -> float:
    """CPU time of a process, in steps of 10 ms: also of its threads that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
