"""A real cluster under `smartlic-mock up`: the CPU of a registration, the time of a failover by kill -9."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path

from benchmarks import unavoidable
from benchmarks.figures import Figure, median
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from smartlic_client.errors import CommunicationError
from smartlic_client.protocol import signing
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import pack, unpack
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.sync import SyncTransport
from smartlic_client.transport.urls import Destination

ADDRESSES = Addresses("127.81.0.5", "127.81.0.10", "127.81.0.12", 4443, 8443, 5405)
_REGISTRATIONS = 400
_FAILOVERS = 11
_SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"


class Client:
    """Registers new devices by the VIP, each over a new connection; nothing is written to disk."""

    def __init__(self, stage: Stage) -> None:
        self.destination = Destination.parse(stage.url, TransportKind.CALLHOME)
        self.anchors = stage.ask("certificates")["trust_anchor"].encode()
        self.token = IdToken(stage.ask("token.create", days=1)["token"])
        self.made = 0

    def prepare(self) -> Agent:
        self.made += 1
        agent = Agent(Record(udi=Udi(pid="BENCH", sn=f"S{self.made:08d}"), software_id=_SOFTWARE))
        agent.register(self.token, signing.new_key(), os.urandom)
        return agent

    def register(self, agent: Agent) -> None:
        sent = agent.next_request(time.time(), os.urandom)
        assert sent is not None
        kind, body = pack(
            TransportKind.CALLHOME, sent, now=time.time(), serial="bench", to=self.destination.url
        )
        with SyncTransport(self.anchors, connect_timeout=1.0, read_timeout=5.0) as transport:
            answer = transport.post(self.destination, body, kind)
        agent.receive(sent, unpack(TransportKind.CALLHOME, answer.body), self.anchors, time.time())


def measure() -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="smartlic-bench-") as folder,
        raised_cluster(Path(folder), ADDRESSES) as stage,
    ):
        stage.ask("common-name", name=stage.config.vip.host)
        stage.ask("synchronize")
        client = Client(stage)
        return [_registration(stage, client), _failover(stage, client)]


def _registration(stage: Stage, client: Client) -> Figure:
    parts = unavoidable.registration()
    for name, milliseconds in parts.items():
        print(f"     unavoidable: {name} {milliseconds:.3f} ms")
    agents = [client.prepare() for _ in range(_REGISTRATIONS + 20)]
    for agent in agents[:20]:
        client.register(agent)
    pid = _active_pid(stage)
    before, began = _cpu_seconds(pid), time.perf_counter()
    for agent in agents[20:]:
        client.register(agent)
    spent, wall = _cpu_seconds(pid) - before, time.perf_counter() - began
    print(
        f"     wall: {_REGISTRATIONS / wall:.0f} registrations a second, one after the other, with the client"
    )
    return Figure(
        "CPU of the Active for a registration over a new TLS connection",
        spent / _REGISTRATIONS * 1000,
        sum(parts.values()),
        "ms",
        "its unavoidable work",
        2.0,
    )


def _failover(stage: Stage, client: Client) -> Figure:
    """From SIGKILL of the Active to the first registration that the survivor answers, through the VIP."""
    samples = []
    for _ in range(_FAILOVERS):
        status = stage.status()
        agent = client.prepare()
        began = time.perf_counter()
        os.kill(_active_pid(stage), signal.SIGKILL)
        while True:
            try:
                client.register(agent)
                break
            except CommunicationError:
                time.sleep(0.005)
        samples.append((time.perf_counter() - began) * 1000)
        stage.console(status["active"], "ha_cluster_start")
    return Figure(
        "kill -9 of the Active to the first registration by the VIP (median)",
        median(samples),
        250.0,
        "ms",
        "250 ms",
        1.0,
        samples,
    )


def _active_pid(stage: Stage) -> int:
    node = json.loads((stage.cluster / "nodes" / stage.status()["active"] / "node.json").read_bytes())
    return int(node["pid"])


def _cpu_seconds(pid: int) -> float:
    """CPU time of all threads, in nanosecond resolution (Linux, /proc/PID/task/TID/schedstat)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
