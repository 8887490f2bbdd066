"""The run of a play: raise the cluster, play the steps, show them, keep or clear the folder."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mock_server.demo.play import Played, Step, play
from mock_server.demo.scenario_b import STEPS
from mock_server.demo.show import Screen, write_steps
from mock_server.demo.stage import Addresses, Stage, raised_cluster

__all__ = ["perform", "perform_steps"]

_ACTS = {
    "B1": "B1  High availability in place",
    "B2": "B2  Failover",
    "B3": "B3  Fallback",
}


def perform(
    addresses: Addresses,
    *,
    folder: Path | None = None,
    steps: list[Step[Stage]] = STEPS,
    pause: bool = False,
    quiet: bool = False,
    lens: Callable[[str, Any], Any] = lambda _step, seen: seen,
) -> tuple[bool, Path]:
    """Play scenario B. Returns whether every step holds, and the path of steps.json.

    The folder is cleared but for steps.json where all is well, and kept whole where it is not.
    """
    home = folder or Path(tempfile.mkdtemp(prefix="smartlic-demo-"))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    screen = Screen(quiet=quiet)
    began = time.monotonic()
    screen.say("Scenario B: product instances register by the VIP, through failover and fallback.")
    screen.say(f"Primary {addresses.primary}, Secondary {addresses.secondary}, VIP {addresses.vip}")
    screen.say("A mock for tests: it authorizes no real product and is not affiliated with Cisco.")
    played: list[Played] = []
    report = home / "steps.json"
    try:
        with raised_cluster(home, addresses) as stage:
            played = _play(stage, screen, steps, pause, lens)
            screen.instances(stage)
    finally:
        write_steps(report, "B", played)
    wrong = [step.id for step in played if not step.ok]
    screen.say("")
    seconds = time.monotonic() - began
    if wrong:
        screen.say(f"{len(wrong)} of {len(played)} steps do not hold: {', '.join(wrong)}", "bold red")
        screen.say(f"The folder is kept: {home}")
    else:
        screen.say(f"All {len(played)} steps hold ({seconds:.1f} s).", "bold green")
        for name in ("cluster", "devices"):
            shutil.rmtree(home / name, ignore_errors=True)
        (home / "trust-anchor.pem").unlink(missing_ok=True)
    screen.say(f"Steps: {report}")
    return not wrong, report


def perform_steps(addresses: Addresses, folder: Path) -> list[Played]:
    """Play scenario B in `folder` and show nothing: the steps as they were."""
    with raised_cluster(folder, addresses) as stage:
        return _play(stage, Screen(quiet=True), STEPS, False, lambda _step, seen: seen)


def _play(
    stage: Stage,
    screen: Screen,
    steps: list[Step[Stage]],
    pause: bool,
    lens: Callable[[str, Any], Any],
) -> list[Played]:
    acts: set[str] = set()

    def told(step: Step[Stage], result: Played) -> None:
        act = step.id.partition(".")[0]
        if act not in acts:
            acts.add(act)
            screen.title(_ACTS.get(act, act))
        screen.step(result)
        if step.pictures:
            screen.servers(stage.status())
        if pause and sys.stdin.isatty():
            input("             Enter goes on … ")

    return play(steps, stage, told=told, lens=lens)
