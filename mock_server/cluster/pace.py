"""When a change should wait a moment for company, so that several share a transaction and an acknowledgement.

PostgreSQL calls it commit_delay, and also waits only where others are about to commit. Pure: times come in.
"""

from __future__ import annotations

__all__ = ["Pace"]

_COMPANY = 0.005
"""Seconds to wait. A change that is alone does not wait at all."""
_DENSE = 0.007
"""Seconds between changes: closer than that, they come from several clients at once."""
_WEIGHT = 1 / 8


class Pace:
    """The usual distance in time between changes, a moving average. Times in seconds, of any one clock."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._gap = 1.0

    def note(self, now: float) -> None:
        """A change has come."""
        self._gap += (min(now - self._last, 1.0) - self._gap) * _WEIGHT
        self._last = now

    def delay(self) -> float:
        """How long to wait for the next one: not at all where it is not expected within that time."""
        return _COMPANY if self._gap < _DENSE else 0.0
