"""A client that means harm, as a program: python -m tests.reliability.hostile KIND HOST PORT COUNT.

It says "ready" when its load is there, and goes on until its standard input is closed; then it tells as JSON
what it met. Kinds, `COUNT` of each at once, all from 127.0.0.66:

silent      TCP connections without TLS
idle        connections with TLS that never ask
head, body  requests whose head or body comes a few bytes a second
large       bodies of 2 MiB, one after the other on each connection
handshakes  so many TLS handshakes a second, each closed at once
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import ssl
import sys
from collections import Counter

import uvloop

SOURCE = "127.0.0.66"
PATH = "/Transportgateway/services/DeviceRequestHandler"
LARGE = 2 << 20
_AT_ONCE = 50


class Hostile:
    """What it does, and counts of what it met."""

    def __init__(self, kind: str, host: str, port: int, count: int) -> None:
        self.kind, self.host, self.port, self.count = kind, host, port, count
        self.met: Counter[str] = Counter()
        self.standing = asyncio.Event()
        self._opening = asyncio.Semaphore(_AT_ONCE)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def run(self) -> None:
        if self.kind == "handshakes":
            await self._handshakes()
        else:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.count):
                    group.create_task(self._again())

    def _stands(self) -> None:
        self.met["begun"] += 1
        if self.met["begun"] == self.count:
            self.standing.set()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls = None if self.kind == "silent" else self._tls
        async with self._opening:
            opened = await asyncio.open_connection(self.host, self.port, ssl=tls, local_addr=(SOURCE, 0))
            self.met["opened"] += 1
            return opened

    async def _again(self) -> None:
        """One connection after the other; those that only wait stay away when they were shown out."""
        while True:
            begun = False
            try:
                reader, writer = await self._open()
                self._stands()
                begun = True
                await self._use(reader, writer)
            except (OSError, EOFError) as error:
                self.met[type(error).__name__] += 1
                if not begun:
                    self._stands()
            if self.kind in ("silent", "idle"):
                return
            await asyncio.sleep(0.1)

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"POST {PATH} HTTP/1.1\r\nhost: {self.host}\r\n"
        try:
            match self.kind:
                case "head":
                    await self._trickle(writer, head.encode(), b"x-more: 1\r\n")
                case "body":
                    await self._trickle(writer, f"{head}content-length: 100000\r\n\r\n".encode(), b"x")
                case "large":
                    writer.write(f"{head}content-length: {LARGE}\r\n\r\n".encode() + b"x" * LARGE)
                    self.met[(await reader.readline()).decode().strip() or "closed"] += 1
                case _:
                    await reader.read()
                    self.met["closed"] += 1
        finally:
            writer.close()

    async def _trickle(self, writer: asyncio.StreamWriter, first: bytes, more: bytes) -> None:
        writer.write(first)
        while not writer.is_closing():
            await writer.drain()
            await asyncio.sleep(1)
            writer.write(more)
        self.met["closed"] += 1

    async def _handshakes(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        tasks: set[asyncio.Task[None]] = set()
        while True:
            task = loop.create_task(self._handshake())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            if self.met["done"] >= min(self.count, 50):
                self.standing.set()
            due += 1 / self.count
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _handshake(self) -> None:
        try:
            _reader, writer = await asyncio.open_connection(
                self.host, self.port, ssl=self._tls, local_addr=(SOURCE, 0)
            )
            writer.transport.abort()
            self.met["done"] += 1
        except OSError as error:
            self.met[type(error).__name__] += 1


async def main(kind: str, host: str, port: str, count: str) -> None:
    hostile = Hostile(kind, host, int(port), int(count))
    loop = asyncio.get_running_loop()
    began = loop.time()
    running = loop.create_task(hostile.run())
    await hostile.standing.wait()
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    print(json.dumps({**hostile.met, "seconds": round(loop.time() - began, 1)}), flush=True)


if __name__ == "__main__":
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
