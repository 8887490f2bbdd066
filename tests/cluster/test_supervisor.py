"""The supervisor: up, down, consoles of dead nodes, problems at the start. Real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mock_server.cluster import client, config
from mock_server.cluster.processes import read_node_file, started
from smartlic_client.errors import SmartlicError
from tests.cluster.harness import own_config

pytestmark = pytest.mark.real

_UP = """
import asyncio, json, sys
from mock_server.cluster.supervisor import Supervisor
from mock_server.errors import SmartlicError

def on_up(status):
    print(json.dumps({"up": status["active"]}), flush=True)

try:
    supervisor = Supervisor(sys.argv[1], None, sys.argv[2])
    asyncio.run(supervisor.serve(on_up))
except SmartlicError as error:
    print(json.dumps({"code": error.code, "sentence": error.sentence}), flush=True)
"""


class Up:
    """A supervisor's process and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = config.create(folder, own_config())
        self.started: list[subprocess.Popen[str]] = []

    def up(self, service: str = "tests.cluster.toy:factory") -> dict[str, Any]:
        """Start a supervisor; what it says first."""
        process = subprocess.Popen(
            [sys.executable, "-c", _UP, str(self.folder), service],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.started.append(process)
        assert process.stdout is not None
        said: dict[str, Any] = json.loads(process.stdout.readline())
        process.stdout.close()
        return said

    def nodes(self) -> list[int]:
        """The ids of node processes that still run."""
        layout = config.Layout(self.folder)
        files = [read_node_file(layout.node_json(name)) for name in config.NODES]
        return [file.pid for file in files if file is not None and started(file.pid) == file.started]

    def console(self, node: str, line: str) -> list[str]:
        return list(client.console(self.folder, node, line))

    def wait_for(self, node: str, key: str, value: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while True:
            status = client.call(self.folder, "status")
            if status["nodes"][node][key] == value:
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.02)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.terminate()
            process.wait(30)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path / "cluster")
    yield made
    made.close()


def test_up_status_consoles_and_down(cluster: Up) -> None:
    """Up waits until both are in sync; status shows both; a second up is refused; down ends all."""
    assert cluster.up() == {"up": "primary"}
    status = client.call(cluster.folder, "status")
    assert status["active"] == "primary"
    assert [status["nodes"][name]["role"] for name in config.NODES] == ["Active", "Standby"]
    assert [status["nodes"][name]["database"] for name in config.NODES] == [
        "Replication Master",
        "Replication Slave",
    ]
    assert status["nodes"]["secondary"]["in_sync"] == ["primary", "secondary"]
    second = cluster.up()
    assert second["code"] == "already-running"
    assert str(cluster.started[0].pid) in second["sentence"]
    assert any("Replication Slave" in line for line in cluster.console("secondary", "ha_status"))
    assert client.call(cluster.folder, "dump")["counters"] == {"keys": 1}
    assert client.call(cluster.folder, "status", node="x")["active"] == "primary"
    with pytest.raises(SmartlicError) as refused:
        client.call(cluster.folder, "nonsense")
    assert refused.value.code == "unknown-op"
    client.call(cluster.folder, "down")
    assert cluster.started[0].wait(20) == 0
    assert cluster.nodes() == []
    with pytest.raises(SmartlicError) as gone:
        client.call(cluster.folder, "status")
    assert gone.value.code == "not-running"


def test_a_dead_node_is_shown_and_started_again_by_its_console(cluster: Up) -> None:
    """Nothing restarts by itself; a dead node's `ha_status` is answered; `ha_cluster_start` starts one."""
    cluster.up()
    client.call(cluster.folder, "drill", node="primary", kind="kill")
    cluster.wait_for("secondary", "role", "Active")
    status = cluster.wait_for("primary", "state", "gone")["nodes"]["primary"]
    assert (status["role"], status["running"], status["heartbeat"]) == ("Standby", False, "disconnected")
    lines = cluster.console("primary", "ha_status")
    assert any("Standby" in line and "Active" in line for line in lines)
    assert cluster.console("primary", "ha_cluster_stop") == ["The cluster is stopped on the Primary already."]
    assert cluster.console("primary", "version")[0].startswith("smartlic mock ")
    assert client.call(cluster.folder, "dump")["counters"] == {"keys": 1}
    lines = cluster.console("primary", "ha_cluster_start")
    assert lines[:2] == ["Starting Cluster (corosync)...", "Starting Cluster (pacemaker)..."]
    cluster.wait_for("primary", "state", "standby")
    cluster.wait_for("secondary", "state", "active")


def test_a_hung_node_does_not_hang_the_status(cluster: Up) -> None:
    """The peer of a stopped process answers for it."""
    cluster.up()
    client.call(cluster.folder, "drill", node="secondary", kind="hang")
    begun = time.monotonic()
    status = client.call(cluster.folder, "status")
    assert time.monotonic() - begun < 3
    assert status["nodes"]["secondary"]["reason"] == "its process does not answer"
    assert cluster.console("secondary", "ha_status")
    client.call(cluster.folder, "drill", node="secondary", kind="resume")
    cluster.wait_for("secondary", "state", "standby")


def test_down_and_up_again_keeps_the_last_active(cluster: Up) -> None:
    """After a failover, down and up, the Secondary is Active again (rule 9)."""
    cluster.up()
    cluster.console("primary", "ha_cluster_stop")
    cluster.wait_for("secondary", "role", "Active")
    cluster.console("primary", "ha_cluster_start")
    cluster.wait_for("primary", "state", "standby")
    cluster.started[0].send_signal(signal.SIGTERM)
    assert cluster.started[0].wait(20) == 0
    assert cluster.up() == {"up": "secondary"}


def test_the_nodes_end_when_the_supervisor_is_killed(cluster: Up) -> None:
    """A supervisor that is killed leaves no node behind, and the next one can start at once."""
    cluster.up()
    assert len(cluster.nodes()) == 2
    cluster.started[0].kill()
    cluster.started[0].wait(10)
    # Both stop at once, in order: the Active may have handed over before the Standby left.
    assert cluster.up()["up"] in config.NODES
    assert client.call(cluster.folder, "status")["nodes"]["primary"]["in_sync"] != []


def test_a_taken_port_is_the_problem_that_up_reports(cluster: Up) -> None:
    """Somebody on the VIP's port: `vip-in-use` with the address, and no process is left."""
    vip = cluster.config.vip
    with socket.socket() as stranger:
        stranger.bind((vip.host, vip.gui_port))
        stranger.listen()
        said = cluster.up()
    assert said["code"] == "vip-in-use"
    assert f"{vip.host}:{vip.gui_port}" in said["sentence"]
    assert cluster.nodes() == []


def test_a_service_that_fails_is_the_problem_that_up_reports(cluster: Up) -> None:
    """No hang: a service that cannot be loaded or activated is reported, and no process is left."""
    assert cluster.up("tests.cluster.toy:none")["code"] == "service-not-found"
    assert cluster.up("tests.cluster.toy:broken")["code"] == "internal-error"
    assert cluster.nodes() == []


def test_a_folder_of_another_version_is_refused(cluster: Up) -> None:
    """`folder-version` names what was found."""
    path = config.Layout(cluster.folder).cluster_json
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    said = cluster.up()
    assert said["code"] == "folder-version"
    assert "7" in said["sentence"]


def test_nothing_in_the_folder_is_for_others(cluster: Up) -> None:
    """Folders are 0700, files 0600."""
    cluster.up()
    for root, folders, files in os.walk(cluster.folder):
        for name in folders:
            assert (Path(root) / name).stat().st_mode & 0o777 == 0o700, name
        for name in files:
            path = Path(root) / name
            assert path.stat().st_mode & 0o777 == 0o600, path
