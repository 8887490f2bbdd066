"""A node with 100,000 product instances: its restart, its memory, and a whole copy to a new Standby."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from benchmarks.cluster import Client, active_pid
from benchmarks.figures import Figure
from benchmarks.load import Prepared, send_kept
from mock_server.cluster.config import Layout
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from mock_server.domain import events
from mock_server.domain.apply import LicensingMachine
from mock_server.journal import Head, Journal, next_row
from smartlic_client.errors import CommunicationError
from smartlic_client.protocol.messages import RegistrationResult

__all__ = ["INSTANCES", "fill", "measure"]

_ADDRESSES = Addresses("127.85.0.5", "127.85.0.10", "127.85.0.12")
INSTANCES = 100_000
_GROUP = 5_000
_CLIENTS = 16
_TURN = 400


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="smartlic-bench-") as name:
        folder = Path(name)
        with raised_cluster(folder, _ADDRESSES) as stage:
            stage.ask("common-name", name=stage.config.vip.host)
            stage.ask("synchronize")
            client = Client(stage, "FIRST")
            client.register(client.prepare())
        fill(Layout(folder / "cluster"))
        with raised_cluster(folder, _ADDRESSES) as stage:
            client = Client(stage)
            return [*_restart(stage, client), *_copy(stage, client)]


def fill(layout: Layout, count: int = INSTANCES) -> None:
    """Write so many registrations behind the one that is there; the other node's journal goes."""
    journal = Journal(layout.journal("primary"))
    machine = LicensingMachine()
    machine.load(journal.aggregates())
    like = _registration(journal)
    epoch, head = journal.read(journal.head.idx, 1)[0].epoch, journal.head
    for first in range(0, count, _GROUP):
        rows, touched = [], {}
        for number in range(first, min(first + _GROUP, count)):
            payload = events.encode(_another(like, number))
            touched.update(dict.fromkeys(machine.apply(payload)))
            rows.append(next_row(head, epoch, payload, {}))
            head = Head(rows[-1].idx, rows[-1].checksum)
        journal.append(rows, [(kind, key, machine.row(kind, key)) for kind, key in touched])
    journal.close()
    _forget(layout, "secondary")


def _forget(layout: Layout, name: str) -> None:
    for path in layout.node(name).glob("journal.sqlite*"):
        path.unlink()


def _registration(journal: Journal) -> events.Change:
    for row in journal.read(1):
        change = events.decode(row.payload)
        if isinstance(change.events[-1], events.InstanceRegistered):
            return change
    raise AssertionError("nothing is registered")


def _another(like: events.Change, number: int) -> events.Change:
    """A registration of the same size: other device, other key, other certificate."""
    event = like.events[-1]
    assert isinstance(event, events.InstanceRegistered)
    old = event.instance
    assert isinstance(old.last.result, RegistrationResult)
    piid = f"{number:08x}-0000-4000-8000-000000000000"
    result = msgspec.structs.replace(
        old.last.result,
        product_instance_identifier=piid,
        id_certificate=base64.b64encode(os.urandom(len(old.last.result.id_certificate) * 3 // 4)).decode(),
    )
    instance = msgspec.structs.replace(
        old,
        piid=piid,
        name=f"device-{number}",
        udi=msgspec.structs.replace(old.udi, sn=f"N{number:08d}"),
        public_key=os.urandom(len(old.public_key)),
        certificate_serial=f"{number:040x}",
        last=msgspec.structs.replace(old.last, message_id=f"message-{number}", result=result),
    )
    new = msgspec.structs.replace(
        event, instance=instance, key_digest=hashlib.sha256(instance.public_key).hexdigest()
    )
    return msgspec.structs.replace(like, events=[new])


def _restart(stage: Stage, client: Client) -> list[Figure]:
    """The Active alone, with all of them: ended, and started again from its console."""
    secondary = _other(stage)
    stage.console(secondary, "ha_cluster_stop")
    active = stage.status()["active"]
    pid = active_pid(stage)
    stage.ask("drill", node=active, kind="kill")
    _gone(pid)
    device = client.prepare()
    began = time.perf_counter()
    starting = threading.Thread(target=stage.console, args=(active, "ha_cluster_start"))
    starting.start()
    _until_answered(client, device)
    took = time.perf_counter() - began
    starting.join()
    resident = _resident(active_pid(stage))
    stage.console(secondary, "ha_cluster_start")
    return [
        Figure(
            f"restart of a node with {INSTANCES} product instances to its first answer",
            took,
            10,
            "s",
            "10 s",
            1.0,
        ),
        Figure("its resident memory", resident, 400, "MiB", "400 MiB", 1.0),
    ]


def _copy(stage: Stage, client: Client) -> list[Figure]:
    """A Standby that has nothing gets everything, while the Active serves; against the same with no copy."""
    secondary = _other(stage)
    stage.ask("drill", node=secondary, kind="kill")
    stage.ask("wait", node=stage.status()["active"], seconds=5)
    _forget(Layout(stage.cluster), secondary)
    alone = max(_rate(client) for _ in range(3))
    began = time.perf_counter()
    took: list[float] = []

    def start() -> None:
        stage.console(secondary, "ha_cluster_start")
        while stage.ask("wait", node=secondary, seconds=10)["state"] != "standby":
            pass
        took.append(time.perf_counter() - began)

    starting = threading.Thread(target=start)
    starting.start()
    rates = []
    while starting.is_alive():
        rates.append(_rate(client))
    starting.join()
    span = f"{min(rates):.0f} to {max(rates):.0f}"
    print(f"     while it is copied: {span} registrations a second, alone {alone:.0f}")
    during = sum(rates) / len(rates)
    return [
        Figure("a whole copy to a new Standby, while serving", took[0], 30, "s", "30 s", 1.0),
        Figure("a registration while it is copied", 1000 / during, 1000 / alone, "ms", "one without", 2.0),
    ]


def _rate(client: Client) -> float:
    devices = [client.prepare(keep=True) for _ in range(_TURN)]
    began = time.perf_counter()
    answers = asyncio.run(send_kept(devices, client.destination, client.anchors, _CLIENTS))
    rate = _TURN / (time.perf_counter() - began)
    devices[0].accept(answers[0], client.anchors)
    return rate


def _until_answered(client: Client, device: Prepared) -> None:
    while True:
        try:
            client.register(device)
        except CommunicationError:
            time.sleep(0.01)
        else:
            return


def _other(stage: Stage) -> str:
    return "secondary" if stage.status()["active"] == "primary" else "primary"


def _gone(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.005)


def _resident(pid: int) -> float:
    """MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(pid)
