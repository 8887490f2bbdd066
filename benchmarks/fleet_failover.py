"""A fleet from nothing through a cluster whose Active is killed in the middle: how long, and is all there.

    python -m benchmarks.fleet_failover [DEVICES]

Devices and servers share this machine. Each device makes a key and registers; at half of them the Active
is killed with SIGKILL. Afterwards the devices' own identities are compared with the survivor's instances.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import active_pid
from benchmarks.figures import Figure
from benchmarks.unavoidable import cpu_seconds
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from smartlic_client.fleet.store import FleetStore

_ADDRESSES = Addresses("127.87.0.5", "127.87.0.10", "127.87.0.12")
DEVICES = 100_000
_SECONDS_PER_DEVICE = 360 / 100_000
_AT_ONCE = 512


@dataclass(frozen=True)
class Outcome:
    """Seconds of the whole run; the devices that the server has lost, and instances without a device."""

    seconds: float
    lost: int
    doubled: int
    summary: dict[str, object]


def measure(devices: int = DEVICES) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="smartlic-bench-") as folder,
        raised_cluster(Path(folder), _ADDRESSES) as stage,
    ):
        stage.ask("common-name", name=stage.config.vip.host)
        stage.ask("synchronize")
        outcome = run(stage, Path(folder), devices)
    most = devices * _SECONDS_PER_DEVICE
    wrong = outcome.lost + outcome.doubled
    return [
        Figure(
            f"{devices} devices registered from nothing, the Active killed in the middle",
            outcome.seconds,
            most,
            "s",
            f"{most:g} s",
            1.0,
        ),
        Figure("devices that it lost or doubled", wrong, 1, "", "one of them", 0.0),
    ]


def run(stage: Stage, folder: Path, devices: int) -> Outcome:
    """Register all, kill the Active at half of them, and compare."""
    inventory = folder / "fleet.csv"
    inventory.write_text(f"name,pid,sn,count\nsw-{{n}},C9300-24T,FOC{{n:06}},{devices}\n", encoding="ascii")
    token = folder / "token.txt"
    token.touch(mode=0o600)
    token.write_text(stage.ask("token.create", days=1)["token"], encoding="ascii")
    command = [sys.executable, "-m", "smartlic_client.cli", "fleet", str(inventory)]
    command += ["--server", stage.url, "--ca", str(stage.anchor), "--token", str(token)]
    command += ["--once", "--at-once", str(_AT_ONCE), "--format", "json"]
    began = time.perf_counter()
    said = folder / "summary.json"  # longer than a pipe holds
    with (
        said.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr is not None
        killed = False
        for line in process.stderr:  # "55 s: 15230 of 100000 registered, …"
            registered = int(line.partition(": ")[2].partition(" ")[0])
            if not killed and registered >= devices / 2:
                _print_cpu(stage, process.pid, registered)
                os.kill(active_pid(stage), signal.SIGKILL)
                killed = True
    summary = json.loads(said.read_bytes())
    seconds = time.perf_counter() - began
    assert killed, "the fleet was done before the Active was killed: give it more devices"
    lost, doubled = compared(stage, folder / "fleet.csv.fleet", devices)
    failed = sum(one["failed"] for one in summary["operations"].values())
    print(
        f"     {devices / seconds:.0f} registrations a second over all, {failed} messages failed and were "
        f"sent again; {summary['limit']}"
    )
    return Outcome(seconds, lost, doubled, summary)


def _print_cpu(stage: Stage, fleet: int, registered: int) -> None:
    """Processor time for a registration until now, of each side."""
    active = cpu_seconds(active_pid(stage)) / registered * 1000
    children = Path(f"/proc/{fleet}/task/{fleet}/children").read_text().split()
    client = sum(cpu_seconds(int(child)) for child in children) / registered * 1000
    print(
        f"     processor time for a registration: {active:.2f} ms of the Active, {client:.2f} ms of the fleet"
    )


def compared(stage: Stage, state: Path, devices: int) -> tuple[int, int]:
    """Devices whose instance the server does not have, and instances that no device has."""
    with FleetStore(state) as store:
        rows = [store.load(name) for name, *_ in store.known()]
    theirs = [row.record.identity for row in rows if row is not None]
    ours = {one.piid for one in theirs if one is not None}
    listed = stage.ask("instance.list", limit=-1)["instances"]
    found = [instance["product_instance_identifier"] for instance in listed]
    return devices - len(ours & set(found)), len(found) - len(ours & set(found))


if __name__ == "__main__":
    for figure in measure(int(sys.argv[1]) if len(sys.argv) > 1 else DEVICES):
        print(figure.line())
