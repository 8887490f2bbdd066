"""A rate limit for each bearer: so many calls a minute, evenly refilled. Time is an argument."""

from __future__ import annotations

from typing import Final

from mock_server.api.problems import TOO_MANY

__all__ = ["RateLimit"]

_MOST_BEARERS: Final = 10_000
_MINUTE: Final = 60.0


class RateLimit:
    """In memory, and of this node: after a failover everybody begins anew."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # bearer → calls left, at (monotonic seconds)

    def spend(self, bearer: str, limit: int, now: float) -> None:
        """One call. `limit`: calls a minute, 0 for any number. Raises too-many-calls."""
        if not limit:
            self._left.clear()
            return
        left, at = self._left.pop(bearer, (float(limit), now))
        left = min(float(limit), left + (now - at) * limit / _MINUTE)
        if left < 1:
            self._left[bearer] = (left, now)
            raise TOO_MANY(limit=limit, retry_after=(1 - left) * _MINUTE / limit)
        self._left[bearer] = (left - 1, now)
        if len(self._left) > _MOST_BEARERS:
            del self._left[next(iter(self._left))]  # who has not called for the longest time
