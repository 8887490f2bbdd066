"""`examples/`: short, by public names only, and true."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import smartlic_client
from mock_server import Cluster

pytestmark = pytest.mark.real

EXAMPLE = Path(__file__).parents[2] / "examples" / "switches.py"
LINES = ["sw-1 up 1", "sw-1 up 2", "sw-2 up 7", "sw-1 up 3", "sw-1 down 2", "sw-3 up 1", "sw-2 up many"]


def test_the_emulator_is_short_and_uses_public_names_only() -> None:
    """At most 60 lines of code; every import from the client is one of its public names."""
    text = EXAMPLE.read_text()
    tree = ast.parse(text)
    docstring = tree.body[0]
    lines = text.splitlines()[docstring.end_lineno :]
    assert len(lines) <= 60
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    ours = [node for node in imports if "smartlic" in ast.unparse(node) or "mock_server" in ast.unparse(node)]
    assert [node.module for node in ours if isinstance(node, ast.ImportFrom)] == ["smartlic_client"]
    assert len(ours) == 1
    assert {name.name for name in ours[0].names} <= set(smartlic_client.__all__)


def test_its_switches_use_a_license_for_each_port(tmp_path: Path) -> None:
    """Two switches in one process, twice: counts follow ports, and a second start goes on as the same."""
    with Cluster(tmp_path / "cluster") as ssm:
        tag = next(line for line in EXAMPLE.read_text().splitlines() if line.startswith("TAG = ")).split('"')[
            1
        ]
        ssm.ask("license.add", name="DNA", tag=tag, quantity=10)
        (tmp_path / "anchor.pem").write_text(ssm.ask("certificates")["trust_anchor"])
        (tmp_path / "token").write_text(ssm.token(uses=2))
        arguments = [
            tmp_path / "devices",
            ssm.url,
            tmp_path / "anchor.pem",
            tmp_path / "token",
            "sw-1",
            "sw-2",
        ]
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-W", "error", str(EXAMPLE), *map(str, arguments)],
                input="\n".join(LINES) + "\n\n",
                capture_output=True,
                text=True,
                timeout=60,
                env=os.environ,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout.splitlines() == [
                "sw-1: 2 ports up, complete, authorized",
                "sw-2: 1 ports up, complete, authorized",
            ]
            assert [line[:3] for line in done.stderr.splitlines()] == ["no:", "no:"]
            instances = ssm.ask("instance.list")["instances"]
            counts = {one["udi"][-4:]: [used["count"] for used in one["licenses"]] for one in instances}
            assert counts == {"SW-1": [2], "SW-2": [1]}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    """Every line of the unit is known to systemd; program and user are put to ones that there are."""
    unit = (EXAMPLE.parent / "smartlic.service").read_text()
    assert "smartlic run" in unit
    unit = unit.replace("/usr/local/bin/smartlic", "/bin/true").replace("User=smartlic", "User=root")
    (tmp_path / "smartlic.service").write_text(unit)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "smartlic.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in done.stderr.splitlines() if "smartlic.service" in line] == []
