"""What two disks and replication leave of the rate that the same server has with no disk at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.load import Prepared, send_kept
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.urls import Destination

_DURABLE = Addresses("127.82.0.5", "127.82.0.10", "127.82.0.12")
_NO_DISK = ("127.82.1.5", "127.82.1.10", "127.82.1.12")
_CLIENTS = 64
_EACH = 1_500
_TURNS = 5


class _Target:
    """A cluster that registrations are sent to."""

    def __init__(self, stage: Stage) -> None:
        stage.ask("common-name", name=stage.config.vip.host)
        stage.ask("synchronize")
        self.destination = Destination.parse(stage.url, TransportKind.CALLHOME)
        self.anchors = stage.ask("certificates")["trust_anchor"].encode()
        self.token = IdToken(stage.ask("token.create", days=1)["token"])
        self.samples: list[float] = []
        self.made = 0

    def run(self) -> None:
        """One turn; the time of an answer, in milliseconds."""
        self.made += 1
        devices = [
            Prepared(self.destination, self.token, f"T{self.made}-{number:06d}", keep=True)
            for number in range(_EACH)
        ]
        began = time.perf_counter()
        answers = asyncio.run(send_kept(devices, self.destination, self.anchors, _CLIENTS))
        self.samples.append((time.perf_counter() - began) / _EACH * 1000)
        for device, answer in list(zip(devices, answers, strict=True))[:20]:
            device.accept(answer, self.anchors)


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="smartlic-bench-") as name:
        folder = Path(name)
        with raised_cluster(folder / "durable", _DURABLE) as stage, _without_disk(folder / "none") as bare:
            durable, nothing = _Target(stage), _Target(bare)
            for target in (durable, nothing):  # warm
                target.run()
                target.samples.clear()
            for _ in range(_TURNS):
                durable.run()
                nothing.run()
    ours, theirs = median(durable.samples), median(nothing.samples)
    print(f"     wall: {1000 / ours:.0f} registrations a second on two disks, {1000 / theirs:.0f} with none")
    return [
        Figure(
            f"a registration on both disks before its answer, {_CLIENTS} clients, kept connections",
            ours,
            theirs,
            "ms",
            "the same with no disk",
            2.5,  # at least 40 % of the rate
            durable.samples,
        )
    ]


@contextmanager
def _without_disk(folder: Path) -> Iterator[Stage]:
    command = [sys.executable, "-m", "benchmarks.nodisk", str(folder / "cluster"), *_NO_DISK]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "up\n"
        yield Stage(folder)
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()
