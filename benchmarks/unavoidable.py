"""The floor of a registration: a server that does its unavoidable work for each connection, and nothing else.

That work is a TLS handshake on a new connection, two signature checks (of the certificate request and of the
message), one certificate and one signature. It is measured as the registration is: CPU time of a process
that serves real connections, in the same seconds, one for one, so that both meet the same caches and load.
The parts alone, in tight loops on a quiet machine, are printed beside it: they are lower.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import uvloop

from mock_server import pki, tls
from smartlic_client.protocol import signing
from smartlic_client.transport.tls import context_for

AT_ONCE = 8
_ROUNDS = 300


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

    def all(self) -> None:
        self.check()
        self.check()
        self.certify()
        self.sign()

    def parts(self) -> dict[str, float]:
        """Part → CPU milliseconds, alone in a tight loop; the handshake is not among them."""
        return {
            "two signature checks": 2 * _cpu(self.check),
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
    """A running floor server. `measure` gives CPU milliseconds for a connection."""

    def __init__(self, pid: int, port: int, anchors: bytes) -> None:
        self.pid = pid
        self._port = port
        self._anchors = anchors

    async def connect(self, count: int) -> None:
        """Open `count` connections, some at once; each is closed by the server when its work is done."""
        context = context_for(self._anchors)
        left = iter(range(count))

        async def connect() -> None:
            for _ in left:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self._port, ssl=context, server_hostname="127.0.0.1"
                )
                await reader.read()
                writer.close()
                await writer.wait_closed()

        await asyncio.gather(*(connect() for _ in range(AT_ONCE)))

    def measure(self, count: int) -> float:
        """CPU milliseconds of the server for a connection, with nothing else going on."""
        before = cpu_seconds(self.pid)
        asyncio.run(self.connect(count))
        return (cpu_seconds(self.pid) - before) / count * 1000


@contextmanager
def floor(work: Work, each: Callable[[], None]) -> Iterator[Floor]:
    """A server process that does `each` for every connection, after its handshake."""
    chain = b"".join(map(pki.to_pem, (work.product.certificate, *work.product.chain)))
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    pid = os.fork()
    if pid == 0:
        _serve(listening, tls.server_context(chain, work.product.key_pem), each)
    listening.close()
    try:
        served = Floor(pid, port, pki.to_pem(work.root.certificate))
        served.measure(100)
        yield served
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(listening: socket.socket, context: ssl.SSLContext, each: Callable[[], None]) -> NoReturn:
    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            each()
            transport.close()

    async def serve() -> None:
        await asyncio.get_running_loop().create_server(Connection, sock=listening, ssl=context)
        await asyncio.Event().wait()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    finally:
        os._exit(1)


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads, in nanosecond resolution (Linux, /proc/PID/task/TID/schedstat)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
