"""A server whose journal is gone, although the witness lists it as one that has everything."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from mock_server.demo.stage import Stage, raised_cluster
from tests.support import DNA, new_addresses


def _purchased(stage: Stage) -> list[int]:
    return [row["purchased"] for row in stage.ask("license.list")["licenses"]]


def _until_primary(stage: Stage) -> None:
    """The takeover is under way when the console of the one that stopped returns."""
    deadline = time.monotonic() + 10
    while stage.status()["active"] != "primary":
        assert time.monotonic() < deadline, stage.status()
        time.sleep(0.01)


def _start_with_a_loss(folder: Path, lose: str) -> tuple[Stage, list[str]]:
    """A cluster that held 7 licenses, is stopped, loses `lose` in the Primary's folder, and starts again."""
    addresses = new_addresses()
    with raised_cluster(folder, addresses) as stage:
        stage.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=7)
    node = folder / "cluster" / "nodes" / "primary"
    if lose:
        for path in node.glob(lose):
            path.unlink()
    else:
        shutil.rmtree(node)
    with raised_cluster(folder, addresses, active=False) as stage:
        said = stage.console("primary", "ha_status")
        assert stage.gui("vip") == "down"
        forced = stage.console("secondary", "ha_cluster_start --force")
        assert any("WARNING" in line for line in forced)
        assert _purchased(stage) == [7], "what the Secondary has is served"
        assert stage.roles() == {"Primary": "Standby", "Secondary": "Active"}
        stage.ask("wait", node="primary", seconds=15)
        stage.console("secondary", "ha_cluster_stop")
        _until_primary(stage)
        assert _purchased(stage) == [7], "and the Primary has it again"
    return stage, said


def test_a_server_that_lost_its_journal_does_not_go_first(tmp_path: Path) -> None:
    """The last Active without its journal waits and says why; the other can be forced, with all data."""
    _, said = _start_with_a_loss(tmp_path, "journal.sqlite*")
    assert any("its journal ends at change 0" in line for line in said), said


def test_a_server_whose_folder_is_gone_starts_empty_and_is_filled(tmp_path: Path) -> None:
    """The folder of a server may be moved away: it is made anew, and the other server fills it."""
    _, said = _start_with_a_loss(tmp_path, "")
    assert any("its journal ends at change 0" in line for line in said), said
