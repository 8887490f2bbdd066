"""The pytest plugin, as a project that has installed it meets it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mock_server import Cluster
from smartlic_client import Device

pytestmark = pytest.mark.real

_OUTSIDE = """
import pytest
from smartlic_client import Device, IdToken, Udi

def test_registration(ssm_server, ssm_token, tmp_path):
    Device.create(tmp_path / "d", Udi(pid="C9300-24T", sn="A"))
    with Device.open(tmp_path / "d") as device:
        device.set_destination(ssm_server.url)
        device.trust(ssm_server.trust_anchor.encode())
        device.register(IdToken(ssm_token))
    assert ssm_server.status()["nodes"]["primary"]["pid"] == __import__("os").getpid()

def test_failover(ssm_cluster, ssm_device):
    device = ssm_device("router")
    ssm_cluster.kill("primary")
    device.report(wait=10)
    assert ssm_cluster.active == "secondary"

@pytest.mark.ssm_processes
def test_processes(ssm_server):
    assert ssm_server.status()["nodes"]["primary"]["pid"] != __import__("os").getpid()
"""


def test_the_fixtures_of_this_run(ssm_cluster: Cluster, ssm_device: Callable[..., Device]) -> None:
    """`ssm_device` makes registered products of the cluster of the same test."""
    one, two = ssm_device("one"), ssm_device()
    assert one.record.identity is not None
    assert two.record.identity is not None
    found = {instance["name"] for instance in ssm_cluster.ask("instance.list")["instances"]}
    assert found == {"one", "device-2"}


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """pytest in a project outside, with what an installed entry point does."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options]
    if "smartlic" not in _installed():
        command += ["-p", "mock_server.pytest_plugin"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def _installed() -> set[str]:
    from importlib.metadata import entry_points

    return {entry.name for entry in entry_points(group="pytest11")}


def test_a_project_outside_uses_it_in_a_few_lines(tmp_path: Path) -> None:
    """Its tests get a server, a cluster, a token and products; the name check holds without any setup."""
    (tmp_path / "test_it.py").write_text(_OUTSIDE)
    done = run_pytest(tmp_path, "-q", "--strict-markers")
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_option_and_the_ini_value_make_processes_of_all(tmp_path: Path) -> None:
    """With either, the first test of the same project finds its server in another process."""
    (tmp_path / "test_it.py").write_text(_OUTSIDE)
    done = run_pytest(tmp_path, "-q", "--ssm-processes", "-k", "registration or processes")
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    (tmp_path / "pytest.ini").write_text("[pytest]\nssm_processes = true\n")
    done = run_pytest(tmp_path, "-q", "-k", "registration or processes")
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr


def test_it_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    """A run without its fixtures loads no server, no client and no event loop for it."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    assert not {'uvicorn', 'cryptography', 'smartlic_client'} & set(sys.modules)\n"
    )
    done = run_pytest(tmp_path, "-q")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_fixtures_say_what_they_are(tmp_path: Path) -> None:
    """`pytest --fixtures` shows each with its first sentence."""
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    said = run_pytest(tmp_path, "--fixtures").stdout
    for line in (
        "A mock SSM On-Prem cluster that is up",
        "One mock SSM On-Prem server",
        "The text of a new ID token",
        "Makes registered products",
    ):
        assert line in said
