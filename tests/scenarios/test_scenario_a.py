"""Scenario A on a cluster of real processes: a test for each step.

The play is the one of `smartlic-mock demo --scenario A`; it runs once, and each test is one of its steps.
"""

from __future__ import annotations

import pytest

from mock_server.demo.play import Played
from mock_server.demo.scenario_a import SCENARIO
from tests.scenarios.stepping import play_whole, steps_as_tests

globals().update(steps_as_tests(SCENARIO))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """The whole scenario, played once."""
    return play_whole(SCENARIO, tmp_path_factory.mktemp("scenario-a"))


def test_A2_12_says_how_the_account_came_to_be(played: dict[str, Played]) -> None:
    """TEST was requested, approved, and synchronized for the first time, in that order."""
    assert "account TEST requested, then approved; synchronized" in played["A2.12"].done
