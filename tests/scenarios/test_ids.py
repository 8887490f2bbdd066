"""No step is missing: the page, the specification, what is played, and what is tested have the same ids."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mock_server.demo.play import act_of
from mock_server.demo.scenarios import SCENARIOS
from tests.scenarios.ids import SPECIFICATION, Outcomes, id_in, listed, specified

_OUT_OF_ORDER = {"B1.7", "C.3", "C.4", "N_4"}
"""B1.7 and N_4 show what happens before the synchronization; C.3 and C.4 what is left of both servers."""


def _tested() -> set[str]:
    """The ids in the names of this folder's tests, those that are made for each step included."""
    modules = [
        importlib.import_module(f"tests.scenarios.{path.stem}")
        for path in Path(__file__).parent.glob("test_scenario_*.py")
    ]
    return {step for module in modules for name in vars(module) if (step := id_in(name))}


def test_every_step_has_a_test() -> None:
    """Each id of docs/reference/scenarios.md is in the name of a test, and no test has another one."""
    assert _tested() == set(listed())


def test_every_step_is_played_in_its_order() -> None:
    """What the scenarios play is what the page lists, each once, in its order but for what is said here."""
    played = [step.id for scenario in SCENARIOS.values() for step in scenario.steps]
    assert len(played) == len(set(played))
    assert sorted(played) == sorted(listed())
    assert [i for i in played if i not in _OUT_OF_ORDER] == [i for i in listed() if i not in _OUT_OF_ORDER]


def test_every_act_has_a_title() -> None:
    """Each part of a scenario is announced by what it is about."""
    for scenario in SCENARIOS.values():
        assert {act_of(step.id) for step in scenario.steps} == set(scenario.acts)


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the specification is not beside this checkout")
def test_the_page_has_the_steps_of_the_specification() -> None:
    """The ids of the page are those of the procedures that the project was made from."""
    assert listed() == specified()


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("test_A2_4_secondary_is_active", "A2.4"),
        ("test_B1_10_more", "B1.10"),
        ("test_C_7_afterwards", "C.7"),
        ("test_N_3_the_synchronization", "N_3"),
        ("test_A2_4", None),
        ("test_rule_5_order", None),
        ("test_Another_1_thing", None),
    ],
)
def test_an_id_is_read_from_the_name_of_a_test(name: str, step: str | None) -> None:
    """The name begins with the id, and goes on in words."""
    assert id_in(name) == step


def _report(name: str, when: str, outcome: str) -> pytest.TestReport:
    return cast("pytest.TestReport", SimpleNamespace(nodeid=f"tests/{name}", when=when, outcome=outcome))


def test_the_table_shows_what_failed_and_what_was_not_run() -> None:
    """A step is shown with its test and outcome; a set-up that fails counts, and no test is said plainly."""
    outcomes = Outcomes()
    assert outcomes.table() == []
    outcomes.heard(_report("unit/test_x.py::test_A1_1_in_a_unit", "call", "passed"))
    assert outcomes.table() == []
    for when in ("setup", "call", "teardown"):
        outcomes.heard(_report("scenarios/test_scenario_a.py::test_A1_1_in_place", when, "passed"))
    outcomes.heard(_report("scenarios/test_scenario_a.py::test_A1_2_syncs", "call", "failed"))
    outcomes.heard(_report("scenarios/test_scenario_a.py::test_A1_3_databases", "setup", "failed"))
    lines = outcomes.table()
    rows = {line.split()[0]: re.split(r"\s{2,}", line)[1:] for line in lines[:-1]}
    assert list(rows) == listed()
    assert lines[0].split() == ["A1.1", "passed", "test_A1_1_in_a_unit"]
    assert rows["A1.1"] == ["passed", "test_A1_1_in_place"]
    assert rows["A1.2"] == ["failed", "test_A1_2_syncs"]
    assert rows["A1.3"] == ["failed", "test_A1_3_databases"]
    assert rows["B3.12"] == ["missing", "no test was run"]
    assert lines[-1] == f"1 of {len(listed())} steps are shown by tests that pass"


def test_expected_observations_are_no_secrets() -> None:
    """What steps expect is plain data, so that steps.json and a report can hold it."""
    plain: tuple[type[Any], ...] = (str, bool, int, list, dict, type(None))
    for scenario in SCENARIOS.values():
        assert all(isinstance(step.expected, plain) for step in scenario.steps)
