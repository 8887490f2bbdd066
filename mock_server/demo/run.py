"""The run of a demo: raise a cluster, play its steps, show them, keep or clear the folder; `steps.json`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mock_server.demo.play import Played, Step, act_of, play
from mock_server.demo.scenario import Scenario
from mock_server.demo.show import Screen
from mock_server.demo.stage import Addresses, Stage, raised_cluster

__all__ = ["Lens", "Performance", "Settings", "perform", "perform_steps"]

Lens = Callable[[str, Any], Any]
"""What an observation of a step, by its id, is looked at through."""


def _plain(_step: str, seen: Any) -> Any:
    return seen


@dataclass(frozen=True)
class Settings:
    """`given`: addresses and ports other than those of the scenarios. `folder`: by default a new one."""

    given: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    pause: bool = False
    quiet: bool = False
    lens: Lens = _plain


@dataclass
class Performance:
    """A scenario as it was played. `broke_off`: why it was not played to its end.

    `began`, `ended`: Unix seconds.
    """

    scenario: Scenario
    addresses: Addresses
    began: float
    ended: float = 0.0
    played: list[Played] = field(default_factory=list)
    broke_off: str = ""

    @property
    def wrong(self) -> list[str]:
        return [step.id for step in self.played if not step.ok]

    @property
    def ok(self) -> bool:
        return len(self.played) == len(self.scenario.steps) and not self.wrong

    def as_dict(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.letter,
            "title": self.scenario.title,
            "ok": self.ok,
            "addresses": vars(self.addresses),
            "seconds": round(self.ended - self.began, 3),
            "broke_off": self.broke_off,
            "steps": [step.as_dict() for step in self.played],
        }


def perform(scenarios: Sequence[Scenario], settings: Settings) -> tuple[bool, Path]:
    """Play scenarios, each on a cluster of its own. Returns whether every step holds, and steps.json's path.

    The folder is cleared but for steps.json where all is well, and kept whole where it is not.
    """
    home = settings.folder or Path(tempfile.mkdtemp(prefix="smartlic-demo-"))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    screen = Screen(quiet=settings.quiet)
    steps_json = home / "steps.json"
    performances: list[Performance] = []
    try:
        for scenario in scenarios:
            addresses = replace(scenario.addresses, **settings.given)
            performances.append(Performance(scenario, addresses, time.time()))
            _perform(performances[-1], home / scenario.letter, screen, settings)
    finally:
        _write_steps(steps_json, performances)
    right = all(each.ok for each in performances)
    _sum_up(screen, performances, home)
    if right:
        for scenario in scenarios:
            shutil.rmtree(home / scenario.letter, ignore_errors=True)
    screen.say(f"Steps: {steps_json}")
    return right, steps_json


def _perform(performance: Performance, folder: Path, screen: Screen, settings: Settings) -> None:
    scenario, addresses = performance.scenario, performance.addresses
    folder.mkdir(mode=0o700, exist_ok=True)
    screen.say(f"Scenario {scenario.letter}: {scenario.title}.")
    screen.say(f"Primary {addresses.primary}, Secondary {addresses.secondary}, VIP {addresses.vip}")
    screen.say("A mock for tests: it authorizes no real product and is not affiliated with Cisco.")
    try:
        with raised_cluster(folder, addresses) as stage:
            _play(performance, stage, screen, settings)
    except BaseException as error:
        performance.broke_off = str(error) or type(error).__name__
        raise
    finally:
        performance.ended = time.time()
    screen.say("")


def perform_steps(scenario: Scenario, addresses: Addresses, folder: Path) -> list[Played]:
    """Play a scenario in `folder` and show nothing: the steps as they were."""
    with raised_cluster(folder, addresses) as stage:
        performance = Performance(scenario, addresses, time.time())
        _play(performance, stage, Screen(quiet=True), Settings())
        return performance.played


def _play(performance: Performance, stage: Stage, screen: Screen, settings: Settings) -> None:
    scenario = performance.scenario
    acts: set[str] = set()

    def begins(step: Step[Stage]) -> None:
        act = act_of(step.id)
        if act not in acts:
            acts.add(act)
            screen.title(f"{act}  {scenario.acts[act]}")

    def told(step: Step[Stage], result: Played) -> None:
        performance.played.append(result)
        screen.step(result)
        screen.table(step.shows, stage)
        if settings.pause and sys.stdin.isatty():
            input("             Enter goes on … ")

    play(scenario.steps, stage, begins=begins, told=told, lens=settings.lens)


def _sum_up(screen: Screen, performances: Sequence[Performance], home: Path) -> None:
    count = sum(len(each.scenario.steps) for each in performances)
    wrong = [step for each in performances for step in each.wrong]
    if wrong:
        screen.say(f"{len(wrong)} of {count} steps do not hold: {', '.join(wrong)}", "bold red")
        screen.say(f"The folder is kept: {home}")
        return
    seconds = sum(each.ended - each.began for each in performances)
    letters = [each.scenario.letter for each in performances]
    of = f" of {', '.join(letters[:-1])} and {letters[-1]}" if len(letters) > 1 else ""
    screen.say(f"All {count} steps{of} hold ({seconds:.1f} s).", "bold green")


def _write_steps(path: Path, performances: Sequence[Performance]) -> None:
    """Each scenario with each step: id, title, done, observed, expected, ok, and when."""
    data = {
        "ok": bool(performances) and all(each.ok for each in performances),
        "scenarios": [each.as_dict() for each in performances],
    }
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
