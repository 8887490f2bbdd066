"""A real cluster under `smartlic-mock up`: the CPU of a registration."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from benchmarks import unavoidable
from benchmarks.figures import Figure, median
from benchmarks.load import Prepared, send_all
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from smartlic_client.protocol import callhome
from smartlic_client.protocol.flow import unpack
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.sync import SyncTransport
from smartlic_client.transport.urls import Destination

ADDRESSES = Addresses("127.81.0.5", "127.81.0.10", "127.81.0.12", 4443, 8443, 5405)
_EACH = 300
_TURNS = 5


class Client:
    """What a load needs to know of a cluster; nothing of its devices is written to disk."""

    def __init__(self, stage: Stage, prefix: str = "S") -> None:
        self.destination = Destination.parse(stage.url, TransportKind.CALLHOME)
        self.anchors = stage.ask("certificates")["trust_anchor"].encode()
        self.token = IdToken(stage.ask("token.create", days=1)["token"])
        self.prefix = prefix
        self.made = 0

    def prepare(self, *, keep: bool = False) -> Prepared:
        self.made += 1
        return Prepared(self.destination, self.token, f"{self.prefix}{self.made:08d}", keep=keep)

    def register(self, device: Prepared) -> None:
        """One registration over a new connection, with the client's own transport."""
        content = callhome.CONTENT_TYPE
        body = device.request.partition(b"\r\n\r\n")[2]
        with SyncTransport(self.anchors, connect_timeout=1.0, read_timeout=5.0) as transport:
            answer = transport.post(self.destination, body, content)
        device.agent.receive(device.sent, unpack(device.kind, answer.body), self.anchors, time.time())

    def register_all(self, devices: list[Prepared], beside: Coroutine[Any, Any, None] | None = None) -> None:
        """Register all, some at once; `beside` runs at the same time."""

        async def both() -> list[bytes]:
            sending = send_all(devices, self.destination, self.anchors, unavoidable.AT_ONCE)
            if beside is None:
                return await sending
            task = asyncio.create_task(sending)
            await beside
            return await task

        answers = asyncio.run(both())
        for device, answer in zip(devices, answers, strict=True):
            device.accept(answer, self.anchors)


def measure() -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="smartlic-bench-") as folder,
        raised_cluster(Path(folder), ADDRESSES) as stage,
    ):
        stage.ask("common-name", name=stage.config.vip.host)
        stage.ask("synchronize")
        client = Client(stage)
        return [_registration(stage, client)]


def _registration(stage: Stage, client: Client) -> Figure:
    """CPU of the Active's process for a registration, and of the floor's for a connection beside it."""
    client.register_all([client.prepare() for _ in range(100)])
    work = unavoidable.Work()
    for name, milliseconds in work.parts().items():
        print(f"     alone: {name} {milliseconds:.3f} ms")
    with unavoidable.floor(work, lambda: None) as bare:
        print(f"     alone: TLS handshake {bare.measure(_EACH):.3f} ms")
    pid = active_pid(stage)
    ours, theirs, rates = [], [], []
    with unavoidable.floor(work, work.all) as floor:
        for _ in range(_TURNS):
            devices = [client.prepare() for _ in range(_EACH)]
            before = [unavoidable.cpu_seconds(process) for process in (pid, floor.pid)]
            began = time.perf_counter()
            client.register_all(devices, beside=floor.connect(_EACH))
            rates.append(_EACH / (time.perf_counter() - began))
            after = [unavoidable.cpu_seconds(process) for process in (pid, floor.pid)]
            spent = [(b - a) / _EACH * 1000 for a, b in zip(before, after, strict=True)]
            ours.append(spent[0])
            theirs.append(spent[1])
    at_once = unavoidable.AT_ONCE
    rate = median(rates)
    print(f"     wall: {rate:.0f} registrations a second, {at_once} at once, and as many of the floor")
    return Figure(
        "CPU of the Active for a registration over a new TLS connection",
        median(ours),
        median(theirs),
        "ms",
        "its unavoidable work",
        2.0,
        ours,
    )


def active_pid(stage: Stage) -> int:
    node = json.loads((stage.cluster / "nodes" / stage.status()["active"] / "node.json").read_bytes())
    return int(node["pid"])
