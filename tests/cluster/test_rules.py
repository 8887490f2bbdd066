"""The cluster's rules on two real processes. Numbers are those of the specification's rules."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import sqlite3
import ssl
import threading
import time
from pathlib import Path

import pytest

from mock_server.cluster.config import Address, configure
from mock_server.cluster.witness import Record, Witness
from mock_server.journal import Journal, next_row
from smartlic_client.errors import SmartlicError
from tests.cluster.harness import Nodes, free_ports, nodes
from tests.cluster.toy import change

pytestmark = pytest.mark.real


def test_rule_1_every_takeover_raises_the_epoch(running: Nodes) -> None:
    """Whoever becomes Active has won a higher epoch, and is alone on the list until its peer is back."""
    assert (running.record()["epoch"], running.record()["in_sync"]) == (1, ["primary", "secondary"])
    running.kill("primary")
    running.wait("secondary", "active-alone")
    record = running.record()
    assert (record["epoch"], record["active"], record["in_sync"]) == (2, "secondary", ["secondary"])


def test_rule_1_two_that_start_at_once_give_one_active(running: Nodes) -> None:
    """After both were killed, one of the two becomes Active and the other follows it."""
    running.add("before")
    running.kill("primary")
    running.kill("secondary")
    starters = [threading.Thread(target=running.start, args=(name,)) for name in ("secondary", "primary")]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    first = running.wait("primary", "active", "standby")
    second = running.wait("secondary", "active", "standby")
    assert {first["role"], second["role"]} == {"Active", "Standby"}
    assert running.get("/counter/c") == (200, {"value": 1, "node": first["active"]})


def test_rule_2_a_lost_standby_is_off_the_list_before_anything_is_acknowledged(running: Nodes) -> None:
    """The first answer after the Standby died finds the record without it; when it is back, it is listed."""
    running.kill("secondary")
    assert running.add("alone")[0] == 200
    assert running.record()["in_sync"] == ["primary"]
    running.start("secondary")
    running.wait("secondary", "standby")
    assert running.record()["in_sync"] == ["primary", "secondary"]
    assert (
        running.status("secondary")["servers"]["secondary"]["index"]
        == running.status("primary")["servers"]["primary"]["index"]
    )


def test_rule_2_a_standby_that_does_not_acknowledge_for_a_second_is_taken_off(running: Nodes) -> None:
    """A hung Standby delays an answer by a second, not more, and rejoins when it runs again."""
    running.signal("secondary", signal.SIGSTOP)
    begun = time.monotonic()
    status, _ = running.add("alone")
    waited = time.monotonic() - begun
    assert status == 200
    assert 0.5 < waited < 2
    assert running.record()["in_sync"] == ["primary"]
    running.signal("secondary", signal.SIGCONT)
    running.wait("secondary", "standby")
    assert running.status("primary")["state"] == "active"


def test_rule_3_a_deposed_active_falls_silent_and_rejoins(running: Nodes) -> None:
    """An Active that finds a higher epoch closes listeners and connections, and comes back as Standby."""
    connection = http.client.HTTPConnection(
        running.config.vip.host, running.config.vip.device_port, timeout=5
    )
    connection.request("GET", "/counter/c")
    connection.getresponse().read()
    witness = Witness(running.layout.witness, "test")
    seen = witness.read()
    assert seen is not None
    taken = Record(0, seen.epoch + 1, ("secondary",), "secondary")
    assert witness.compare_and_set(seen, taken) is not None
    status = running.wait("primary", "standby", "waiting", "catching-up")
    assert status["role"] == "Standby"
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/counter/c")
        connection.getresponse()
    connection.close()
    running.wait("secondary", "active")
    running.wait("primary", "standby")
    assert running.record()["active"] == "secondary"
    assert "deposed" in running.log("primary")
    assert running.add("after")[1]["node"] == "secondary"


def test_rule_3_a_sleeper_that_wakes_deposed_answers_nothing(running: Nodes) -> None:
    """Requests that wait in the sockets of a stopped Active get no answer when it wakes after a takeover."""
    vip = running.config.vip
    running.add("before")
    waiting = [socket.create_connection((vip.host, vip.device_port), timeout=5) for _ in range(5)]
    for number, sock in enumerate(waiting):
        sock.sendall(b"GET /counter/c HTTP/1.1\r\nhost: x\r\n\r\n")  # known to the node before it sleeps
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert number >= 0
    running.signal("primary", signal.SIGSTOP)
    for number, sock in enumerate(waiting):
        path = b"/counter/c" if number % 2 else b"/add?id=sleeper%d" % number
        sock.sendall(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path)
    deadline = time.monotonic() + 5
    while running.record()["epoch"] == 1:
        assert time.monotonic() < deadline
    running.signal("primary", signal.SIGCONT)
    for sock in waiting:
        try:
            answer = sock.recv(65536)
        except OSError:
            answer = b""
        assert b" 200 " not in answer
        sock.close()
    running.wait("secondary", "active", "active-alone")
    assert running.get("/counter/c") == (200, {"value": 1, "node": "secondary"})
    if running.processes["primary"].poll() is None:  # else it was too slow, and rule 5 ended it
        running.wait("primary", "standby")


def test_rule_4_a_dead_active_is_replaced_at_once(running: Nodes) -> None:
    """From SIGKILL of the Active to answers on the VIP it takes far less than a keepalive's interval."""
    running.add("before")
    begun = time.monotonic()
    running.signal("primary", signal.SIGKILL)
    answer = None
    while answer is None:
        assert time.monotonic() - begun < 5
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = running.get("/counter/c")
    took = time.monotonic() - begun
    assert answer == (200, {"value": 1, "node": "secondary"})
    assert took < 0.5


def test_rule_4_a_hung_active_is_replaced_after_two_seconds(running: Nodes) -> None:
    """A stopped process loses its role after 2 s of silence, not before, and rejoins when it is started."""
    running.add("before")
    running.signal("primary", signal.SIGSTOP)
    begun = time.monotonic()
    while running.status("secondary")["role"] != "Active":
        assert time.monotonic() - begun < 6
        time.sleep(0.01)
    silent = time.monotonic() - begun
    assert 1.8 < silent < 3.5
    assert running.get("/counter/c") == (200, {"value": 1, "node": "secondary"})
    # Rule 5: it held the VIP, so its process was ended, stopped as it was.
    assert running.processes["primary"].wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("kind", ["heartbeat", "replication"])
def test_rule_4_one_connection_cut_alone_is_no_takeover(running: Nodes, kind: str) -> None:
    """With either connection cut for longer than a hang would last, the Active stays Active."""
    epoch = running.record()["epoch"]
    running.op("primary", "drill", kind=f"{kind}-cut", seconds=2.5)
    until = time.monotonic() + 2.5
    number = 0
    while time.monotonic() < until:
        number += 1
        assert running.add(f"w{number}")[0] == 200
        assert running.status("secondary")["role"] == "Standby"
        if kind == "heartbeat":
            assert running.record()["in_sync"] == ["primary", "secondary"]
        time.sleep(0.05)
    running.wait("secondary", "standby")
    running.wait_for("secondary", lambda status: status["heartbeat"] == "connected")
    record = running.record()
    assert (record["epoch"], record["active"]) == (epoch, "primary")
    assert record["in_sync"] == ["primary", "secondary"]


def test_rule_4_both_connections_cut_from_a_living_active_is_no_takeover(running: Nodes) -> None:
    """The Active takes its Standby off the list and goes on; the Standby finds itself not listed."""
    for kind in ("replication", "heartbeat"):
        running.op("primary", "drill", kind=f"{kind}-cut", seconds=0.8)
    assert running.add("alone")[0] == 200
    assert running.record()["in_sync"] == ["primary"]
    status = running.status("secondary")
    assert (status["role"], status["heartbeat"]) == ("Standby", "disconnected")
    running.wait("secondary", "standby")
    assert (running.record()["epoch"], running.record()["active"]) == (1, "primary")


def test_rule_4_a_standby_that_slept_reads_before_it_judges(running: Nodes) -> None:
    """A Standby stopped for longer than 2 s finds bytes in its sockets, and takes nothing over."""
    running.signal("secondary", signal.SIGSTOP)
    time.sleep(2.5)
    running.signal("secondary", signal.SIGCONT)
    running.wait("secondary", "standby")
    assert running.record()["epoch"] == 1
    assert running.status("primary")["role"] == "Active"


def test_rule_5_a_stranger_on_the_vip_is_never_ended(running: Nodes) -> None:
    """When another program holds the VIP, the takeover ends with that problem, and the program lives."""
    vip: Address = running.config.vip
    running.signal("secondary", signal.SIGSTOP)
    running.kill("primary")
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind((vip.host, vip.device_port))
        stranger.listen()
        running.signal("secondary", signal.SIGCONT)
        status = running.wait_for("secondary", lambda status: status["problem"] is not None)
        assert status["problem"]["code"] == "vip-in-use"
        assert str(vip.device_port) in status["problem"]["sentence"]
        assert status["state"] == "stopped"
    running.console("secondary", "ha_cluster_start")
    assert running.wait("secondary", "active-alone")["role"] == "Active"


def test_rule_6_a_returning_node_cuts_what_was_never_acknowledged(running: Nodes) -> None:
    """A change that only the dead Active had is cut when it returns; the node says how many there were."""
    running.add("safe")
    running.kill("primary")
    running.wait("secondary", "active-alone")
    # It died between its own commit and shipping.
    journal = Journal(running.layout.journal("primary"))
    journal.append([next_row(journal.head, 1, change("lost"), {})], [("write", "lost", b"1")])
    journal.close()
    assert running.add("later")[0] == 200
    running.start("primary")
    status = running.wait("primary", "standby")
    assert status["cut"] == {"changes": 1, "after": 2, "saved": None}
    assert any("1 change after 2 was cut" in line for line in running.console("primary", "ha_status"))
    assert "lost" not in running.get("/dump")[1]["writes"]
    assert _rows(running, "primary") == _rows(running, "secondary")


def test_rule_6_after_a_forced_start_what_is_cut_is_kept_and_named(running: Nodes) -> None:
    """Acknowledged changes given up by force are in lost-<epoch>.sqlite of the node that returns."""
    running.kill("secondary")
    assert running.add("acknowledged")[0] == 200
    running.kill("primary")
    running.start("secondary", stopped=True)
    running.console("secondary", "ha_cluster_start --force")
    running.wait("secondary", "active-alone")
    running.start("primary")
    status = running.wait("primary", "standby")
    saved = status["cut"]["saved"]
    assert status["cut"]["changes"] == 1
    assert saved == "lost-2.sqlite"
    path = running.layout.node("primary") / saved
    assert path.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(path) as kept:
        payloads = [json.loads(row[0])["id"] for row in kept.execute("SELECT payload FROM journal")]
    kept.close()
    assert "acknowledged" in payloads
    assert running.record()["forced"] is False  # it has been listed again


def test_rule_7_a_node_that_is_not_listed_waits_and_says_so(running: Nodes) -> None:
    """Alone and not in sync a node does not serve; with --force it warns, and then does."""
    running.kill("secondary")
    running.add("alone")
    running.kill("primary")
    running.start("secondary", stopped=True)
    lines = running.console("secondary", "ha_cluster_start")
    assert any("Standby, not in sync: cannot take over" in line for line in lines)
    assert not running.listens(running.config.vip.host)
    lines = running.console("secondary", "ha_cluster_start --force")
    assert any("WARNING" in line and "Primary" in line for line in lines)
    assert lines[-1] == "Secondary is Active."
    assert running.record()["forced"] is True
    assert running.get("/counter/c")[1] == {"value": 0, "node": "secondary"}


def test_rule_8_a_planned_stop_of_the_active_loses_and_refuses_nothing(running: Nodes) -> None:
    """Writers that go on during a stop get an answer or a refused connection; what was answered is there."""
    acknowledged: list[str] = []
    ended = threading.Event()
    writer = threading.Thread(target=_write, args=(running, "w", acknowledged, ended))
    writer.start()
    time.sleep(0.2)
    assert running.console("primary", "ha_cluster_stop") == [
        "Stopping Cluster (pacemaker)...",
        "Stopping Cluster (corosync)...",
    ]
    status = running.status("secondary")
    assert status["role"] == "Active"
    assert status["heartbeat"] == "disconnected"
    assert running.status("primary")["running"] is False
    time.sleep(0.2)
    ended.set()
    writer.join()
    writes = running.get("/dump")[1]["writes"]
    assert {writes[name] for name in acknowledged} == {1}
    own = running.config.nodes.primary
    assert not running.listens(own.host)
    assert not running.listens(own.host, own.gui_port)
    lines = running.console("primary", "ha_cluster_start")
    assert lines[:2] == ["Starting Cluster (corosync)...", "Starting Cluster (pacemaker)..."]
    status = running.wait("primary", "standby")
    assert status["active"] == "secondary"  # no automatic fallback (A2.11)


def test_rule_8_a_standby_that_stops_is_taken_off_the_list_at_once(running: Nodes) -> None:
    """After a planned stop of the Standby the record lists the Active alone, and no answer was delayed."""
    running.console("secondary", "ha_cluster_stop")
    assert running.record()["in_sync"] == ["primary"]
    begun = time.monotonic()
    assert running.add("alone")[0] == 200
    assert time.monotonic() - begun < 0.5


def test_rule_8_sigterm_is_a_planned_stop(running: Nodes) -> None:
    """A node that is told to end hands over first; its process ends in order."""
    running.add("before")
    running.terminate("primary")
    assert running.processes["primary"].returncode == 0
    running.wait("secondary", "active-alone")
    assert "handed over" in running.log("secondary")


def test_rule_9_the_last_active_goes_first(running: Nodes) -> None:
    """After both were killed, the last Active serves at once, and the other follows it."""
    running.kill("primary")
    running.wait("secondary", "active-alone")
    running.start("primary")
    running.wait("primary", "standby")
    running.add("x")
    running.kill("primary")
    running.kill("secondary")
    running.start("secondary")
    running.wait("secondary", "active-alone", seconds=1.5)
    running.start("primary")
    running.wait("primary", "standby")


def test_rule_9_a_listed_node_takes_over_from_a_peer_that_is_gone(running: Nodes) -> None:
    """Listed in sync but not the last Active, with the peer's process gone, a node does not wait."""
    running.add("x")
    running.signal("secondary", signal.SIGSTOP)
    running.kill("primary")
    running.kill("secondary")
    running.start("secondary")
    running.wait("secondary", "active-alone", seconds=1.5)
    assert running.get("/counter/c")[1]["value"] == 1


def test_rule_9_a_new_cluster_starts_with_the_primary(cluster: Nodes) -> None:
    """In a new cluster the Secondary waits for the Primary."""
    cluster.start("secondary")
    status = cluster.wait_for("secondary", lambda status: "Primary" in status["reason"])
    assert status["role"] == "Standby"
    cluster.start("primary")
    cluster.wait("primary", "active")
    cluster.wait("secondary", "standby")


@pytest.mark.parametrize("host", ["127.77.254.1", "::1"])
def test_ports_can_stand_for_nodes(tmp_path: Path, host: str) -> None:
    """With one address for all three, IPv4 or IPv6, the VIP's port moves to the survivor."""
    device = free_ports(host, 1)[0] // 10 * 10
    own = configure(host, host, host, device_port=device, gui_port=device + 3, peer_port=device + 6)
    with nodes(tmp_path / "one", own=own) as cluster:
        cluster.both()
        assert cluster.add("a")[1]["node"] == "primary"
        assert cluster.listens(host, own.nodes.primary.device_port)
        assert not cluster.listens(host, own.nodes.secondary.device_port)
        cluster.kill("primary")
        cluster.wait("secondary", "active-alone")
        assert cluster.get("/counter/c") == (200, {"value": 1, "node": "secondary"})
        assert cluster.listens(host, own.nodes.secondary.device_port)
        assert not cluster.listens(host, own.nodes.primary.device_port)


def test_devices_are_served_with_the_certificate_of_the_key_store(cluster: Nodes) -> None:
    """TLS on the device port, before and after a failover, with one key."""
    (cluster.folder / "toy-tls").touch()
    cluster.both()
    vip = (cluster.config.vip.host, cluster.config.vip.device_port)
    before = ssl.get_server_certificate(vip)
    cluster.kill("primary")
    cluster.wait("secondary", "active-alone")
    assert ssl.get_server_certificate(vip) == before


def test_only_the_active_serves(running: Nodes) -> None:
    """The Active answers on the VIP and its own address; the Standby listens on neither."""
    own = running.config.nodes
    assert running.listens(running.config.vip.host)
    assert running.listens(own.primary.host)
    assert running.listens(own.primary.host, own.primary.gui_port)
    assert not running.listens(own.secondary.host)
    with pytest.raises(SmartlicError) as refused:
        running.op("secondary", "dump")
    assert refused.value.code == "not-active"
    assert running.op("primary", "dump")["counters"] == {"keys": 1}


def test_private_keys_are_replicated_and_are_no_events(running: Nodes) -> None:
    """A key proposed on the Active is in the Standby's key store, and in no event."""
    key = running.op("primary", "key", name="toy")["pem"]
    running.kill("primary")
    running.wait("secondary", "active-alone")
    assert running.op("secondary", "key", name="toy")["pem"] == key
    assert "PRIVATE" in key
    assert running.get("/events")[0] == 200
    assert all("PRIVATE" not in row[2].decode() for row in _rows(running, "secondary"))


def test_a_full_disk_refuses_and_forgets(running: Nodes) -> None:
    """Changes that cannot be flushed get 503, leave no trace, and work again when there is space."""
    running.add("before")
    running.op("primary", "drill", kind="disk-full")
    status, answer = running.get("/counter/c")
    for number in range(400):
        status, answer = running.add(f"x{number}" + "y" * 2000, counter="z" * 2000 + str(number))
        if status == 503:
            break
    assert status == 503
    assert answer["code"] == "flush-failed"
    assert answer["retry_after"] == 1
    running.op("primary", "drill", kind="disk-ok")
    # While the state is rebuilt from the journal, answers are still 503 with Retry-After.
    running.wait_for("primary", lambda _status: running.add("after")[0] == 200)
    writes = running.get("/dump")[1]["writes"]
    assert f"x{number}" + "y" * 2000 not in writes
    running.wait("secondary", "standby")
    running.kill("primary")
    running.wait("secondary", "active-alone")
    assert running.get("/dump")[1]["writes"] == writes


def _write(cluster: Nodes, prefix: str, acknowledged: list[str], ended: threading.Event) -> None:
    """Write until told to end; note what was acknowledged."""
    number = 0
    while not ended.is_set():
        number += 1
        name = f"{prefix}{number}"
        try:
            if cluster.add(name)[0] == 200:
                acknowledged.append(name)
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)


def _rows(cluster: Nodes, name: str) -> list[tuple[int, int, bytes, bytes]]:
    """The journal of a node, read from its file."""
    db = sqlite3.connect(f"file:{cluster.layout.journal(name)}?mode=ro", uri=True)
    try:
        return db.execute("SELECT idx, epoch, payload, checksum FROM journal ORDER BY idx").fetchall()
    finally:
        db.close()
