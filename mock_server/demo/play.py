"""A play: steps that are done, looked at, and compared. Pure but for what the steps themselves do.

A step is right when what was observed equals what is expected; nothing else makes it right.
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from smartlic_client.errors import SmartlicError

__all__ = ["Played", "Shown", "Step", "act_of", "play"]

S = TypeVar("S")
Shown = Literal["", "servers", "accounts", "instances"]


@dataclass(frozen=True)
class Step(Generic[S]):
    """`do` changes something and says what it did; `see` looks; `expected` is what it has to see.

    `shows`: the table that is worth showing after it.
    """

    id: str
    title: str
    do: Callable[[S], str] | None
    see: Callable[[S], Any]
    expected: Any
    shows: Shown = ""


@dataclass(frozen=True)
class Played:
    """A step that has been played. `done`: what was done, in words; `ok`: observed equals expected.

    `began`, `ended`: Unix seconds.
    """

    id: str
    title: str
    done: str
    observed: Any
    expected: Any
    ok: bool
    began: float = 0.0
    ended: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        began = datetime.datetime.fromtimestamp(self.began, datetime.UTC)
        return {
            "id": self.id,
            "title": self.title,
            "ok": self.ok,
            "done": self.done,
            "observed": self.observed,
            "expected": self.expected,
            "began": began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "seconds": round(self.ended - self.began, 3),
        }


def act_of(step: str) -> str:
    """The act that a step belongs to by its id: A2 for A2.9, C for C.1, N for N_1."""
    return re.split(r"[._]", step, maxsplit=1)[0]


def play(
    steps: Sequence[Step[S]],
    stage: S,
    *,
    told: Callable[[Step[S], Played], None],
    begins: Callable[[Step[S]], None] = lambda _step: None,
    lens: Callable[[str, Any], Any] = lambda _step, seen: seen,
) -> list[Played]:
    """Play all steps, one after the other, also after one that is wrong. `begins` and `told` hear of each.

    `lens` is what every observation is looked at through: the place where a test falsifies one.
    """
    played: list[Played] = []
    for step in steps:
        begins(step)
        done, began = "", time.time()
        try:
            done = step.do(stage) if step.do else ""
            seen = step.see(stage)
        except SmartlicError as error:
            seen = {"error": error.as_dict()}
        seen = lens(step.id, seen)
        ok = bool(seen == step.expected)
        result = Played(step.id, step.title, done, seen, step.expected, ok, began, time.time())
        played.append(result)
        told(step, result)
    return played
