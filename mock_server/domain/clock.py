"""The clock of licensing runs as the real one does, ahead of it or behind it by an offset."""

from __future__ import annotations

import math
from typing import Final

from mock_server.domain import events, problems
from mock_server.domain.state import State

__all__ = ["advance", "reset", "set_to"]

EARLIEST: Final = 1_009_843_200.0  # 2002-01-01; an ID token has milliseconds of 13 digits
LATEST: Final = 4_102_444_800.0  # 2100-01-01


def advance(state: State, seconds: float, real_now: float) -> list[events.Event]:
    """Move the clock by `seconds`, back if they are negative. `real_now`: Unix seconds."""
    return _offset(state, state.settings.clock_offset + seconds, real_now)


def set_to(state: State, at: float, real_now: float) -> list[events.Event]:
    """Make it `at` now (Unix seconds)."""
    return _offset(state, at - real_now, real_now)


def reset(state: State) -> list[events.Event]:
    """The real time again."""
    return [events.ClockSet(offset=0.0)] if state.settings.clock_offset else []


def _offset(state: State, offset: float, real_now: float) -> list[events.Event]:
    if not math.isfinite(offset) or not EARLIEST <= real_now + offset <= LATEST:
        raise problems.BAD_CLOCK()
    return [] if offset == state.settings.clock_offset else [events.ClockSet(offset=offset)]
