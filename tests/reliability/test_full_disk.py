"""A disk that is full while products register and report: refused clearly, nothing acknowledged lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mock_server.demo.stage import Stage
from smartlic_client.errors import SmartlicError
from tests.reliability.fleet import Fleet, check
from tests.support import DNA, cluster, token


def _until_refused(stage: Stage) -> SmartlicError:
    """Buy licenses until there is no room for another change: the error that the buyer gets."""
    for number in range(3_000):
        try:
            stage.ask("license.add", name="DNA Premier 50M" + "x" * 60, tag=DNA, quantity=100_000 + number)
        except SmartlicError as error:
            return error
    raise AssertionError("there was always room")


def _until(stage: Stage, node: str, state: str) -> None:
    deadline = time.monotonic() + 20
    while stage.ask("status")["nodes"][node]["state"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("full", ["active", "standby"])
def test_a_full_disk_under_traffic_loses_and_doubles_nothing(tmp_path: Path, full: str) -> None:
    """The Active refuses with `flush-failed`; with a full Standby it goes on alone. With room all is well."""
    with cluster(tmp_path) as stage:
        stage.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=100_000)
        with Fleet(stage, token(stage), tmp_path / "devices", threads=4, seed=7) as fleet:
            fleet.wait_for(4)
            node = "primary" if full == "active" else "secondary"
            stage.ask("drill", node=node, kind="disk-full")
            if full == "active":
                error = _until_refused(stage)
                assert (error.code, error.retry_after) == ("flush-failed", 1)
                assert "full" in error.sentence
            else:
                _until(stage, "secondary", "waiting")
                fleet.wait_for(4)
                _until(stage, "primary", "active-alone")
            stage.ask("drill", node=node, kind="disk-ok")
            fleet.wait_for(4)
            _until(stage, "secondary", "standby")
        registrations = check(stage, fleet)
        assert registrations >= 8
        stage.console("primary", "ha_cluster_stop")
        _until(stage, "secondary", "active-alone")
        assert check(stage, fleet) == registrations
