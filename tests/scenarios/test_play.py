"""The demo itself: a wrong observation turns it red, and what it leaves behind is what it says."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from mock_server.demo.play import Step, play
from mock_server.demo.run import Settings, perform
from mock_server.demo.scenarios import SCENARIOS
from mock_server.demo.stage import Stage
from tests.support import new_addresses, program

ROOT = Path(__file__).parents[2]
_ALL = [step for scenario in SCENARIOS.values() for step in scenario.steps]


def test_a_falsified_observation_turns_the_play_red(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One observation that is falsified is named, fails the play, and keeps its folder and steps.json."""

    def lens(step: str, seen: Any) -> Any:
        return "Standby" if step == "B2.3" else seen

    folder = tmp_path / "demo"
    settings = Settings(given=vars(new_addresses()), folder=folder, lens=lens)
    right, report = perform([SCENARIOS["B"]], settings)
    said = capsys.readouterr().out
    (scenario,) = json.loads(report.read_text())["scenarios"]
    steps = {step["id"]: step for step in scenario["steps"]}
    assert not right
    assert [name for name, step in steps.items() if not step["ok"]] == ["B2.3"]
    assert steps["B2.3"]["observed"] == "Standby"
    assert steps["B2.3"]["expected"] == "Active"
    assert "1 of 37 steps do not hold: B2.3" in said
    assert (folder / "B" / "cluster" / "cluster.json").exists()
    assert str(folder) in said


@pytest.mark.parametrize("step", _ALL, ids=lambda step: step.id)
def test_what_is_not_as_expected_is_not_ok(step: Step[Stage]) -> None:
    """Of every step: an observation that is not exactly what is expected is not ok, and what is so is."""
    wrongs: list[Any] = [object(), {"error": {"code": "x"}}, *_falsified(step.expected)]
    for wrong in wrongs:
        made = Step(step.id, "", None, lambda _stage, seen=wrong: seen, step.expected)  # type: ignore[misc]
        assert [result.ok for result in play([made], None, told=lambda *_: None)] == [False], wrong
    made = Step(step.id, "", None, lambda _stage: step.expected, step.expected)
    assert [result.ok for result in play([made], None, told=lambda *_: None)] == [True]


def _falsified(expected: Any) -> list[Any]:
    """`expected` with each part of it changed, taken away, or one added."""
    if isinstance(expected, dict):
        changed = [{**expected, key: wrong} for key in expected for wrong in _falsified(expected[key])]
        fewer = [{other: expected[other] for other in expected if other != key} for key in expected]
        return [*changed, *fewer, {**expected, "more": 1}]
    if isinstance(expected, list):
        return [[*expected, "more"], expected[:-1]]
    if isinstance(expected, bool):
        return [not expected]
    if isinstance(expected, int):
        return [expected + 1]
    return [f"not {expected}"]


def test_the_command_exits_0_and_leaves_only_its_report(tmp_path: Path) -> None:
    """`smartlic-mock demo` ends green, prints where steps.json is, and clears the rest of its folder.

    The fields of that file are those of its page."""
    addresses = new_addresses()
    work = tmp_path / "a folder with blanks"
    done = program("smartlic-mock", tmp_path).run(
        "demo", "--primary", addresses.primary, "--secondary", addresses.secondary,
        "--vip", addresses.vip, "--folder", str(work),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 37 steps hold" in done.stdout
    assert f"Steps: {work / 'steps.json'}" in done.stdout
    assert [path.name for path in work.iterdir()] == ["steps.json"]
    report = json.loads((work / "steps.json").read_text())
    assert report["ok"]
    (scenario,) = report["scenarios"]
    page = (ROOT / "docs/reference/scenarios.md").read_text(encoding="utf-8").partition("## steps.json")[2]
    rows = dict(re.findall(r"^\| (`.*?) \| (.*) \|$", page, re.MULTILINE))
    assert _words(", ".join(rows)) == set(scenario)
    assert _words(rows["`steps`"]) == set(scenario["steps"][0])
    assert _words(rows["`requests`"]) == set(scenario["requests"][0])


def _words(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def test_one_address_is_enough_and_all_scenarios_play_on_it(tmp_path: Path) -> None:
    """`--scenario all` with one address for all three: ports stand for servers, and every step holds."""
    step = 4 * (os.getpid() % 1500)
    ports = {"--device-port": 10_000 + step, "--gui-port": 18_000 + step, "--peer-port": 26_000 + step}
    options = [*dict.fromkeys(("--primary", "--secondary", "--vip"), "127.0.0.1").items(), *ports.items()]
    arguments = [str(word) for option in options for word in option]
    answer = program("smartlic-mock", tmp_path).json("demo", "--scenario", "all", *arguments)
    wrong = [step for each in answer["scenarios"] for step in each["steps"] if not step["ok"]]
    assert wrong == []
    assert [each["scenario"] for each in answer["scenarios"]] == list(SCENARIOS)
    assert sum(len(each["steps"]) for each in answer["scenarios"]) == len(_ALL)


def test_two_demos_at_once_the_second_says_what_is_in_use(tmp_path: Path) -> None:
    """A demo whose VIP is held by another cluster says so and exits with the code for it."""
    from tests.support import cluster

    with cluster(tmp_path / "first") as stage:
        config = stage.config
        done = program("smartlic-mock", tmp_path).run(
            "demo", "--primary", config.nodes.primary.host, "--secondary", config.nodes.secondary.host,
            "--vip", config.vip.host,
        )  # fmt: skip
    assert done.returncode == 75
    assert "vip-in-use" in done.stderr
