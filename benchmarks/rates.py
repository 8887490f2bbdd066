"""What an exchange costs servers, beside what it cannot do without: in the same seconds, one for one.

The limit of an operation is its floor (benchmarks.unavoidable): the ratio is the floor's CPU time divided by
that of the server's process. The wall rate is printed beside it: client and server share the machine.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bignode import fill
from benchmarks.cluster import Client, node_pid
from benchmarks.figures import Figure, median
from benchmarks.load import TAG, Prepared, send_all, send_kept
from benchmarks.unavoidable import Floor, Work, cpu_seconds, floor
from mock_server import Cluster
from mock_server.cluster.config import Layout

__all__ = ["measure"]

_AT_ONCE = 64
_MANY = 256
_EACH = 600
_TURNS = 5
_OF_LIMIT = 0.6
_OF_DURABLE = 0.45
_SIZES = (1_000, 10_000, 100_000)
_FLAT = 1.2


@dataclass
class _Server:
    """A cluster under load: the processes whose CPU time counts, and the devices that are registered."""

    client: Client
    pids: Sequence[int]
    devices: list[Prepared] = field(default_factory=list)
    reporting: list[Prepared] = field(default_factory=list)
    told: int = 1

    def cpu(self) -> float:
        return sum(map(cpu_seconds, self.pids))

    def register(self, *, keep: bool = True) -> list[Prepared]:
        return [self.client.prepare(keep=keep) for _ in range(_EACH)]

    def authorize(self) -> list[Prepared]:
        self.told += 1
        for device in self.devices:
            device.authorize(self.told)
        return self.devices

    def report(self) -> list[Prepared]:
        self.told += 1
        for device in self.reporting:
            device.report_usage(self.told)
        return self.reporting

    def send(self, devices: list[Prepared], at_once: int = _AT_ONCE, beside: Floor | None = None) -> None:
        """Say what is prepared, and take the answers; the same to the floor at the same time."""
        client = self.client

        async def both() -> list[bytes]:
            send = send_kept if b"keep-alive" in devices[0].request else send_all
            sending = [send(devices, client.destination, client.anchors, at_once)]
            if beside is not None:
                sending.append(send(devices, beside.destination, beside.anchors, at_once))
            return (await asyncio.gather(*sending))[0]

        for device, answer in zip(devices, asyncio.run(both()), strict=True):
            device.accept(answer, client.anchors)

    def settle(self) -> None:
        """Devices for what needs registered ones."""
        self.devices = self.register()
        self.send(self.devices)
        self.reporting = [self.client.prepare(keep=True, policy=True) for _ in range(_EACH)]
        self.send(self.reporting)


def measure() -> list[Figure]:
    work = Work()
    for name, milliseconds in work.parts().items():
        print(f"     alone: {name} {milliseconds:.3f} ms")
    return [*_one_server(work), *_two_disks(work), *_sizes()]


@contextmanager
def _running(folder: Path | None = None, *, servers: int = 1, prefix: str = "R") -> Iterator[_Server]:
    with Cluster(folder, processes=True, servers=2 if servers == 2 else 1) as ssm:
        names = ("primary", "secondary")[:servers]
        ssm.ask("license.add", tag=TAG, name="DNA Premier", quantity=1_000_000)
        yield _Server(Client(ssm, prefix), [node_pid(ssm.folder, name) for name in names])


def _one_server(work: Work) -> list[Figure]:
    """One process with its journal, and nobody beside it."""
    with _running() as server:
        server.settle()
        return [
            _beside(
                "a registration over a new TLS connection",
                server,
                lambda: server.register(keep=False),
                (work, work.registration, 7_700),
            ),
            _beside(
                "a registration on a kept connection",
                server,
                server.register,
                (work, work.registration, 7_700),
            ),
            _beside(
                "an authorization on a kept connection",
                server,
                server.authorize,
                (work, work.message, 4_800),
            ),
            _beside(
                "a usage report on a kept connection", server, server.report, (work, work.message, 4_500)
            ),
        ]


def _two_disks(work: Work) -> list[Figure]:
    """Two processes, both counted: each answer waits for both disks."""
    with _running(servers=2) as server, tempfile.TemporaryDirectory(prefix="smartlic-bench-") as name:
        server.settle()
        disks = [Path(name) / "primary", Path(name) / "secondary"]
        kinds: list[tuple[str, Callable[[], list[Prepared]], Callable[[], None], int]] = [
            ("a registration", server.register, work.registration, 7_700),
            ("an authorization", server.authorize, work.message, 4_800),
            ("a usage report", server.report, work.message, 4_500),
        ]
        return [
            _beside(
                f"{what} on both disks before its answer, {_MANY} devices at once",
                server,
                say,
                (work, each, size),
                at_once=_MANY,
                disks=disks,
            )
            for what, say, each, size in kinds
        ]


def _beside(
    what: str,
    server: _Server,
    say: Callable[[], list[Prepared]],
    least: tuple[Work, Callable[[], None], int],
    *,
    at_once: int = _AT_ONCE,
    disks: Sequence[Path] = (),
) -> Figure:
    """`say` prepares what devices say next; `least` is the floor's work for it, and its answer's size."""
    ours, theirs = [], []
    with floor(*least, disks) as bare:
        server.send(say(), at_once, bare)
        for _ in range(_TURNS):
            devices = say()
            before = server.cpu(), cpu_seconds(bare.pid)
            server.send(devices, at_once, bare)
            after = server.cpu(), cpu_seconds(bare.pid)
            ours.append((after[0] - before[0]) / len(devices) * 1000)
            theirs.append((after[1] - before[1]) / len(devices) * 1000)
    devices = say()
    began = time.perf_counter()
    server.send(devices, at_once)
    print(
        f"     wall: {len(devices) / (time.perf_counter() - began):.0f} a second: {what}, {at_once} at once"
    )
    share = _OF_DURABLE if disks else _OF_LIMIT
    return Figure(
        f"CPU of {what}", median(ours), median(theirs), "ms", "its unavoidable work", 1 / share, ours
    )


def _sizes() -> list[Figure]:
    """The same exchanges on servers that know more and more instances, turn by turn."""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="smartlic-bench-"))
        servers = {}
        for size in _SIZES:
            folder = Path(name) / str(size)
            with _running(folder, prefix="FIRST") as server:
                server.send([server.client.prepare(keep=True)])
            fill(Layout(folder), size)
            servers[size] = stack.enter_context(_running(folder, prefix="T"))
            servers[size].settle()
        spent: dict[int, list[float]] = {size: [] for size in _SIZES}
        for _ in range(_TURNS):
            for size, server in servers.items():
                devices = [server.register(), server.authorize(), server.report()]
                before = server.cpu()
                for said in devices:
                    server.send(said)
                spent[size].append((server.cpu() - before) / (3 * _EACH) * 1000)
    smallest = _SIZES[0]
    return [
        Figure(
            f"CPU of an exchange with {size} instances on the server",
            median(spent[size]),
            median(spent[smallest]),
            "ms",
            f"one with {smallest}",
            _FLAT,
            spent[size],
        )
        for size in _SIZES[1:]
    ]
