"""A scenario as it was played."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mock_server.demo.play import Played
from mock_server.demo.scenario import Scenario
from mock_server.demo.stage import Addresses
from mock_server.demo.watch import Watched

__all__ = ["Performance"]


@dataclass
class Performance:
    """`began`, `ended`: Unix seconds; 0: it was not. `broke_off`: why it was not played to its end."""

    scenario: Scenario
    addresses: Addresses
    began: float = 0.0
    ended: float = 0.0
    played: list[Played] = field(default_factory=list)
    watched: Watched | None = None
    broke_off: str = ""

    @property
    def wrong(self) -> list[str]:
        return [step.id for step in self.played if not step.ok]

    @property
    def ok(self) -> bool:
        return len(self.played) == len(self.scenario.steps) and not self.wrong and not self.broke_off

    @property
    def origin(self) -> float:
        """Unix seconds from which the times of the steps count: the cluster is up, and the watch begins."""
        return self.watched.began if self.watched else self.began

    def result_of(self, step: str) -> Played | None:
        return next((played for played in self.played if played.id == step), None)

    def as_dict(self) -> dict[str, Any]:
        """Scenario, addresses, each step, and the figures of the requests."""
        traces = self.watched.traces if self.watched else []
        return {
            "scenario": self.scenario.letter,
            "title": self.scenario.title,
            "ok": self.ok,
            "addresses": vars(self.addresses),
            "seconds": round(self.ended - self.began, 3),
            "broke_off": self.broke_off,
            "steps": [step.as_dict() for step in self.played],
            "requests": [
                {
                    "asked": trace.title,
                    "act": tally.act,
                    "sent": tally.sent,
                    "failed": tally.failed,
                    "longest_silence_seconds": round(tally.silence, 3),
                }
                for trace in traces
                for tally in trace.tallies
            ],
        }
