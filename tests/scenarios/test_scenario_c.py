"""Scenario C and what comes next, on a cluster of real processes: a test for each step.

The play is the one of `smartlic-mock demo --scenario C`; it runs once, and each test is one of its steps.
"""

from __future__ import annotations

import pytest

from mock_server.demo.play import Played
from mock_server.demo.scenario_c import SCENARIO
from tests.scenarios.stepping import play_whole, steps_as_tests

globals().update(steps_as_tests(SCENARIO))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """The whole scenario, played once."""
    return play_whole(SCENARIO, tmp_path_factory.mktemp("scenario-c"))


def test_N_4_says_what_to_do_in_the_words_of_the_servers_pages(played: dict[str, Played]) -> None:
    """The refusal before the synchronization names the page and the synchronization."""
    said = played["N_4"].done
    assert "Security > Certificates" in said
    assert "synchronize the local accounts" in said
