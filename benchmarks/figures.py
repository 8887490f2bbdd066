"""A figure: what was measured, against which limit or peer of the same run, and what it has to stay under."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Figure", "machine", "median"]


@dataclass(frozen=True)
class Figure:
    """`value` and `against` have the same unit; their ratio has to be at most `limit`."""

    name: str
    value: float
    against: float
    unit: str
    against_what: str
    limit: float
    samples: Sequence[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return self.value / self.against

    @property
    def ok(self) -> bool:
        return self.ratio <= self.limit

    def line(self) -> str:
        mark = "ok  " if self.ok else "OVER"
        return (
            f"{mark} {self.name}: {self.value:.3f} {self.unit}, {self.ratio:.2f} times "
            f"{self.against_what} ({self.against:.3f} {self.unit}); at most {self.limit:g} times"
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "ok": self.ok}


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def machine() -> dict[str, Any]:
    import os

    return {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
