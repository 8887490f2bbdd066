"""How much of each license was in use and purchased, over time: for the charts. Kept in memory only.

Both servers note it, as each applies every change, so it survives a failover; a restart begins anew.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from mock_server.domain import lots
from mock_server.domain.state import Pool

__all__ = ["Point", "UseHistory"]

_POINTS: Final = 400
"""Of a pool. Over this, every second of the older half is dropped."""


class Point(NamedTuple):
    """`at`: Unix seconds, since when it was so."""

    at: float
    purchased: int
    in_use: int


class UseHistory:
    def __init__(self) -> None:
        self._points: dict[str, list[Point]] = {}

    def note(self, key: str, pool: Pool | None, at: float) -> None:
        """The pool has changed, or is gone."""
        if pool is None:
            self._points.pop(key, None)
            return
        points = self._points.setdefault(key, [])
        now = Point(at, lots.counted(pool.lots.values(), at), pool.in_use)
        if points and points[-1][1:] == now[1:]:
            return
        points.append(now)
        if len(points) > _POINTS:
            half = _POINTS // 2
            points[:half] = points[:half:2]

    def of(self, key: str, pool: Pool, now: float) -> list[Point]:
        """The points, the last one now; at least that one."""
        present = Point(now, lots.counted(pool.lots.values(), now), pool.in_use)
        return [*self._points.get(key, ()), present]
