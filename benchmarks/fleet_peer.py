"""A fleet beside the same agent under Locust's FastHttpUser: processor time of the client for an exchange.

Both keep their connections, and tell their counts to the same server again and again, one after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.fleet import DNA
from benchmarks.packages import environment
from mock_server import Cluster
from tests.judges.test_locust import NEEDED

__all__ = ["measure"]

_ROOT = Path(__file__).parents[1]
_DEVICES = 1_000
_USERS = 64
_SECONDS = 15


def measure() -> Iterator[Figure]:
    locust = environment("peers-locust", NEEDED) / "locust"
    with tempfile.TemporaryDirectory(prefix="smartlic-bench-") as name, Cluster(processes=True) as ssm:
        folder = Path(name)
        (folder / "fleet.csv").write_text(
            f'name,pid,sn,count,licenses\nsw-{{n}},C9300-24T,FOC{{n:05}},{_DEVICES},"{DNA}=2"\n'
        )
        (folder / "anchor.pem").write_text(ssm.trust_anchor)
        (folder / "token.txt").touch(mode=0o600)
        (folder / "token.txt").write_text(ssm.token())
        ours, theirs = _fleet(folder, ssm.url), _locust(folder, ssm.url, locust)
    yield Figure(
        "processor time of a fleet for an exchange",
        ours,
        theirs,
        "ms",
        "the same agent under Locust's FastHttpUser",
        0.5,
    )


def _fleet(folder: Path, url: str) -> float:
    """Milliseconds for an exchange, of devices that have registered before."""
    command = [sys.executable, "-m", "smartlic_client.cli", "fleet", "fleet.csv", "--server", url]
    command += ["--ca", "anchor.pem", "--token", "token.txt", "--at-once", str(_USERS), "--format", "json"]
    _run([*command, "--once"], folder)
    said = json.loads(_run([*command, "--every", "0.5", "--duration", str(_SECONDS)], folder))
    answered = sum(one["answered"] for one in said["operations"].values())
    print(f"     the fleet: {answered / said['seconds']:.0f} exchanges a second; {said['limit']}")
    return float(1000 * said["cpu_seconds"] / answered)


def _locust(folder: Path, url: str, locust: Path) -> float:
    command = [str(locust), "-f", str(_ROOT / "benchmarks" / "locust_fast.py"), "--headless"]
    command += ["--users", str(_USERS), "--spawn-rate", str(_USERS), "--run-time", f"{2 * _SECONDS}s"]
    command += ["--only-summary", "--loglevel", "WARNING", "--host", url]
    command += ["--inventory", "fleet.csv", "--ca", "anchor.pem", "--token-file", "token.txt"]
    lines = _run(command, folder).splitlines()
    said = json.loads(next(line for line in lines if line.startswith('{"answered"')))
    print(f"     Locust: {said['answered'] / said['seconds']:.0f} exchanges a second")
    return float(1000 * said["cpu"] / said["answered"])


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout
