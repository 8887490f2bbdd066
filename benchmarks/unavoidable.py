"""The floor of an exchange: a server that does its unavoidable work for each request, and nothing else.

That work is a TLS handshake where the connection is new, the request of a bare ASGI handler, signature
checks (of a registration two: of the certificate request and of the message), a certificate for a
registration, and one signature; where both nodes' disks are waited for, a share of a group commit on each.
It is measured as the exchange is: CPU time of a process that serves real connections, in the same seconds,
one for one, so that both meet the same caches and load. The parts alone, in tight loops on a quiet machine,
are lower.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import uvicorn

from mock_server import pki, tls
from smartlic_client.protocol import signing
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.urls import Destination

_ROUNDS = 300
_COMPANY = 0.005
"""Seconds that the floor's group commit waits for others, as the ledger does: larger groups cost less."""


class Work:
    """The keys and certificates that the work needs."""

    def __init__(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self.root = pki.new_root("Benchmark Root", now)
        key = signing.new_key()
        _, chain = pki.new_authority(self.root, "Benchmark CA", key.public_key(), now=now, path_length=1)
        self.issuer = pki.Issuer(chain[0], key, chain)
        self.product = self.issuer.leaf("127.0.0.1", pki.PRODUCT, now=now, alternative_names=["127.0.0.1"])
        self.device = signing.new_key()
        self.text = b"x" * 3000
        self.signature = signing.sign(self.device, self.text)

    def check(self) -> None:
        assert signing.verify(self.device.public_key(), self.text, self.signature)

    def certify(self) -> None:
        self.issuer.identity(self.device.public_key(), "0" * 36, now=datetime.datetime.now(datetime.UTC))

    def sign(self) -> None:
        signing.sign(self.issuer.key, self.text)

    def registration(self) -> None:
        self.check()
        self.check()
        self.certify()
        self.sign()

    def message(self) -> None:
        """Of a product instance that is known: an authorization, a usage report."""
        self.check()
        self.sign()

    def parts(self) -> dict[str, float]:
        """Part → CPU milliseconds, alone in a tight loop; handshake and request are not among them."""
        return {
            "one signature check": _cpu(self.check),
            "one certificate": _cpu(self.certify),
            "one signature": _cpu(self.sign),
        }


def _cpu(work: Callable[[], None]) -> float:
    work()
    began = time.process_time()
    for _ in range(_ROUNDS):
        work()
    return (time.process_time() - began) / _ROUNDS * 1000


class Floor:
    """A running floor server: where it is, and the CPU time that it has used."""

    def __init__(self, pid: int, port: int, anchors: bytes) -> None:
        self.pid = pid
        self.anchors = anchors
        self.destination = Destination.parse(f"https://127.0.0.1:{port}/floor", TransportKind.SMART)


@contextlib.contextmanager
def floor(work: Work, each: Callable[[], None], answer: int, disks: Sequence[Path] = ()) -> Iterator[Floor]:
    """A server process that does `each` for every request, and answers with so many bytes.

    `disks`: files that each request's bytes are on, in groups, before its answer."""
    chain = b"".join(map(pki.to_pem, (work.product.certificate, *work.product.chain)))
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    pid = os.fork()
    if pid == 0:
        _serve(listening, (chain, work.product.key_pem), each, answer, disks)
    listening.close()
    try:
        yield Floor(pid, port, pki.to_pem(work.root.certificate))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(
    listening: socket.socket,
    pair: tuple[bytes, bytes],
    each: Callable[[], None],
    answer: int,
    disks: Sequence[Path],
) -> NoReturn:
    headers = [(b"content-type", b"text/xml"), (b"content-length", str(answer).encode())]
    body = b"x" * answer
    commits = _Commits(disks)

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        parts = []
        more = True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        each()
        if disks:
            await commits.durable(b"".join(parts))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    try:
        config = uvicorn.Config(
            app, http="httptools", loop="uvloop", ws="none", lifespan="off", log_config=None, access_log=False
        )
        config.load()
        config.ssl = tls.server_context(*pair)
        uvicorn.Server(config).run([listening])
    finally:
        os._exit(1)


class _Commits:
    """Group commits of the least kind: all that waits is appended to each file, and flushed."""

    def __init__(self, disks: Sequence[Path]) -> None:
        self._files = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for path in disks]
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._running: asyncio.Task[None] | None = None

    async def durable(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append((data, future))
        if self._running is None:
            self._running = loop.create_task(self._run())
        await future

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(_COMPANY)
            group, self._waiting = self._waiting, []
            await asyncio.to_thread(self._write, b"".join(data for data, _ in group))
            for _, future in group:
                future.set_result(None)
        self._running = None

    def _write(self, data: bytes) -> None:
        for file in self._files:
            os.write(file, data)
            os.fdatasync(file)


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads, in nanosecond resolution (Linux, /proc/PID/task/TID/schedstat)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
