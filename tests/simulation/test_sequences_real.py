"""The same random sequences on real processes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.real import RealStand
from tests.simulation.sequences import Sequences

pytestmark = pytest.mark.real


class Real(Sequences):
    make_stand = RealStand


def _play(examples: int, steps: int) -> None:
    # What happened on real processes does not happen again by the same draws: there is nothing to shrink.
    once = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Real, settings=once)


@pytest.mark.timeout(300)
def test_3_sequences_on_processes() -> None:
    """Signals of the kernel, real ports, TLS and disks: nothing lost, nothing twice, equal copies."""
    _play(examples=3, steps=8)


@pytest.mark.drill
@pytest.mark.timeout(3600)
def test_50_sequences_on_processes() -> None:
    """The long version."""
    _play(examples=50, steps=20)
