"""Random sequences of faults on the simulated cluster."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.sequences import Kills, Sequences
from tests.simulation.simulated import SimulatedStand

SIMULATED = settings(
    max_examples=200,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


class Simulated(Sequences):
    make_stand = SimulatedStand


class SimulatedKills(Kills):
    make_stand = SimulatedStand


@pytest.mark.timeout(600)  # of which most would be the search for a shorter sequence that fails
def test_200_sequences_of_faults_lose_and_double_nothing() -> None:
    """Stops, kills, hangs, cuts and full disks in any order: one Active, nothing lost, nothing twice."""
    run_state_machine_as_test(Simulated, settings=SIMULATED)
