"""A whole copy of the journal between two real processes."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from mock_server.journal import Head, Journal, next_row
from tests.cluster.harness import Nodes
from tests.cluster.toy import ToyMachine, change

pytestmark = pytest.mark.real

_MANY = 20_000


def fill(path: Path) -> None:
    """A journal with many changes, all to one counter."""
    journal, machine = Journal(path), ToyMachine()
    rows, head = [], journal.head
    touched: dict[tuple[str, str], None] = {}
    for number in range(_MANY):
        payload = change(f"n{number}")
        touched.update(dict.fromkeys(machine.apply(payload)))
        rows.append(next_row(head, 1, payload, {}))
        head = Head(rows[-1].idx, rows[-1].checksum)
    journal.append(rows, [(kind, key, machine.row(kind, key)) for kind, key in touched])
    journal.close()


@pytest.fixture
def alone(cluster: Nodes) -> Nodes:
    """The Primary Active with many changes, the Secondary with none and not started."""
    fill(cluster.layout.journal("primary"))
    cluster.start("primary")
    cluster.wait("primary", "active-alone")
    return cluster


def test_a_new_standby_gets_a_whole_copy_while_the_active_serves(alone: Nodes) -> None:
    """Writes during the copy are acknowledged, and the Standby has them: it takes over with all of them."""
    alone.start("secondary")
    written = 0
    while alone.status("secondary")["state"] != "standby":
        written += 1
        assert alone.add(f"during{written}")[0] == 200
    assert "a whole copy was sent" in alone.log("primary")
    assert "a whole copy of the Active's journal is here" in alone.log("secondary")
    alone.kill("primary")
    alone.wait("secondary", "active-alone")
    assert alone.get("/counter/c")[1] == {"value": _MANY + written, "node": "secondary"}


@pytest.mark.parametrize("victim", ["primary", "secondary"])
def test_who_dies_in_the_middle_of_a_copy_finds_a_journal_that_opens(alone: Nodes, victim: str) -> None:
    """Killed at any moment of it, either of them starts again, and the copy is made again."""
    for _ in range(3):
        alone.start("secondary")
        deadline = time.monotonic() + 10
        while alone.status("secondary")["state"] in ("starting", "waiting"):
            assert time.monotonic() < deadline
        alone.signal(victim, signal.SIGKILL)
        alone.processes[victim].wait(10)
        if victim == "primary":
            alone.start("primary")
            alone.kill("secondary")
            alone.wait("primary", "active-alone")
    alone.start("secondary")
    alone.wait("secondary", "standby")
    assert not [path.name for path in alone.layout.node("secondary").iterdir() if "receiving" in path.name]
    assert alone.add("after")[0] == 200
    alone.kill("primary")
    alone.wait("secondary", "active-alone")
    assert alone.get("/counter/c")[1]["value"] == _MANY + 1
