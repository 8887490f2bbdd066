"""Both nodes stopped, and one of them started alone."""

from __future__ import annotations

from pathlib import Path

from mock_server.demo.stage import Stage
from smartlic_client.device import Device
from smartlic_client.protocol.identity import IdToken, Udi
from tests.support import DNA, cluster, token


def _register(stage: Stage, name: str) -> None:
    folder = stage.devices / name
    Device.create(folder, Udi(pid="C9300-24T", sn=name.upper()), hostname=name)
    with Device.open(folder) as device:
        device.set_destination(stage.url)
        device.trust(stage.ask("certificates")["trust_anchor"].encode())
        device.register(IdToken(token(stage)), wait=10)


def test_the_former_active_started_alone_serves_with_all_data(tmp_path: Path) -> None:
    """Standby stopped, Active goes on alone, stops, and starts alone: it serves again, with everything."""
    with cluster(tmp_path) as stage:
        stage.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=7)
        _register(stage, "first")
        stage.console("secondary", "ha_cluster_stop")
        _register(stage, "alone")
        stage.console("primary", "ha_cluster_stop")
        assert stage.gui("vip") == "down"
        stage.console("primary", "ha_cluster_start")
        assert stage.roles()["Primary"] == "Active"
        assert stage.gui("vip") == "answers"
        assert sorted(stage.instances()) == ["alone", "first"]
        assert stage.ask("license.list")["licenses"][0]["purchased"] == 7
        _register(stage, "later")


def test_the_former_standby_started_alone_waits_says_why_and_can_be_forced(tmp_path: Path) -> None:
    """A node that the other went on without waits and says so; --force starts it with what it has."""
    with cluster(tmp_path) as stage:
        _register(stage, "both have it")
        stage.console("secondary", "ha_cluster_stop")
        _register(stage, "only the primary has it")
        stage.console("primary", "ha_cluster_stop")

        said = stage.console("secondary", "ha_cluster_start")
        assert any("not in sync: cannot take over" in line for line in said), said
        assert stage.gui("vip") == "down"
        assert any(
            "not in sync: cannot take over" in line for line in stage.console("secondary", "ha_status")
        )

        warned = stage.console("secondary", "ha_cluster_start --force")
        assert any("WARNING" in line for line in warned), warned
        assert stage.gui("vip") == "answers"
        assert sorted(stage.instances()) == ["both have it"]

        stage.console("primary", "ha_cluster_start")
        assert stage.databases() == {"Primary": "Replication Slave", "Secondary": "Replication Master"}
        lost = list((stage.cluster / "nodes" / "primary").glob("lost-*.sqlite"))
        assert lost, "what only the Primary had is kept, and named"
        assert any(lost[0].name in line for line in stage.console("primary", "ha_status"))
