"""`python -m benchmarks.memory --minutes 60`: whether memory stays flat while a fleet asks at a steady rate.

A real cluster and a real fleet. Before the time begins all devices are registered, and their histories are
as full as they get. From then on they renew their authorizations and report other counts; nothing that a
server keeps for good is made: no instances, no usage reports under a policy. So what grows is a leak. The
journal on the disk grows by design, and is shown.

The first quarter of the time, at most ten minutes, is warm-up. The rest is judged by the medians of its first
quarter and its last one, as what a process frees it does not always give back at once.
"""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks.figures import Figure
from benchmarks.fleet import DNA
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from smartlic_client.protocol.record import MAX_HISTORY

__all__ = ["Sample", "figures", "slope", "warm_up"]

_ADDRESSES = Addresses("127.86.0.5", "127.86.0.10", "127.86.0.12")
_DEVICES = 200
_EVERY = 2.0
"""Seconds after which a device reports again: 100 exchanges a second in all."""
_CHANGE = 30
"""Seconds after which a device has another count."""
_SAMPLE = 2.0
_FULL = MAX_HISTORY + 4
"""Exchanges of each device before the time begins."""
_FLAT = 1.02
_MORE = 4
"""Descriptors and threads that may be more at the end: connections come and go."""
_TOLD = re.compile(r"(\d+) messages answered, (\d+) failed")


class Sample(NamedTuple):
    """A process at one moment. `at`: seconds since the warm-up began; memory in KiB.

    `own`: what is mapped from no file, such as the heap. `pss` counts a page shared with n processes as an
    nth: what else runs on the machine changes it, so it is shown only.
    """

    at: float
    rss: int
    pss: int
    own: int
    descriptors: int
    threads: int


@dataclass
class Told:
    """What the fleet has said last."""

    answered: int = 0
    failed: int = 0


# ---- judged ------------------------------------------------------------------------------------------------
def warm_up(minutes: float) -> float:
    """Seconds."""
    return min(minutes * 60 / 4, 600.0)


def slope(samples: Sequence[Sample]) -> float:
    """KiB of resident memory a minute, by least squares."""
    line = statistics.linear_regression([one.at / 60 for one in samples], [one.rss for one in samples])
    return line.slope


def figures(name: str, samples: Sequence[Sample]) -> list[Figure]:
    """The end of a process's run beside its beginning. `samples`: without the warm-up."""
    quarter = max(len(samples) // 4, 1)
    first, last = samples[:quarter], samples[-quarter:]

    def of(field: str, middle: Callable[[list[int]], float], of_which: Sequence[Sample]) -> float:
        return middle([getattr(one, field) for one in of_which])

    found = [
        Figure(
            f"{title} of {name}",
            of(field, statistics.median, last) / 1024,
            of(field, statistics.median, first) / 1024,
            "MiB",
            "what it was after the warm-up",
            _FLAT,
            [getattr(one, field) / 1024 for one in samples],
        )
        for field, title in (("rss", "resident memory"), ("own", "memory of its own"))
    ]
    for field, title in (("descriptors", "open descriptors"), ("threads", "threads")):
        before, after = of(field, max, first) + _MORE, of(field, max, last)
        found.append(
            Figure(
                f"{title} of {name}",
                after,
                before,
                "open" if field == "descriptors" else "running",
                f"as after the warm-up, and {_MORE} more",
                1.0,
            )
        )
    return found


# ---- looked at ---------------------------------------------------------------------------------------------
def look(pid: int, at: float) -> Sample:
    """Raises OSError if the process has ended."""
    folder = Path(f"/proc/{pid}")
    memory = {}
    for line in (folder / "smaps_rollup").read_text().splitlines()[1:]:
        word, _, rest = line.partition(":")
        memory[word] = int(rest.split()[0])
    tasks = len(list((folder / "task").iterdir()))
    descriptors = len(list((folder / "fd").iterdir()))
    return Sample(at, memory["Rss"], memory["Pss"], memory["Anonymous"], descriptors, tasks)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _processes(stage: Stage, fleet: int) -> dict[str, int]:
    """What is watched, by name; a fleet is a parent and the process that has the devices."""
    nodes = {
        name: int(json.loads((stage.cluster / "nodes" / name / "node.json").read_bytes())["pid"])
        for name in ("primary", "secondary")
    }
    supervisor = int(json.loads((stage.cluster / "control.json").read_bytes())["pid"])
    (share,) = _children(fleet)
    return {**nodes, "supervisor": supervisor, "fleet": share, "fleet's command": fleet}


def _watch(processes: Mapping[str, int], seconds: float, told: Told) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {name: [] for name in processes}
    began, shown, answered = time.monotonic(), 0.0, told.answered
    print("minute   " + "".join(f"{name:>28}" for name in processes) + "    answered  failed")
    while (at := time.monotonic() - began) < seconds:
        for name, pid in processes.items():
            samples[name].append(look(pid, at))
        if at >= shown:
            cells = "".join(f"{_cell(seen[-1]):>28}" for seen in samples.values())
            print(f"{at / 60:6.1f}   {cells}{told.answered - answered:>12}{told.failed:>8}", flush=True)
            shown += 60.0
        time.sleep(_SAMPLE)
    return samples


def _cell(sample: Sample) -> str:
    memory = "/".join(f"{size / 1024:.1f}" for size in (sample.rss, sample.pss, sample.own))
    return f"{memory} {sample.descriptors}fd {sample.threads}th"


# ---- run ---------------------------------------------------------------------------------------------------
def _inventory(path: Path, seconds: float) -> Path:
    """Devices whose counts go up and down as long as it lasts."""
    steps = " ".join(
        f"+{number * _CHANGE}s={2 + number % 2}" for number in range(1, int(seconds / _CHANGE) + 2)
    )
    path.write_text(
        f'name,pid,sn,count,licenses\nswitch-{{n}},C9300-24T,FOC{{n:06}},{_DEVICES},"{DNA}=2 {steps}"\n'
    )
    return path


@contextlib.contextmanager
def _fleet(stage: Stage, folder: Path, seconds: float) -> Iterator[tuple[int, Told]]:
    """`smartlic fleet`, when all of its devices have said enough; its process id, and what it says."""
    (folder / "token").write_text(stage.ask("token.create", days=1)["token"])
    command = [sys.executable, "-m", "smartlic_client.cli", "fleet"]
    command += [str(_inventory(folder / "campus.csv", seconds + 300)), "--server", stage.url]
    command += ["--ca", str(stage.anchor), "--token", str(folder / "token"), "--every", str(_EVERY)]
    command += ["--at-once", "16", "--format", "json"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    told, ready = Told(), threading.Event()

    def hear() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if found := _TOLD.search(line):
                told.answered, told.failed = map(int, found.groups())
                if told.answered >= _DEVICES * _FULL:
                    ready.set()
            else:
                print(f"the fleet: {line.rstrip()}")
        ready.set()

    hearing = threading.Thread(target=hear)
    hearing.start()
    try:
        assert ready.wait(300) and process.poll() is None, "the fleet did not come so far as to be measured"
        yield process.pid, told
    finally:
        process.terminate()
        process.wait(timeout=30)
        hearing.join()


def _size(folder: Path) -> float:
    """MiB of its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def measure(minutes: float) -> list[Figure]:
    warm, seconds = warm_up(minutes), minutes * 60
    with (
        tempfile.TemporaryDirectory(prefix="smartlic-drill-") as name,
        raised_cluster(Path(name), _ADDRESSES) as stage,
    ):
        stage.ask("common-name", name=stage.config.vip.host)
        stage.ask("synchronize")
        license_ = {"name": "DNA Premier", "tag": DNA, "quantity": 3 * _DEVICES}
        stage.ask("license.add", **license_)
        with _fleet(stage, Path(name), seconds) as (fleet, told):
            print(
                f"{_DEVICES} devices, each reports about every {_EVERY:g} s; {minutes:g} minutes, of which "
                f"the first {warm / 60:.1f} are warm-up.\n"
                "Memory in MiB, resident/PSS/own; descriptors; threads."
            )
            before = _size(stage.cluster)
            samples = _watch(_processes(stage, fleet), seconds, told)
            assert told.failed == 0, f"{told.failed} messages failed"
            print(f"The cluster's files grew from {before:.0f} to {_size(stage.cluster):.0f} MiB, as meant.")
    judged = {who: [one for one in seen if one.at >= warm] for who, seen in samples.items()}
    for who, seen in judged.items():
        print(f"{who}: {slope(seen):+.1f} KiB of resident memory a minute")
    return [figure for who, seen in judged.items() for figure in figures(who, seen)]


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.5), default=60.0, show_default=True)
def main(minutes: float) -> None:
    """Whether memory, descriptors and threads of a cluster and a fleet stay flat at a steady rate."""
    found = measure(minutes)
    for figure in found:
        print(figure.line())
    sys.exit(0 if all(figure.ok for figure in found) else 1)


if __name__ == "__main__":
    main()
