"""A peer that is not this cluster's: other keys, another cluster, another release. Real processes, TLS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mock_server.cluster import config, wire
from tests.cluster.harness import Nodes

pytestmark = pytest.mark.real


def refused(cluster: Nodes, active: str, other: str) -> None:
    """Both say why in `ha_status` and once in the log; the Active serves on, the other one has no role."""
    for name, sentence in (("primary", active), ("secondary", other)):
        status = cluster.wait_for(name, lambda status: status["refused"])
        assert sentence in status["refused"]
        assert any(sentence in line for line in cluster.console(name, "ha_status"))
        assert cluster.log(name).count(status["refused"]) == 1
    assert cluster.add("served")[0] == 200
    assert cluster.record()["in_sync"] == ["primary"]
    assert cluster.status("secondary")["role"] == "Standby"


def test_a_peer_with_other_keys_is_refused(running: Nodes) -> None:
    """The Secondary comes back with a new key: the Primary, which trusts the old one, does not take it."""
    running.terminate("secondary")
    layout = running.layout
    trusted, key = layout.certificate("secondary").read_bytes(), layout.key("secondary").read_bytes()
    config.make_keys(layout, running.config, "secondary")
    running.start("secondary")
    refused(
        running,
        "the Secondary shows another key than the one that this server trusts",
        "the Primary does not trust this server's key",
    )
    running.terminate("secondary")
    layout.certificate("secondary").write_bytes(trusted)
    layout.key("secondary").write_bytes(key)
    running.start("secondary")
    running.wait("secondary", "standby")
    assert [running.status(name)["refused"] for name in ("primary", "secondary")] == ["", ""]


def test_an_active_with_other_keys_is_not_followed(running: Nodes) -> None:
    """The Primary has a new key that the Secondary was never given."""
    layout = running.layout
    (layout.node("secondary") / "peer.crt").write_bytes(layout.certificate("primary").read_bytes())
    running.terminate("secondary")
    running.terminate("primary")
    config.make_keys(layout, running.config, "primary")
    running.start("primary")
    running.wait("primary", "active-alone")
    running.start("secondary")
    refused(
        running,
        "the Secondary does not trust this server's key",
        "the Primary shows another key than the one that this server trusts",
    )


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("VERSION", 99, "it speaks version 99 of the protocol, not "),
        ("RELEASE", "9.9", "it runs release 9.9, not "),
        ("cluster", "another", "it belongs to another cluster"),
    ],
)
def test_a_peer_of_another_release_or_cluster_is_refused(
    running: Nodes, name: str, value: Any, why: str
) -> None:
    """With the right key, but not the right words."""
    running.terminate("secondary")
    path = running.layout.cluster_json
    if name == "cluster":
        path.write_text(json.dumps({**json.loads(path.read_bytes()), "cluster": value}))
        running.start("secondary")
    else:
        running.start("secondary", service=f"tests.cluster.stranger:{name}")
    refused(running, f"the Secondary was refused: {why}", f"the Primary refuses this server: {why}")
    assert wire.VERSION != 99
