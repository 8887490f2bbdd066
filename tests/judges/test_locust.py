"""Locust runs devices as its users: a master and two workers, from an inventory, against a real cluster."""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path

import pytest

from mock_server import Cluster
from tests.judges.environments import programs
from tests.support import DNA

pytestmark = [pytest.mark.judge, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
NEEDED = ["locust>=2.31,<3", "msgspec>=0.19,<1", "cryptography>=45,<60", "lxml>=5.2,<7", "filelock>=3.13,<5"]
NEEDED += ["idna>=3.7,<4", "platformdirs>=4,<5", "pyyaml>=6,<7", "requests>=2.32,<3"]


def test_two_workers_share_the_devices_of_an_inventory(tmp_path: Path) -> None:
    """40 users are 40 devices, none twice; each registers and reports; the figures are by operation."""
    locust = programs("locust", NEEDED) / "locust"
    inventory = tmp_path / "fleet.csv"
    inventory.write_text(f'name,pid,sn,count,licenses\nsw-{{n}},C9300-24T,FOC{{n:05}},40,"{DNA}=2"\n')
    with Cluster(processes=True) as ssm:
        ssm.ask("license.add", name="DNA", tag=DNA, quantity=100)
        (tmp_path / "anchor.pem").write_text(ssm.trust_anchor)
        (tmp_path / "token.txt").write_text(ssm.token())
        command = [str(locust), "-f", str(ROOT / "examples/locustfile.py"), "--headless", "--processes", "2"]
        command += [
            "--users",
            "44",
            "--spawn-rate",
            "20",
            "--run-time",
            "20s",
            "--csv",
            "run",
            "--only-summary",
        ]
        command += ["--host", ssm.url, "--inventory", str(inventory), "--ca", "anchor.pem"]
        command += ["--token-file", "token.txt", "--expect-workers", "2"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        instances = ssm.ask("instance.list", limit=-1)["instances"]
        assert sorted(one["name"] for one in instances) == sorted(f"sw-{number}" for number in range(1, 41))
        assert sum(one["in_use"] for one in ssm.ask("license.list")["licenses"]) == 80
    with (tmp_path / "run_stats.csv").open(newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    assert int(rows["registration"]["Request Count"]) == 40
    assert int(rows["authorization"]["Request Count"]) >= 80
    assert {int(row["Failure Count"]) for row in rows.values()} == {0}
