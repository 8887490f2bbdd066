"""A simulated year of a fleet in compliance: processor time and memory, by a keyed hash.

`python -m benchmarks.simulated_year --devices 100000` plays the whole of it; otherwise a tenth is, and is
multiplied. One process does it, so its processor time is what one core takes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import click

from benchmarks.figures import Figure
from smartlic_client.fleet.inventory import Inventory, Kind
from smartlic_client.fleet.schedule import Schedule
from smartlic_client.folders import DEFAULT_SOFTWARE_ID

__all__ = ["measure"]

_TAG = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
_DEVICES = 10_000
_WHOLE = 100_000
_SECONDS = 300.0
_KIB = 1.5 * 1024 * 1024 / _WHOLE


def measure(devices: int = _DEVICES) -> list[Figure]:
    """In a process of its own: memory is that of nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.simulated_year", "--devices", str(devices), "--raw"],
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    print(
        f"{devices} devices: {told['cpu']:.1f} s of processor time, {told['wall']:.1f} s in all, "
        f"{1e6 * told['cpu'] / told['messages']:.0f} µs a message, {told['peak'] / 1024:.0f} MiB"
    )
    return [
        Figure(
            "a simulated year of 100,000 devices",
            told["cpu"] * _WHOLE / devices,
            _SECONDS,
            "s of one core",
            "five minutes",
            1.0,
        ),
        Figure(
            "memory of a simulated device and its instance on two servers",
            (told["peak"] - told["before"]) / devices,
            _KIB,
            "KiB",
            "1.5 GiB for 100,000",
            1.0,
        ),
    ]


def _peak() -> int:
    """KiB of memory, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _played(devices: int) -> dict[str, float]:
    from mock_server.simulated_fleet.audit import audit
    from mock_server.simulated_fleet.fleet import Plan, SimulatedFleet

    kind = Kind("d-{n}", "C9300-24T", "FOC{n:06}", None, DEFAULT_SOFTWARE_ID, ((_TAG, Schedule(1)),), devices)
    before, wall, cpu = _peak(), time.perf_counter(), time.process_time()
    fleet = SimulatedFleet(Inventory([kind]), Plan())
    fleet.run(lambda _: None)
    found = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "messages": fleet.figures.total_answered,
        "before": before,
        "peak": _peak(),
    }
    assert fleet.figures.states == {"authorized": devices}, fleet.figures.states
    assert audit(fleet).ok
    return found


@click.command()
@click.option("--devices", type=click.IntRange(1, 1_000_000), default=_DEVICES, show_default=True)
@click.option("--raw", is_flag=True, hidden=True)
def main(devices: int, raw: bool) -> None:
    """Play the year of so many devices; exit 1 where it takes too long or too much."""
    if raw:
        print(json.dumps(_played(devices)))
        return
    figures = measure(devices)
    for figure in figures:
        print(figure.line())
    sys.exit(0 if all(figure.ok for figure in figures) else 1)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.simulated_year")
