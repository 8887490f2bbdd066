"""How quickly the preflight check checks: a whole process, one more target, and 1,000 targets.

The server is a process of its own that shakes hands and nothing else, on one port for each certificate; what
the check is held against is plain Python that shakes hands with the same server in the same run.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import queue
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, cast

import uvloop

from benchmarks.figures import Figure, median
from mock_server import pki, tls
from smartlic_client.preflight.catalogue import catalogue
from smartlic_client.preflight.observation import Target
from smartlic_client.preflight.options import Options
from smartlic_client.preflight.run import run
from smartlic_client.preflight.targets import read_target
from smartlic_client.protocol import signing

_TARGETS = 1000
_ROUNDS = 15
_EACH = 60
_JOBS = 32
_ANSWER = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Served:
    """The running server: its ports, and the anchor of all their certificates."""

    def __init__(self, ports: Sequence[int], anchor: bytes) -> None:
        self.ports = ports
        self.anchor = anchor

    @property
    def targets(self) -> list[Target]:
        return [read_target(f"127.0.0.1:{port}") for port in self.ports]


@contextmanager
def _served(count: int) -> Iterator[Served]:
    """`count` listeners in one process, each with a certificate of its own for 127.0.0.1."""
    now = datetime.datetime.now(datetime.UTC)
    root = pki.new_root("Benchmark Root", now)
    key = signing.new_key()
    _, chain = pki.new_authority(root, "Benchmark CA", key.public_key(), now=now, path_length=1)
    issuer = pki.Issuer(chain[0], key, chain)
    listening = [socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(count)]
    contexts = []
    for _ in range(count):
        leaf = issuer.leaf("127.0.0.1", pki.PRODUCT, now=now, alternative_names=["127.0.0.1"])
        pem = b"".join(map(pki.to_pem, (leaf.certificate, *leaf.chain)))
        contexts.append(tls.server_context(pem, leaf.key_pem))
    pid = os.fork()
    if pid == 0:
        _serve(listening, contexts)
    ports = [each.getsockname()[1] for each in listening]
    for each in listening:
        each.close()
    try:
        yield Served(ports, pki.to_pem(root.certificate))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(listening: Sequence[socket.socket], contexts: Sequence[ssl.SSLContext]) -> NoReturn:
    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

        def data_received(self, _data: bytes) -> None:
            self._transport.write(_ANSWER)
            self._transport.close()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for each, context in zip(listening, contexts, strict=True):
            await loop.create_server(Connection, sock=each, ssl=context)
        await asyncio.Event().wait()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    finally:
        os._exit(1)


def measure() -> list[Figure]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with _served(_TARGETS) as served:
        return [_whole_process(served), *_one_more(served), *_thousand(served)]


# --- One target, the whole process ----------------------------------------------------------------


def _whole_process(served: Served) -> Figure:
    program = str(Path(sys.executable).with_name("smartlic"))
    floor = [sys.executable, "-c", "import ssl, click, cryptography.x509"]
    with tempfile.TemporaryDirectory() as folder:
        anchor = Path(folder, "anchor.pem")
        anchor.write_bytes(served.anchor)
        check = [program, "check", f"127.0.0.1:{served.ports[0]}", "--ca", str(anchor), "--format", "summary"]
        # As installed: what is imported is compiled already, both here and there.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder, "compiled"))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def process(command: list[str]) -> None:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

        ours, theirs = _in_turn(lambda: process(check), lambda: process(floor), _ROUNDS)
    return Figure(
        "smartlic check, one target, whole process",
        median(ours),
        median(theirs),
        "ms",
        "python -c 'import ssl, click, cryptography.x509'",
        1.5,
        ours,
    )


# --- One more target ------------------------------------------------------------------------------


def _one_more(served: Served) -> Iterator[Figure]:
    """In this process, whose modules and contexts are there already."""
    names = frozenset(each.id for each in catalogue().values() if each.family == "names")
    some = Options(now=time.time(), wanted=names, families=frozenset({"names"}))
    whole = Options(now=time.time(), anchors=served.anchor)
    shake = _bare()
    for what, options, limit in (("names only", some, 1.3), ("the whole catalogue", whole, 3.0)):
        targets, ports = iter(served.targets), iter(served.ports)
        ours, theirs = _in_turn(
            lambda targets=targets, options=options: _check_one(next(targets), options),  # type: ignore[misc]
            lambda ports=ports: shake(next(ports)),  # type: ignore[misc]
            _EACH * 5,
        )
        name = f"one more target, {what}"
        yield Figure(name, median(ours), median(theirs), "ms", "a bare Python TLS handshake", limit, ours)


def _check_one(target: Target, options: Options) -> None:
    assert run([target], options).well


def _bare() -> Callable[[int], None]:
    """Shakes hands by Python's ssl, verifying nothing, with one context for all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def shake(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
            context.wrap_socket(sock, server_hostname="127.0.0.1") as connection,
        ):
            connection.getpeercert(True)

    return shake


# --- 1,000 targets --------------------------------------------------------------------------------


def _thousand(served: Served) -> Iterator[Figure]:
    """As handshakes a second, since the whole catalogue takes two for each target."""
    shake, targets = _bare(), served.targets
    read = Options(now=time.time(), jobs=_JOBS)
    whole = Options(now=time.time(), jobs=_JOBS, anchors=served.anchor)
    for what, options, handshakes in (("read", read, 1), ("the whole catalogue", whole, 2)):
        floors, rates = [], []
        for _ in range(3):
            floors.append(len(targets) / _seconds(lambda: _spread(shake, served.ports)))
            began = time.perf_counter()
            done = run(targets, options)
            rates.append(handshakes * len(targets) / (time.perf_counter() - began))
            assert all(result.observation.answered for result in done.results)
        print(f"     {what}: {median(rates) / handshakes:.0f} targets a second")
        name = f"TLS handshakes of plain Python against those of {len(targets)} targets, {what}"
        yield Figure(name, median(floors), median(rates), "a second", "those of the check", 1 / 0.6, floors)
    yield _memory(served)


def _spread(shake: Callable[[int], None], ports: Sequence[int]) -> None:
    """All handshakes by as many threads as the check has."""
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    for port in [*ports, *[None] * _JOBS]:
        waiting.put(port)

    def work() -> None:
        while (port := waiting.get()) is not None:
            shake(port)

    threads = [threading.Thread(target=work) for _ in range(_JOBS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory(served: Served) -> Figure:
    """The most that a process of its own takes to check all targets and to report on them."""
    with tempfile.TemporaryDirectory() as folder:
        inventory, anchor, report = (
            Path(folder, name) for name in ("inventory", "anchor.pem", "report.json")
        )
        inventory.write_text("\n".join(f"127.0.0.1:{port}" for port in served.ports))
        anchor.write_bytes(served.anchor)
        program = str(Path(sys.executable).with_name("smartlic"))
        command = ["check", f"@{inventory}", "--ca", str(anchor), "--format", "json", "--output", str(report)]
        pid = os.posix_spawn(program, [program, *command], os.environ)
        _, status, used = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    name = f"memory of a check of {len(served.ports)} targets"
    return Figure(name, used.ru_maxrss / 1024, 150.0, "MiB", "150 MiB", 1.0)


def _in_turn(
    ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of each, in turn, so that a drift of the machine meets both; the first round warms up."""
    pairs = [(_seconds(ours) * 1000, _seconds(theirs) * 1000) for _ in range(rounds + 1)][1:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
