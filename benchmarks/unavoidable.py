"""The work that a registration cannot do without, each part alone: CPU seconds on the server's side."""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import uvloop

from mock_server import pki, tls
from smartlic_client.protocol import signing
from smartlic_client.transport.tls import context_for

_ROUNDS = 300
_HANDSHAKES = 1000
AT_ONCE = 8


def registration() -> dict[str, float]:
    """Part → CPU milliseconds for one registration over a new TLS connection."""
    now = datetime.datetime.now(datetime.UTC)
    root = pki.new_root("Benchmark Root", now)
    key = signing.new_key()
    _, chain = pki.new_authority(root, "Benchmark CA", key.public_key(), now=now, path_length=1)
    issuer = pki.Issuer(chain[0], key, chain)
    product = issuer.leaf("127.0.0.1", pki.PRODUCT, now=now, alternative_names=["127.0.0.1"])
    device = signing.new_key()
    text = b"x" * 3000
    signature = signing.sign(device, text)
    return {
        "TLS handshake": _handshake(product, root),
        "two signature checks": 2 * _cpu(lambda: signing.verify(device.public_key(), text, signature)),
        "one certificate": _cpu(lambda: issuer.identity(device.public_key(), "0" * 36, now=now)),
        "one signature": _cpu(lambda: signing.sign(key, text)),
    }


def _cpu(work: Callable[[], object]) -> float:
    work()
    began = time.process_time()
    for _ in range(_ROUNDS):
        work()
    return (time.process_time() - began) / _ROUNDS * 1000


def _handshake(product: pki.Issued, root: pki.Issuer) -> float:
    """The server's CPU for a handshake on a real connection that is then closed, on the mock's event loop."""
    chain = b"".join(map(pki.to_pem, (product.certificate, *product.chain)))
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    pid = os.fork()
    if pid == 0:
        _serve(listening, tls.server_context(chain, product.key_pem))
    listening.close()
    try:
        anchors = pki.to_pem(root.certificate)
        asyncio.run(_shake(port, anchors, 100))
        before = cpu_seconds(pid)
        asyncio.run(_shake(port, anchors, _HANDSHAKES))
        return (cpu_seconds(pid) - before) / _HANDSHAKES * 1000
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(listening: socket.socket, context: ssl.SSLContext) -> NoReturn:
    async def serve() -> None:
        await asyncio.get_running_loop().create_server(asyncio.Protocol, sock=listening, ssl=context)
        await asyncio.Event().wait()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    finally:
        os._exit(1)


async def _shake(port: int, anchors: bytes, count: int) -> None:
    context = context_for(anchors)
    left = iter(range(count))

    async def shake() -> None:
        for _ in left:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="127.0.0.1"
            )
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*(shake() for _ in range(AT_ONCE)))


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads, in nanosecond resolution (Linux, /proc/PID/task/TID/schedstat)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
