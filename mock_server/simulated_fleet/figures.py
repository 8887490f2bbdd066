"""What a simulation counts: by operation, by day and hour, and for each event its storm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from smartlic_client.fleet.happenings import EventKind
from smartlic_client.protocol.timers import retry_delay

__all__ = ["DAY", "Day", "Figures", "Peak", "Storm"]

DAY: Final = 86400
_HOUR: Final = 3600
_MINUTE: Final = 60


class Peak(msgspec.Struct):
    """The most messages in one span of time, and when that was (Unix seconds)."""

    messages: int = 0
    at: float = 0.0


class _Busiest:
    """Finds the peak of spans of so many seconds; times only rise."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._span = self._count = 0
        self.peak = Peak()

    def add(self, now: float) -> int:
        """How many there are in the present span."""
        span = int(now) // self._seconds
        if span != self._span:
            self._span, self._count = span, 0
        self._count += 1
        if self._count > self.peak.messages:
            self.peak = Peak(self._count, float(span * self._seconds))
        return self._count


class Storm:
    """An event, and the devices that met silence by it.

    `met`: device → (when it met silence first, how often it had failed before that). They are quiet when the
    last of them was answered.
    """

    def __init__(self, event: EventKind, at: float, outage: float, how: str) -> None:
        self.event = event
        self.at = at
        self.until = at + outage
        self.how = how
        self.silent = 0
        self.met: dict[int, tuple[float, int]] = {}
        self.waiting: set[int] = set()
        self.arrivals: Counter[int] = Counter()
        self.quiet_at: float | None = None

    def hit(self, device: int, now: float, tries: int) -> None:
        self.silent += 1
        if device not in self.met:
            self.met[device] = (now, tries)
        self.waiting.add(device)

    def arrived(self, device: int, now: float) -> None:
        """A device that waited has got through, and was answered."""
        if device in self.waiting:
            self.arrivals[int(now - self.until)] += 1
            self.waiting.discard(device)
            self.quiet_at = now

    def undrawn(self) -> Counter[int]:
        """When the same devices would have come through if each waited the whole of its delay, and drew no
        part of it: seconds after the outage."""
        found: Counter[int] = Counter()
        for at, tries in self.met.values():
            while at < self.until:
                at += retry_delay(tries, 1.0, None)
                tries += 1
            found[int(at - self.until)] += 1
        return found

    def data(self, begin: float) -> dict[str, Any]:
        undrawn = self.undrawn()
        return {
            "event": self.event,
            "at": when(self.at, begin),
            "outage_seconds": round(self.until - self.at, 3),
            "how": self.how,
            "devices": len(self.met),
            "messages_without_answer": self.silent,
            "peak_per_second": max(self.arrivals.values(), default=0),
            "peak_per_second_undrawn": max(undrawn.values(), default=0),
            "peak_per_minute": _by_minute(self.arrivals),
            "peak_per_minute_undrawn": _by_minute(undrawn),
            "quiet_after_seconds": None
            if self.waiting or self.quiet_at is None
            else round(self.quiet_at - self.until, 1),
            "still_waiting": len(self.waiting),
            "arrivals": sorted(_minutes(self.arrivals).items()),
            "arrivals_undrawn": sorted(_minutes(undrawn).items()),
        }


def _minutes(seconds: Mapping[int, int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for second, count in seconds.items():
        found[second // _MINUTE] += count
    return found


def _by_minute(seconds: Mapping[int, int]) -> int:
    return max(_minutes(seconds).values(), default=0)


def when(at: float, begin: float) -> str:
    """`30d 08:00:00`: since the start."""
    whole = int(at - begin)
    days, rest = divmod(whole, DAY)
    return f"{days}d {rest // _HOUR:02}:{rest // _MINUTE % 60:02}:{rest % 60:02}"


class Day(msgspec.Struct):
    """What happened on one day, and how many devices were in which state at its end."""

    day: int
    answered: dict[str, int]
    unanswered: int
    states: dict[str, int]


class Figures:
    """`answered`: by operation. `failures`: by operation and code. Hours are of the day, in UTC."""

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.answered: Counter[str] = Counter()
        self.failures: dict[str, Counter[str]] = {}
        self.states: Counter[str] = Counter()
        self.begun = 0
        self.hours = [0] * 24
        self.hour_peaks = [0] * 24
        self.days: list[Day] = []
        self.storms: list[Storm] = []
        self._second, self._minute = _Busiest(1), _Busiest(_MINUTE)
        self._unanswered = 0
        self._before: tuple[Counter[str], int] = (Counter(), 0)

    def arrived(self, now: float) -> None:
        """A message has reached a server that answers."""
        count = self._second.add(now)
        self._minute.add(now)
        hour = int(now) % DAY // _HOUR
        self.hours[hour] += 1
        if count > self.hour_peaks[hour]:
            self.hour_peaks[hour] = count

    def failed(self, operation: str, code: str) -> None:
        self.failures.setdefault(operation, Counter())[code] += 1
        self._unanswered += 1

    def day_ended(self) -> None:
        answered, unanswered = self._before
        self.days.append(
            Day(
                day=len(self.days),
                answered={k: v - answered[k] for k, v in sorted(self.answered.items()) if v != answered[k]},
                unanswered=self._unanswered - unanswered,
                states={name: count for name, count in sorted(self.states.items()) if count},
            )
        )
        self._before = (Counter(self.answered), self._unanswered)

    @property
    def peak_second(self) -> Peak:
        return self._second.peak

    @property
    def peak_minute(self) -> Peak:
        return self._minute.peak

    @property
    def total_answered(self) -> int:
        return sum(self.answered.values())

    @property
    def total_failed(self) -> int:
        return sum(sum(codes.values()) for codes in self.failures.values())
