"""The scenarios that there are, by letter."""

from __future__ import annotations

from mock_server.demo import scenario_a, scenario_b, scenario_c
from mock_server.demo.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Scenario] = {
    scenario.letter: scenario for scenario in (scenario_a.SCENARIO, scenario_b.SCENARIO, scenario_c.SCENARIO)
}
