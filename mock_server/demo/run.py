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

from mock_server.demo.performance import Performance
from mock_server.demo.play import Played, Step, act_of, play
from mock_server.demo.probes import PERIOD
from mock_server.demo.scenario import Scenario
from mock_server.demo.show import Screen
from mock_server.demo.stage import Addresses, Stage, raised_cluster
from mock_server.demo.watch import Watched, watching
from mock_server.errors import CallerError, SmartlicError, problem

__all__ = ["Lens", "Settings", "perform", "perform_steps"]

Lens = Callable[[str, Any], Any]
"""What an observation of a step, by its id, is looked at through."""

DEMO_FOLDER = problem(
    "demo-folder-unusable",
    CallerError,
    "The demo cannot work in the folder {folder}: {why}.",
    "Give a folder that this user may make and write: --folder; without it, one is made in TMPDIR.",
)


def _plain(_step: str, seen: Any) -> Any:
    return seen


@dataclass(frozen=True)
class Settings:
    """`given`: addresses and ports other than those of the scenarios. `folder`: by default a new one.

    `report`: the HTML file that is written at the end, whatever that is.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    report: Path | None = None
    pause: bool = False
    quiet: bool = False
    lens: Lens = _plain


def perform(scenarios: Sequence[Scenario], settings: Settings) -> tuple[bool, Path]:
    """Play scenarios, each on a cluster of its own. Returns whether every step holds, and steps.json's path.

    The folder is cleared but for steps.json where all is well, and kept whole where it is not.
    """
    from mock_server.demo.report import ReportFile, render

    report = ReportFile(settings.report) if settings.report else None
    performances = [
        Performance(scenario, replace(scenario.addresses, **settings.given)) for scenario in scenarios
    ]
    try:
        home = _folder(settings.folder)
        screen = Screen(quiet=settings.quiet)
        steps_json = home / "steps.json"
        try:
            for performance in performances:
                _perform(performance, home / performance.scenario.letter, screen, settings)
        finally:
            _write_steps(steps_json, performances)
    finally:
        if report is not None:
            report.write(render(performances))
    right = all(each.ok for each in performances)
    _sum_up(screen, performances, home)
    if right:
        for scenario in scenarios:
            shutil.rmtree(home / scenario.letter, ignore_errors=True)
    screen.say(f"Steps: {steps_json}")
    if report is not None:
        screen.say(f"Report: {report.path}")
    return right, steps_json


def _folder(given: Path | None) -> Path:
    try:
        home = given or Path(tempfile.mkdtemp(prefix="smartlic-demo-"))
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "steps.json").write_text("", encoding="utf-8")
    except OSError as error:
        raise DEMO_FOLDER(folder=str(given or tempfile.gettempdir()), why=error.strerror) from None
    return home


def _perform(performance: Performance, folder: Path, screen: Screen, settings: Settings) -> None:
    scenario, addresses = performance.scenario, performance.addresses
    folder.mkdir(mode=0o700, exist_ok=True)
    screen.say(f"Scenario {scenario.letter}: {scenario.title}.")
    screen.say(f"Primary {addresses.primary}, Secondary {addresses.secondary}, VIP {addresses.vip}")
    screen.say("A mock for tests: it authorizes no real product and is not affiliated with Cisco.")
    performance.began = time.time()
    try:
        with raised_cluster(folder, addresses) as stage:
            _play(performance, stage, screen, settings)
    except BaseException as error:
        performance.broke_off = str(error) or type(error).__name__
        raise
    finally:
        performance.ended = time.time()
    screen.say("")
    _tell_figures(performance.watched, screen)


def perform_steps(scenario: Scenario, addresses: Addresses, folder: Path) -> Performance:
    """Play a scenario in `folder` and show nothing."""
    performance = Performance(scenario, addresses, time.time())
    with raised_cluster(folder, addresses) as stage:
        _play(performance, stage, Screen(quiet=True), Settings())
    performance.ended = time.time()
    return performance


def _play(performance: Performance, stage: Stage, screen: Screen, settings: Settings) -> None:
    scenario = performance.scenario
    acts: set[str] = set()
    with watching(stage, scenario.probes, next(iter(scenario.acts))) as watch:
        performance.watched = watch.watched

        def begins(step: Step[Stage]) -> None:
            watch.act = act = act_of(step.id)
            if act not in acts:
                acts.add(act)
                screen.title(f"{act}  {scenario.acts[act]}")

        def told(step: Step[Stage], result: Played) -> None:
            performance.played.append(result)
            screen.step(result)
            try:
                screen.table(step.shows, stage)
            except SmartlicError as error:  # the steps go on, and say what is wrong
                screen.say(error.sentence)
            if settings.pause and sys.stdin.isatty():
                input("             Enter goes on … ")

        play(scenario.steps, stage, begins=begins, told=told, lens=settings.lens)


def _tell_figures(watched: Watched | None, screen: Screen) -> None:
    for trace in watched.traces if watched else ():
        longest = max(trace.tallies, key=lambda tally: tally.silence, default=None)
        if longest is not None:
            sent, failed = (sum(getattr(t, name) for t in trace.tallies) for name in ("sent", "failed"))
            without = f"at most {longest.silence * 1000:.0f} ms without an answer (in {longest.act})"
            if longest.open:
                without = f"no answer for the last {longest.silence:.1f} s"
            screen.say(
                f"Asked every {PERIOD * 1000:.0f} ms, {trace.title}: {without}; "
                f"{failed} of {sent} requests failed."
            )


def _sum_up(screen: Screen, performances: Sequence[Performance], home: Path) -> None:
    count = sum(len(each.scenario.steps) for each in performances)
    wrong = [step for each in performances for step in each.wrong]
    screen.say("")
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
        "scenarios": [each.as_dict() for each in performances if each.began],
    }
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
