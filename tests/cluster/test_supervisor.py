"""The supervisor: up, down, consoles of dead nodes, problems at the start. Real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mock_server.cluster import client, config
from smartlic_client.errors import SmartlicError
from tests.cluster.upper import Up

pytestmark = pytest.mark.real


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


def test_two_consoles_start_a_dead_node(cluster: Up) -> None:
    """Both ask at the same time: one process is started, and each console has an answer."""
    cluster.up()
    client.call(cluster.folder, "drill", node="secondary", kind="kill")

    def start(_number: int) -> list[str] | str:
        try:
            return cluster.console("secondary", "ha_cluster_start")
        except SmartlicError as error:
            return error.code

    with ThreadPoolExecutor() as pool:
        said = list(pool.map(start, range(2)))
    starts = [one for one in said if one[0] == "Starting Cluster (corosync)..."]
    assert len(starts) == 1, said
    other = next(one for one in said if one not in starts)
    assert other == "console-busy" or "is running on the Secondary already" in other[0]
    cluster.wait_for("secondary", "state", "standby")
    assert len(cluster.nodes()) == 2


def test_what_the_active_may_have_done_is_not_asked_of_the_other(cluster: Up) -> None:
    """The Active dies in the middle of an operation: the caller is told so, and it is not done again."""
    cluster.up()
    with pytest.raises(SmartlicError) as lost:
        client.call(cluster.folder, "die")
    assert (lost.value.code, lost.value.exit_code) == ("answer-lost", 2)
    cluster.wait_for("secondary", "role", "Active")
    assert client.call(cluster.folder, "dump")["counters"] == {"keys": 1}


@pytest.mark.parametrize("first", ["primary", "secondary", None])
def test_both_are_told_to_stop(cluster: Up, first: str | None) -> None:
    """One after the other, or at the same time: both stop, nobody is Active, and a start of both serves again
    what was acknowledged."""
    cluster.up()
    before = client.call(cluster.folder, "dump")
    order = [first, config.peer_of(first)] if first else list(config.NODES)
    with ThreadPoolExecutor(1 if first else 2) as pool:
        said = list(pool.map(lambda name: cluster.console(name, "ha_cluster_stop"), order))
    assert all(lines[-1] == "Stopping Cluster (corosync)..." for lines in said), said
    status = client.call(cluster.folder, "status")
    assert status["active"] is None
    assert {node["state"] for node in status["nodes"].values()} == {"stopped"}
    with pytest.raises(SmartlicError) as nobody:
        client.call(cluster.folder, "dump")
    assert nobody.value.code == "nobody-active"
    assert cluster.console("primary", "ha_cluster_stop") == ["The cluster is stopped on the Primary already."]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: cluster.console(name, "ha_cluster_start"), config.NODES))
    active = str(client.call(cluster.folder, "status")["active"])
    cluster.wait_for(active, "state", "active")
    cluster.wait_for(config.peer_of(active), "state", "standby")
    assert client.call(cluster.folder, "dump") == before


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


def test_a_start_in_a_folder_that_was_moved_says_so_at_once(cluster: Up) -> None:
    """The folder is moved while the cluster is up: a start there ends with the path, not after a minute."""
    cluster.up()
    cluster.console("secondary", "ha_cluster_stop")
    moved = cluster.folder.with_name("moved")
    cluster.folder.rename(moved)
    cluster.folder = moved
    begun = time.monotonic()
    with pytest.raises(SmartlicError) as refused:
        cluster.console("secondary", "ha_cluster_start")
    assert time.monotonic() - begun < 5
    assert refused.value.code in ("folder-damaged", "no-cluster", "journal-not-writable")
    assert str(moved.with_name("cluster")) in refused.value.sentence
    client.call(moved, "down")
    assert cluster.started[0].wait(20) == 0


@pytest.mark.parametrize("first", ["primary", "secondary"])
def test_both_told_to_stop_at_once(cluster: Up, first: str) -> None:
    """Both consoles stop the cluster at the same moment: both are stopped soon, and a start serves all."""
    cluster.up()
    second = "secondary" if first == "primary" else "primary"
    begun = time.monotonic()
    stopping = [
        threading.Thread(target=cluster.console, args=(name, "ha_cluster_stop")) for name in (first, second)
    ]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join(20)
    assert time.monotonic() - begun < 8
    # The Standby may have taken over before its own stop reached it: then it was told again.
    for name in config.NODES:
        cluster.console(name, "ha_cluster_stop")
    status = client.call(cluster.folder, "status")
    assert [status["nodes"][name]["state"] for name in config.NODES] == ["stopped", "stopped"]
    for name in config.NODES:
        cluster.console(name, "ha_cluster_start")
    deadline = time.monotonic() + 10
    while client.call(cluster.folder, "status")["active"] is None:
        assert time.monotonic() < deadline
    assert client.call(cluster.folder, "dump")["counters"] == {"keys": 1}


def test_an_altered_journal_is_refused_by_its_name(cluster: Up) -> None:
    """The last Active's journal has a changed row: `up` says which file, and nothing is left running. With it
    moved away the other one has all data."""
    cluster.up()
    client.call(cluster.folder, "down")
    assert cluster.started[0].wait(20) == 0
    path = config.Layout(cluster.folder).journal("primary")
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE journal SET payload = x'00' WHERE idx = 1")
    said = cluster.up()
    assert said["code"] == "journal-damaged"
    assert str(path) in said["sentence"]
    assert "change 1 was altered" in said["sentence"]
    assert cluster.nodes() == []
    for file in path.parent.glob("journal.sqlite*"):
        file.rename(file.with_name(f"away-{file.name}"))
    assert cluster.up() == {"up": None}
    cluster.console("secondary", "ha_cluster_start --force")
    cluster.wait_for("secondary", "role", "Active")
    cluster.console("primary", "ha_cluster_start")
    cluster.wait_for("primary", "state", "standby")
    assert client.call(cluster.folder, "dump")["counters"] == {"keys": 1}
