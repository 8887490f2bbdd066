"""A figure: what was measured, against which limit or peer of the same run, and what it has to stay under."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Figure", "SkippedError", "median"]


class SkippedError(Exception):
    """A part cannot be measured here; the text says what is missing."""


@dataclass(frozen=True)
class Figure:
    """`value` and `against` have the same unit; their ratio has to be at most `limit`.

    Less is better. `limit` None: it is shown, and not judged.
    """

    name: str
    value: float
    against: float
    unit: str
    against_what: str
    limit: float | None
    samples: Sequence[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return self.value / self.against if self.against else float(self.value > 0) * 1e9

    @property
    def ok(self) -> bool:
        return self.limit is None or self.ratio <= self.limit

    @property
    def mark(self) -> str:
        return "shown" if self.limit is None else "ok" if self.ok else "OVER"

    @property
    def bound(self) -> str:
        return "not judged" if self.limit is None else f"at most {self.limit:g} times"

    def line(self) -> str:
        return (
            f"{self.mark:<5} {self.name}: {self.value:.3f} {self.unit}, {self.ratio:.2f} times "
            f"{self.against_what} ({self.against:.3f} {self.unit}); {self.bound}"
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "ok": self.ok, "judged": self.limit is not None}


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)
