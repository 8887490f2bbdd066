"""kill -9 of the Active, without any console, in the middle of a stream of registrations and reports."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from mock_server.demo.stage import Stage
from tests.reliability.fleet import Fleet, check
from tests.support import DNA, cluster, token


def _kill_the_active(stage: Stage) -> str:
    active = str(stage.ask("status")["active"])
    node = json.loads((stage.cluster / "nodes" / active / "node.json").read_bytes())
    os.kill(node["pid"], signal.SIGKILL)
    return active


def _kills(folder: Path, times: int) -> None:
    with cluster(folder) as stage:
        stage.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=100_000)
        with Fleet(stage, token(stage), folder / "devices", threads=4, seed=times) as fleet:
            for _ in range(times):
                fleet.wait_for(4)
                killed = _kill_the_active(stage)
                fleet.wait_for(4)  # the survivor answers, by the VIP
                assert stage.ask("status")["active"] != killed
                stage.console(killed, "ha_cluster_start")
        registrations = check(stage, fleet)
        assert registrations >= 8 * times
        # What the one has the other has too: it takes over, and the same holds there.
        stage.console(str(stage.ask("status")["active"]), "ha_cluster_stop")
        assert check(stage, fleet) == registrations


def test_five_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """After five kills of the Active every accepted registration and report is on the survivor, once."""
    _kills(tmp_path, 5)


@pytest.mark.drill
def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """The same with twenty kills in a row."""
    _kills(tmp_path, 20)
