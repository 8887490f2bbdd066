"""SIGKILL and SIGSTOP of either server at random moments, while products register and report."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from mock_server.demo.stage import Stage
from tests.reliability.fleet import Fleet, check
from tests.support import DNA, cluster, token

KILLS = int(os.environ.get("KILLS", "20"))
"""How many processes the drill kills; it stops about half as many."""


def _pid(stage: Stage, node: str) -> int:
    return int(json.loads((stage.cluster / "nodes" / node / "node.json").read_bytes())["pid"])


def _hit(stage: Stage, chance: random.Random) -> str:
    """Kill or stop one of the two; what was done."""
    node, kill = chance.choice(["primary", "secondary"]), chance.random() < 0.67
    pid = _pid(stage, node)
    os.kill(pid, signal.SIGKILL if kill else signal.SIGSTOP)
    if not kill:
        time.sleep(chance.uniform(0.1, 3.0))
        with contextlib.suppress(ProcessLookupError):  # who took over has ended it
            os.kill(pid, signal.SIGCONT)
    return "kill" if kill else "stop"


def _mend(stage: Stage) -> None:
    """Both run again and are one cluster: what is hit next may be lost."""
    until = time.monotonic() + 30
    while True:
        nodes = stage.ask("status")["nodes"]
        if sorted(node["state"] for node in nodes.values()) == ["active", "standby"]:
            return
        for name, node in nodes.items():
            if not node["running"]:
                stage.console(name, "ha_cluster_start")
        assert time.monotonic() < until, nodes
        time.sleep(0.05)


def _play(folder: Path, kills: int) -> Counter[str]:
    chance, done = random.Random(kills), Counter[str]()
    with cluster(folder) as stage:
        stage.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=1_000_000)
        with Fleet(stage, token(stage), folder / "devices", threads=4, seed=kills) as fleet:
            while done["kill"] < kills:
                fleet.wait_for(chance.randint(1, 3))
                time.sleep(chance.uniform(0, 0.2))
                done[_hit(stage, chance)] += 1
                fleet.wait_for(1)
                _mend(stage)
        done["registrations"] = check(stage, fleet)
        stage.console(str(stage.ask("status")["active"]), "ha_cluster_stop")
        assert check(stage, fleet) == done["registrations"]
    return done


@pytest.mark.drill
@pytest.mark.timeout(6 * 3600)
def test_servers_that_are_killed_and_stopped_lose_and_double_nothing(tmp_path: Path) -> None:
    """After KILLS kills: every accepted registration and count is there once, on either server."""
    done = _play(tmp_path, KILLS)
    print(f"\n{dict(done)}: nothing lost, nothing doubled")
    assert done["kill"] == KILLS
    assert done["registrations"] >= KILLS
