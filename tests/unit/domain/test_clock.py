"""The clock of licensing: moved, set, reset, within bounds, and kept."""

from __future__ import annotations

import math
import random

import pytest

from mock_server.domain import clock
from smartlic_client.errors import CallerError
from tests.unit.domain.world import NOW, Server, loaded


@pytest.fixture
def server() -> Server:
    return Server(lambda: NOW, random.Random(1))


def test_it_is_moved_set_and_reset(server: Server) -> None:
    """Moves add up, a set time counts from the real one, a reset ends both; a restart keeps the offset."""
    server.commit(clock.advance(server.state, 31 * 86400, NOW))
    server.commit(clock.advance(server.state, -86400, NOW))
    assert server.state.settings.clock_offset == 30 * 86400
    assert loaded(server.machine).state.settings.clock_offset == 30 * 86400
    server.commit(clock.set_to(server.state, NOW + 5, NOW))
    assert server.state.settings.clock_offset == 5
    assert clock.set_to(server.state, NOW + 5, NOW) == []
    server.commit(clock.reset(server.state))
    assert server.state.settings.clock_offset == 0
    assert clock.reset(server.state) == []


@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan, 1e300, 1e10, -NOW])
def test_it_stays_between_the_years_2002_and_2100(server: Server, seconds: float) -> None:
    """What is no time, or far from ours, is refused."""
    with pytest.raises(CallerError) as moved:
        clock.advance(server.state, seconds, NOW)
    with pytest.raises(CallerError) as was_set:
        clock.set_to(server.state, NOW + seconds, NOW)
    assert (moved.value.code, was_set.value.code) == ("bad-clock", "bad-clock")
