"""`ha_teardown` on two real processes (rule 10): in either order, without a Standby, and cut short."""

from __future__ import annotations

import contextlib
import signal
import threading
import time

import pytest

from mock_server.cluster.membership import marked
from mock_server.errors import SmartlicError
from tests.cluster.harness import Nodes

pytestmark = pytest.mark.real

NOT_ENABLED = [
    "Error: cluster is not currently running on this node",
    "Error: HA is not enabled on this server",
]


def torn_down(cluster: Nodes) -> None:
    """The Primary stands alone with all data, nobody holds the VIP, and no record lets anybody take it."""
    own = cluster.config.nodes.primary
    assert cluster.status("primary")["state"] == "stand-alone"
    assert cluster.status("primary")["mode"] == "stand-alone"
    assert not cluster.listens(cluster.config.vip.host)
    assert not cluster.listens(cluster.config.vip.host, cluster.config.vip.gui_port)
    assert cluster.listens(own.host, own.gui_port)
    record = cluster.record()
    assert (record["mode"], record["active"], record["in_sync"]) == ("stand-alone", "primary", ["primary"])
    assert cluster.get("/counter/teardowns", own.host)[1]["value"] == 1
    assert not marked(cluster.layout, "primary", "teardown")


def test_rule_10_the_primary_goes_on_alone_and_the_secondary_never_takes_the_vip(running: Nodes) -> None:
    """It warns, asks, shows its progress, and ends in stand-alone mode with all data at its own address."""
    running.add("before")
    epoch = running.record()["epoch"]
    lines, outcome = running.talk("primary", "ha_teardown", "y")
    assert outcome == "done"
    assert "about to be destroyed" in lines[0]
    assert "stand-alone mode" in lines[0]
    assert any("Starting the teardown" in line for line in lines)
    assert any("has been destroyed" in line for line in lines)
    torn_down(running)
    assert running.record()["epoch"] == epoch + 1
    own = running.config.nodes.primary.host
    assert running.get("/counter/c", own) == (200, {"value": 1, "node": "primary"})
    assert running.get("/add?id=after&counter=c", own)[0] == 200
    assert running.talk("primary", "ha_status") == (NOT_ENABLED, "failed")
    status = running.wait_for("secondary", lambda status: "torn down" in status["reason"])
    assert (status["role"], status["state"]) == ("Standby", "waiting")
    running.signal("primary", signal.SIGKILL)
    running.processes["primary"].wait(10)
    time.sleep(2.5)  # longer than a hang would have to last
    assert not running.listens(running.config.vip.host)
    lines, _ = running.talk("secondary", "ha_cluster_start --force")
    assert any("torn down" in line for line in lines)
    assert running.status("secondary")["role"] == "Standby"
    running.start("primary")
    running.wait("primary", "stand-alone")
    torn_down(running)
    assert running.get("/counter/c", own) == (200, {"value": 2, "node": "primary"})


def test_rule_10_the_secondary_is_discarded_and_cannot_be_used_again(running: Nodes) -> None:
    """Its teardown warns and asks; then it shows pages to read, no devices, and refuses every command."""
    running.add("before")
    running.talk("primary", "ha_teardown", "yes")
    running.wait_for("secondary", lambda status: "torn down" in status["reason"])
    lines, outcome = running.talk("secondary", "ha_teardown", "no")
    assert outcome == "declined"
    assert lines[0].startswith("WARNING: The HA cluster configuration is about to be destroyed")
    assert running.status("secondary")["state"] == "waiting"
    lines, outcome = running.talk("secondary", "ha_teardown", "y")
    assert outcome == "done"
    assert any("has been destroyed" in line and "stand-alone mode" in line for line in lines)
    discarded(running)
    running.kill("secondary")
    running.start("secondary")
    running.wait("secondary", "discarded")
    discarded(running)
    torn_down(running)


def discarded(cluster: Nodes) -> None:
    own = cluster.config.nodes.secondary
    assert cluster.status("secondary")["mode"] == "discarded"
    assert cluster.talk("secondary", "ha_status") == (NOT_ENABLED, "failed")
    assert cluster.get("/", own.host, port=own.gui_port)[1]["discarded"]["c"] == 1
    assert not cluster.listens(own.host)
    assert cluster.refusal("secondary", "ha_cluster_start") == "discarded"
    assert cluster.refusal("secondary", "ha_provision_standby") == "discarded"
    assert cluster.refusal("secondary", "ha_deploy") == "discarded"
    assert cluster.refusal("secondary", "ha_generatekeys") == "discarded"
    assert cluster.refusal("primary", "ha_deploy") == "torn-down"
    assert cluster.refusal("primary", "ha_generatekeys") == "torn-down"
    assert cluster.refusal("primary", "ha_provision_standby") == "for-the-secondary"
    for name in ("primary", "secondary"):
        assert cluster.talk(name, "ha_teardown") == (NOT_ENABLED, "failed")
        assert cluster.talk(name, "ha_cluster_stop") == (NOT_ENABLED, "failed")


def test_rule_10_answered_no_it_changes_nothing(running: Nodes) -> None:
    """No, nothing, and the end of input leave the cluster as it was."""
    before = running.record()
    for answer in ("n", "", "what?"):
        assert running.talk("primary", "ha_teardown", answer)[1] == "declined"
    assert running.record() == before
    assert running.status("primary")["state"] == "active"
    assert running.status("secondary")["state"] == "standby"


def test_rule_10_the_secondary_first_leaves_a_cluster_of_one(running: Nodes) -> None:
    """Discarded before the Primary was torn down, the Secondary is off the list; the Primary serves on."""
    running.add("before")
    assert running.talk("secondary", "ha_teardown", "y")[1] == "done"
    assert running.record()["in_sync"] == ["primary"]
    assert running.record()["mode"] == "cluster"
    assert running.add("between")[0] == 200
    running.wait("secondary", "discarded")
    assert running.talk("primary", "ha_teardown", "y")[1] == "done"
    torn_down(running)
    assert running.get("/counter/c", running.config.nodes.primary.host)[1]["value"] == 2


@pytest.mark.parametrize("how", ["dead", "hung", "cut", "stopped"])
def test_rule_10_with_a_standby_that_is_not_there(running: Nodes, how: str) -> None:
    """Dead, hung, cut off or stopped, it learns of the teardown when it is back, and never serves."""
    running.add("before")
    if how == "dead":
        running.kill("secondary")
    elif how == "hung":
        running.signal("secondary", signal.SIGSTOP)
    elif how == "stopped":
        running.console("secondary", "ha_cluster_stop")
    else:
        for kind in ("replication", "heartbeat"):
            running.op("primary", "drill", kind=f"{kind}-cut", seconds=2)
    assert running.talk("primary", "ha_teardown", "y")[1] == "done"
    torn_down(running)
    if how == "dead":
        running.start("secondary")
    elif how == "hung":
        running.signal("secondary", signal.SIGCONT)
    elif how == "stopped":
        running.console("secondary", "ha_cluster_start")
    status = running.wait_for("secondary", lambda status: "torn down" in status["reason"])
    assert status["role"] == "Standby"
    assert running.talk("secondary", "ha_teardown", "y")[1] == "done"
    running.wait("secondary", "discarded")
    torn_down(running)


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1])
def test_rule_10_cut_short_by_a_kill_it_is_a_cluster_or_torn_down(running: Nodes, delay: float) -> None:
    """Killed at any moment and started again, it stands alone or is in the cluster, with all data."""
    running.add("before")
    killer = threading.Timer(0.03 + delay, running.signal, ("primary", signal.SIGKILL))
    killer.start()
    with contextlib.suppress(SmartlicError, OSError):
        running.talk("primary", "ha_teardown", "y")
    killer.join()
    running.processes["primary"].wait(10)
    running.start("primary")
    record = running.record()
    if record["mode"] == "stand-alone":
        running.wait("primary", "stand-alone")
        torn_down(running)
        running.wait_for("secondary", lambda status: "torn down" in status["reason"])
        host = running.config.nodes.primary.host
        assert not running.listens(running.config.vip.host)
    else:
        running.wait("primary", "standby", "active")
        running.wait("secondary", "active", "standby")
        host = running.config.vip.host
    assert running.get("/counter/c", host)[1]["value"] == 1


def test_teardown_wants_the_primary_to_be_active(running: Nodes) -> None:
    """On a Secondary that is Active and on a Primary that is not, the answer says to fall back first."""
    running.console("primary", "ha_cluster_stop")
    running.wait("secondary", "active-alone")
    assert running.refusal("secondary", "ha_teardown") == "fall-back-first"
    assert running.refusal("primary", "ha_teardown") == "primary-not-active"
    running.console("primary", "ha_cluster_start")
    running.wait("primary", "standby")
    assert running.refusal("primary", "ha_teardown") == "primary-not-active"
    running.wait("secondary", "active")
    assert running.refusal("secondary", "ha_teardown") == "fall-back-first"


def test_the_last_copy_is_not_discarded(running: Nodes) -> None:
    """A stopped Secondary that alone has every acknowledged change refuses its teardown."""
    running.kill("primary")
    running.wait("secondary", "active-alone")
    running.add("only-here")
    running.console("secondary", "ha_cluster_stop")
    assert running.refusal("secondary", "ha_teardown") == "last-copy"
    running.console("secondary", "ha_cluster_start")
    running.wait("secondary", "active-alone")
    assert running.get("/counter/c")[1]["value"] == 1


def test_a_stand_alone_server_without_its_journal_does_not_serve(running: Nodes) -> None:
    """After a teardown nobody else has the data: an empty journal is refused, not served."""
    running.add("before")
    running.talk("primary", "ha_teardown", "y")
    running.terminate("primary")
    for path in running.layout.node("primary").glob("journal.sqlite*"):
        path.unlink()
    running.start("primary")
    status = running.wait_for("primary", lambda status: status["problem"] is not None)
    assert status["problem"]["code"] == "journal-lost"
    assert not running.listens(running.config.nodes.primary.host)
