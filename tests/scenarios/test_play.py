"""The demo itself: a wrong observation turns it red, and what it leaves behind is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mock_server.demo.play import Step, play
from mock_server.demo.run import perform
from mock_server.demo.scenario_b import STEPS
from tests.support import new_addresses, program


def test_a_falsified_observation_turns_the_play_red(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One observation that is falsified is named, fails the play, and keeps its folder and steps.json."""

    def lens(step: str, seen: Any) -> Any:
        return "Standby" if step == "B2.3" else seen

    right, report = perform(new_addresses(), folder=tmp_path / "demo", lens=lens)
    said = capsys.readouterr().out
    steps = {step["id"]: step for step in json.loads(report.read_text())["steps"]}
    assert not right
    assert [name for name, step in steps.items() if not step["ok"]] == ["B2.3"]
    assert steps["B2.3"]["observed"] == "Standby"
    assert steps["B2.3"]["expected"] == "Active"
    assert "1 of 37 steps do not hold: B2.3" in said
    assert (tmp_path / "demo" / "cluster" / "cluster.json").exists()
    assert str(tmp_path / "demo") in said


@pytest.mark.parametrize("step", ["B1.7", "B2.2", "B3.11", "B3.12"])
def test_each_kind_of_observation_is_compared(step: str) -> None:
    """An observation of every kind that is not exactly what is expected is not ok."""
    wanted = next(known for known in STEPS if known.id == step).expected
    wrongs: list[Any] = [None, [], {}, {**wanted, "more": 1}, {"error": {"code": "x"}}]
    for wrong in wrongs:
        made = Step(step, "", None, lambda _stage, seen=wrong: seen, wanted)  # type: ignore[misc]
        assert [result.ok for result in play([made], None, told=lambda *_: None)] == [False]


def test_the_command_exits_0_and_leaves_only_its_report(tmp_path: Path) -> None:
    """`smartlic-mock demo` ends green, prints where steps.json is, and clears the rest of its folder."""
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
    assert {"id", "title", "done", "observed", "expected", "ok"} == set(report["steps"][0])


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
