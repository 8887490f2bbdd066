"""From two stand-alone servers to a cluster, by the commands of the consoles, on real processes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server.cluster import membership
from mock_server.errors import SmartlicError
from tests.cluster.harness import Nodes, nodes, own_config

pytestmark = pytest.mark.real


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Nodes]:
    """Two stand-alone servers, each with data of its own."""
    with nodes(tmp_path / "servers", own=own_config("stand-alone")) as made:
        made.start("primary")
        made.start("secondary")
        for name, writes in (("primary", 3), ("secondary", 2)):
            made.wait(name, "stand-alone")
            for number in range(writes):
                host = made.config.node(name).host
                assert made.get(f"/add?id={name}{number}&counter={name}", host)[0] == 200
        yield made


def provision(servers: Nodes) -> None:
    servers.talk("primary", "ha_generatekeys")
    vip = servers.config.vip.host
    line = f"ha_provision_standby {servers.config.nodes.primary.host} {vip}"
    assert servers.talk("secondary", line, "y")[1] == "done"


def test_two_stand_alone_servers_serve_their_own(servers: Nodes) -> None:
    """Each serves devices and GUI at its own address with its own data; nobody holds the VIP."""
    config = servers.config
    assert not servers.listens(config.vip.host)
    assert list(servers.layout.witness.iterdir()) == []
    assert not list(servers.layout.peer.iterdir())
    for name, count in (("primary", 3), ("secondary", 2)):
        own = config.node(name)
        assert servers.get(f"/counter/{name}", own.host)[1] == {"value": count, "node": name}
        assert servers.listens(own.host, own.gui_port)
        assert servers.talk(name, "ha_status")[1] == "failed"
        status = servers.status(name)
        assert (status["mode"], status["role"]) == ("stand-alone", "Stand-alone")
    servers.kill("secondary")
    servers.start("secondary")
    servers.wait("secondary", "stand-alone")
    assert servers.get("/counter/secondary", config.nodes.secondary.host)[1]["value"] == 2


def test_keys_provisioning_deployment(servers: Nodes) -> None:
    """The Primary keeps its data and is Active on the VIP; the Secondary becomes a Standby with the same."""
    lines, outcome = servers.talk("primary", "ha_generatekeys")
    assert outcome == "done"
    fingerprint = membership.keys(servers.layout).primary
    assert fingerprint is not None
    assert any(fingerprint in line for line in lines)
    vip = servers.config.vip.host
    lines, outcome = servers.talk("secondary", "ha_provision_standby", "", "", "yes")
    assert outcome == "done"
    assert any(fingerprint in line for line in lines)
    assert any("All data of this server will be gone" in line for line in lines)
    status = servers.wait_for("secondary", lambda status: "waiting for ha_deploy" in status["reason"])
    assert status["role"] == "Standby"
    assert not servers.listens(servers.config.nodes.secondary.host)
    lines, outcome = servers.talk("primary", "ha_deploy")
    assert outcome == "done", lines
    assert [line for line in lines if line.startswith("Starting")] == [
        "Starting Cluster (corosync)...",
        "Starting Cluster (pacemaker)...",
    ]
    assert servers.wait("primary", "active")["mode"] == "cluster"
    servers.wait("secondary", "standby")
    assert servers.get("/counter/primary", vip)[1] == {"value": 3, "node": "primary"}
    assert servers.get("/counter/secondary", vip)[1]["value"] == 0
    assert servers.refusal("primary", "ha_generatekeys") == "in-cluster"
    assert servers.refusal("primary", "ha_deploy") == "in-cluster"
    assert servers.refusal("secondary", "ha_provision_standby") == "in-cluster"
    assert servers.add("later", "primary")[0] == 200
    servers.kill("primary")
    servers.wait("secondary", "active-alone")
    assert servers.get("/counter/primary", vip)[1] == {"value": 4, "node": "secondary"}
    servers.start("primary")
    servers.wait("primary", "standby")


def test_each_wrong_order_and_place_has_its_answer(servers: Nodes) -> None:
    """A command too early, on the other server, or with an address that does not fit, says what is next."""
    vip, own = servers.config.vip.host, servers.config.nodes
    assert servers.refusal("secondary", "ha_generatekeys") == "for-the-primary"
    assert servers.refusal("secondary", "ha_deploy") == "for-the-primary"
    assert servers.refusal("primary", "ha_provision_standby") == "for-the-secondary"
    assert servers.refusal("secondary", "ha_provision_standby") == "no-keys"
    assert servers.refusal("primary", "ha_deploy") == "not-provisioned"
    servers.talk("primary", "ha_generatekeys")
    assert servers.refusal("primary", "ha_deploy") == "not-provisioned"
    primary = own.primary.host
    for line, code in (
        (f"{own.secondary.host} {vip}", "primary-elsewhere"),
        (f"{primary} {primary}", "address-not-allowed"),
        (f"{primary} {own.secondary.host}", "address-not-allowed"),
        (f"{primary} 0.0.0.0", "address-not-allowed"),
        (f"{primary} here", "address-not-allowed"),
        (f"{primary} 192.0.2.1", "remote-not-allowed"),
        (f"{primary} {vip} more", "command-usage"),
    ):
        assert servers.refusal("secondary", f"ha_provision_standby {line}") == code, line
    line = f"ha_provision_standby {primary} {vip}"
    assert servers.talk("secondary", line, "n")[1] == "declined"
    assert servers.get("/counter/secondary", own.secondary.host)[1]["value"] == 2
    assert servers.talk("secondary", line, "y")[1] == "done"
    assert servers.refusal("primary", "ha_deploy 127.77.255.1") == "vip-differs"
    assert servers.talk("primary", "ha_generatekeys")[1] == "declined"
    assert servers.talk("primary", "ha_generatekeys", "y")[1] == "done"
    assert servers.refusal("primary", "ha_deploy") == "keys-differ"
    assert servers.status("primary")["state"] == "stand-alone"


def test_a_provisioning_can_be_made_again_and_undone(servers: Nodes) -> None:
    """After new keys it is run again; ha_teardown makes the server a stand-alone one, without data."""
    provision(servers)
    servers.talk("primary", "ha_generatekeys", "y")
    assert servers.talk("secondary", "ha_provision_standby", "yes", "yes", "yes")[1] == "done"
    assert membership.keys(servers.layout).fit
    assert servers.talk("secondary", "ha_teardown", "y")[1] == "done"
    servers.wait("secondary", "stand-alone")
    assert servers.get("/counter/secondary", servers.config.nodes.secondary.host)[1]["value"] == 0
    assert servers.refusal("primary", "ha_deploy") == "not-provisioned"


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.06, 0.1, 0.15])
def test_a_deployment_cut_short_by_a_kill_loses_nothing(servers: Nodes, delay: float) -> None:
    """Killed at any moment of its deployment and started again, the Primary has its data, as one or other."""
    provision(servers)
    killer = threading.Timer(0.02 + delay, servers.signal, ("primary", signal.SIGKILL))
    killer.start()
    with contextlib.suppress(SmartlicError, OSError):
        servers.talk("primary", "ha_deploy")
    killer.join()
    servers.processes["primary"].wait(10)
    servers.start("primary")
    status = servers.wait("primary", "stand-alone", "active", "standby")
    if status["state"] == "stand-alone":
        assert servers.get("/counter/primary", servers.config.nodes.primary.host)[1]["value"] == 3
        assert servers.talk("primary", "ha_deploy")[1] == "done"
    servers.wait("primary", "active", "standby")
    servers.wait("secondary", "active", "standby")
    assert servers.get("/counter/primary")[1]["value"] == 3


def test_a_deployment_without_the_secondary_waits_for_it(servers: Nodes) -> None:
    """The Secondary's process is gone: the Primary is Active alone and says so; later they are in sync."""
    provision(servers)
    servers.kill("secondary")
    result: list[tuple[list[str], str]] = []
    deploying = threading.Thread(target=lambda: result.append(servers.talk("primary", "ha_deploy")))
    deploying.start()
    servers.wait("primary", "active-alone")
    assert servers.get("/counter/primary")[1]["value"] == 3
    servers.start("secondary")
    servers.wait("secondary", "standby")
    deploying.join()
    assert result[0][1] == "done"


def test_after_a_deployment_a_teardown(servers: Nodes) -> None:
    """The whole life: two servers, a cluster, one server with all data."""
    provision(servers)
    servers.talk("primary", "ha_deploy")
    servers.add("in the cluster".replace(" ", "-"), "primary")
    assert servers.talk("primary", "ha_teardown", "y")[1] == "done"
    servers.wait("primary", "stand-alone")
    assert servers.get("/counter/primary", servers.config.nodes.primary.host)[1]["value"] == 4
    assert servers.talk("secondary", "ha_teardown", "y")[1] == "done"
    servers.wait("secondary", "discarded")
    assert servers.refusal("secondary", "ha_provision_standby") == "discarded"
