"""A test for each step of a scenario, named with its id."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from mock_server.demo.play import Played
from mock_server.demo.run import perform_steps
from mock_server.demo.scenario import Scenario
from tests.support import new_addresses

__all__ = ["name_of", "play_whole", "steps_as_tests"]

Test = Callable[[dict[str, Played]], None]


def play_whole(scenario: Scenario, folder: Path) -> dict[str, Played]:
    """The whole scenario, played once on real processes: id → step."""
    return {step.id: step for step in perform_steps(scenario, new_addresses(), folder).played}


def name_of(step: str, title: str) -> str:
    """test_A2_4_secondary_is_active."""
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower().replace("'s", "s"))
    return f"test_{step.replace('.', '_')}_{slug[:60].strip('_')}"


def steps_as_tests(scenario: Scenario) -> dict[str, Test]:
    """Name → test. Each takes the fixture `played`."""
    return {name_of(step.id, step.title): _test_of(step.id, step.title) for step in scenario.steps}


def _test_of(step: str, title: str) -> Test:
    def test(played: dict[str, Played]) -> None:
        result = played[step]
        assert result.observed == result.expected
        assert result.ok

    test.__doc__ = f"Step {step}: {title}."
    return test
