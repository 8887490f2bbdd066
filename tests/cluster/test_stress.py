"""A stream of writes by the VIP while the Active is killed or stopped: nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import sqlite3
import threading
import time
from typing import Any

import pytest

from tests.cluster.harness import Nodes

pytestmark = pytest.mark.real


class Writer(threading.Thread):
    """Writes one id after another, each again until it is acknowledged, on one connection if it can.

    It also reads: a value that is older than one it has seen acknowledged is a stale read."""

    def __init__(self, cluster: Nodes, name: str, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self.name = name
        self.ended = ended
        self.acknowledged: list[str] = []
        self.stale: list[tuple[int, int]] = []
        self.longest = 0.0
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            number += 1
            write = f"{self.name}-{number}"
            begun = time.monotonic()
            while not self._get(f"/add?id={write}&counter={self.name}"):
                if self.ended.is_set():
                    return
            self.longest = max(self.longest, time.monotonic() - begun)
            self.acknowledged.append(write)
            read = self._get(f"/counter/{self.name}")
            if read and read["value"] < number:
                self.stale.append((read["value"], number))

    def _get(self, path: str) -> dict[str, Any] | None:
        vip = self.cluster.config.vip
        if self._connection is None:
            self._connection = http.client.HTTPConnection(vip.host, vip.device_port, timeout=6)
        try:
            self._connection.request("GET", path)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            time.sleep(0.002)
            return None
        answer: dict[str, Any] = json.loads(body)
        if response.status != 200:
            time.sleep(0.02)
            return None
        return answer

    def finish(self) -> None:
        self.join(15)
        if self._connection is not None:
            self._connection.close()


def test_rule_2_no_acknowledged_write_is_lost_or_doubled_by_kills(running: Nodes) -> None:
    """The Active is killed again and again under load, once with its peer hardly back in sync."""
    writers, ended = _load(running)
    active = "primary"
    for _ in range(6):
        time.sleep(0.25)
        peer = "secondary" if active == "primary" else "primary"
        running.kill(active)
        running.wait(peer, "active-alone", "active")
        running.start(active)
        running.wait(active, "standby")
        active = peer
    _check(running, writers, ended, active)


def test_rule_4_no_stale_read_and_no_loss_by_a_stopped_active(running: Nodes) -> None:
    """The Active is stopped for 3 s under load and then runs again, or has been ended by then."""
    writers, ended = _load(running)
    time.sleep(0.3)
    running.signal("primary", signal.SIGSTOP)
    time.sleep(3)
    running.signal("primary", signal.SIGCONT)
    running.wait("secondary", "active", "active-alone")
    time.sleep(0.3)
    if running.processes["primary"].poll() is not None:
        running.start("primary")
    running.wait("primary", "standby")
    _check(running, writers, ended, "secondary")


def test_rule_4_a_short_stop_ends_the_lease_and_nothing_else(running: Nodes) -> None:
    """Stopped for longer than its lease but too short for a takeover, the Active goes on as Active."""
    writers, ended = _load(running)
    time.sleep(0.2)
    for _ in range(2):
        running.signal("primary", signal.SIGSTOP)
        time.sleep(1.65)
        running.signal("primary", signal.SIGCONT)
        running.wait("primary", "active")
        time.sleep(0.2)
    assert running.record()["epoch"] == 1
    _check(running, writers, ended, "primary")


def _load(cluster: Nodes) -> tuple[list[Writer], threading.Event]:
    ended = threading.Event()
    writers = [Writer(cluster, f"w{number}", ended) for number in range(4)]
    for writer in writers:
        writer.start()
    return writers, ended


def _check(cluster: Nodes, writers: list[Writer], ended: threading.Event, active: str) -> None:
    time.sleep(0.2)
    ended.set()
    for writer in writers:
        writer.finish()
    writes = cluster.get("/dump")[1]["writes"]
    assert set(writes.values()) == {1}
    for writer in writers:
        assert len(writer.acknowledged) > 10
        assert [name for name in writer.acknowledged if name not in writes] == []
        assert writer.stale == []
    states = {name: cluster.wait(name, "active", "standby")["role"] for name in ("primary", "secondary")}
    assert states[active] == "Active"
    assert sorted(states.values()) == ["Active", "Standby"]
    _until_equal(cluster)


def _until_equal(cluster: Nodes) -> None:
    """When it is quiet, both journals, aggregates and key stores are the same."""
    deadline = time.monotonic() + 5
    while _content(cluster, "primary") != _content(cluster, "secondary"):
        assert time.monotonic() < deadline, "the replicas differ"
        time.sleep(0.05)


def _content(cluster: Nodes, name: str) -> list[list[tuple[Any, ...]]]:
    path = cluster.layout.journal(name)
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return [
            db.execute("SELECT * FROM journal").fetchall(),
            db.execute("SELECT * FROM aggregate").fetchall(),
            db.execute("SELECT * FROM key_store").fetchall(),
        ]
