"""What a fleet counts: by operation and by code, never by device; a few kilobytes however long it runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

__all__ = ["Durations", "Figures", "Operation", "Second"]

_STEP = math.log(1.04)
_SMALLEST = 1e-5
_PERCENTILES = (50.0, 90.0, 95.0, 99.0)


class Durations(msgspec.Struct):
    """Seconds, counted in classes that are 4 % wide: a percentile is right within that."""

    classes: dict[int, int] = msgspec.field(default_factory=dict)
    count: int = 0
    total: float = 0.0
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        place = 0 if seconds <= _SMALLEST else int(math.log(seconds / _SMALLEST) / _STEP) + 1
        self.classes[place] = self.classes.get(place, 0) + 1
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def merge(self, other: Durations) -> None:
        for place, count in other.classes.items():
            self.classes[place] = self.classes.get(place, 0) + count
        self.count += other.count
        self.total += other.total
        self.longest = max(self.longest, other.longest)

    def percentile(self, percent: float) -> float:
        """Seconds that so many percent did not exceed; 0 where there is nothing."""
        wanted, seen = math.ceil(self.count * percent / 100), 0
        for place in sorted(self.classes):
            seen += self.classes[place]
            if seen >= wanted:
                return min(_SMALLEST * math.exp(place * _STEP), self.longest)
        return 0.0

    def data(self) -> dict[str, float]:
        """Milliseconds, ready for JSON."""
        shown = {f"p{percent:g}_ms": 1000 * self.percentile(percent) for percent in _PERCENTILES}
        mean = self.total / self.count if self.count else 0.0
        all_of_it = {"mean_ms": 1000 * mean, **shown, "max_ms": 1000 * self.longest}
        return {name: round(value, 3) for name, value in all_of_it.items()}


class Operation(msgspec.Struct):
    """One kind of message: answers that counted with their durations, and failures by code."""

    durations: Durations = msgspec.field(default_factory=Durations)
    failures: dict[str, int] = msgspec.field(default_factory=dict)

    def merge(self, other: Operation) -> None:
        self.durations.merge(other.durations)
        for code, count in other.failures.items():
            self.failures[code] = self.failures.get(code, 0) + count


class Second(msgspec.Struct):
    """What happened within one span of the run, for the charts. `at`: seconds since its start."""

    at: float
    answered: int
    failed: int
    p95_ms: float
    registered: int


class Figures(msgspec.Struct):
    """All that is counted. Those of several processes are merged."""

    operations: dict[str, Operation] = msgspec.field(default_factory=dict)
    states: dict[str, int] = msgspec.field(default_factory=dict)
    authorizations: dict[str, int] = msgspec.field(default_factory=dict)
    started: int = 0
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    """Devices that wait for their owner, by the code of why."""
    settled: int = 0
    """Devices that are registered and have told their counts."""
    cpu: float = 0.0
    """Seconds of processor time of the fleet's own processes."""
    lag: Durations = msgspec.field(default_factory=Durations)
    """How late the fleet's own event loop was."""
    busy: int = 0
    """Devices that are being attended to."""

    def answered(self, operation: str, seconds: float) -> None:
        self.operations.setdefault(operation, Operation()).durations.add(seconds)

    def failed(self, operation: str, code: str) -> None:
        failures = self.operations.setdefault(operation, Operation()).failures
        failures[code] = failures.get(code, 0) + 1

    def moved(self, before: tuple[str, str] | None, after: tuple[str, str]) -> None:
        """A device went from one pair of states (registration, authorization) to another."""
        for which, counts in enumerate((self.states, self.authorizations)):
            if before is not None:
                counts[before[which]] -= 1
            counts[after[which]] = counts.get(after[which], 0) + 1

    @property
    def total_answered(self) -> int:
        return sum(one.durations.count for one in self.operations.values())

    @property
    def total_failed(self) -> int:
        return sum(sum(one.failures.values()) for one in self.operations.values())

    @classmethod
    def sum(cls, parts: Iterable[Figures]) -> Figures:
        whole = cls()
        for part in parts:
            for name, operation in part.operations.items():
                whole.operations.setdefault(name, Operation()).merge(operation)
            for ours, theirs in (
                (whole.states, part.states),
                (whole.authorizations, part.authorizations),
                (whole.refused, part.refused),
            ):
                ours.update(Counter(ours) + Counter(theirs))
            whole.started += part.started
            whole.settled += part.settled
            whole.cpu += part.cpu
            whole.busy += part.busy
            whole.lag.merge(part.lag)
        return whole

    def data(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "started": self.started,
            "settled": self.settled,
            "registration": {name: count for name, count in self.states.items() if count},
            "authorization": {name: count for name, count in self.authorizations.items() if count},
            "waiting_for_their_owner": self.refused,
            "operations": {
                name: {
                    "answered": one.durations.count,
                    "failed": sum(one.failures.values()),
                    "failures": one.failures,
                    **one.durations.data(),
                }
                for name, one in sorted(self.operations.items())
            },
            "cpu_seconds": round(self.cpu, 3),
            "loop_lag": self.lag.data(),
        }
