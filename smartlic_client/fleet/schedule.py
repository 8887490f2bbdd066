"""How many licenses a device uses, over time.

3                               always three
2 08:00=24 18:00=2              by the time of day, in UTC; what stands first holds from midnight
1 +30s=5 +2m=0                  so long after the device was started
"""

from __future__ import annotations

import re
from bisect import bisect_right

import msgspec

from smartlic_client.protocol.identity import MAX_COUNT

__all__ = ["Schedule"]

_DAY = 86400.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": _DAY}
_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])=([0-9]{1,10})")
_AFTER = re.compile(r"\+([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])=([0-9]{1,10})")


class Schedule(msgspec.Struct, frozen=True):
    """`first`: the count at the start; `steps`: (seconds, count), rising by seconds; of a day if `daily`."""

    first: int
    steps: tuple[tuple[float, int], ...] = ()
    daily: bool = False

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Raises ValueError with a reason for people."""
        words = text.split()
        if not words or not words[0].isascii() or not words[0].isdigit():
            raise ValueError("a count comes first, such as 3")
        found: dict[float, int] = {}
        kinds = set()
        for word in words[1:]:
            if of_day := _OF_DAY.fullmatch(word):
                at, count = 3600.0 * int(of_day[1]) + 60.0 * int(of_day[2]), of_day[3]
            elif after := _AFTER.fullmatch(word):
                at, count = float(after[1]) * _UNITS[after[2]], after[3]
            else:
                raise ValueError(f"{word[:40]!r} is neither HH:MM=COUNT nor +30s=COUNT")
            kinds.add(word[0] == "+")
            if at in found:
                raise ValueError(f"{word[:40]!r} names a time for the second time")
            found[at] = int(count)
        if len(kinds) > 1:
            raise ValueError("times of day and times after the start do not go together")
        if max(int(words[0]), *found.values(), 0) > MAX_COUNT:
            raise ValueError(f"a count is at most {MAX_COUNT}")
        return cls(int(words[0]), tuple(sorted(found.items())), daily=False in kinds)

    def count(self, now: float, started: float) -> int:
        """The count at `now`; both in Unix seconds."""
        at = now % _DAY if self.daily else now - started
        passed = bisect_right(self.steps, at, key=lambda step: step[0])
        return self.steps[passed - 1][1] if passed else self.first

    def next_change(self, now: float, started: float) -> float | None:
        """When the count may be another one next; None: never."""
        if not self.steps:
            return None
        base = now - now % _DAY if self.daily else started
        coming = [base + at for at, _ in self.steps if base + at > now]
        if coming:
            return coming[0]
        return base + _DAY if self.daily else None
