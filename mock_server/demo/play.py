"""A play: steps that are done, looked at, and compared. Pure but for what the steps themselves do.

A step is right when what was observed equals what is expected; nothing else makes it right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from smartlic_client.errors import SmartlicError

__all__ = ["Played", "Step", "play"]

S = TypeVar("S")


@dataclass(frozen=True)
class Step(Generic[S]):
    """`do` changes something and says what it did; `see` looks; `expected` is what it has to see.

    `pictures`: the servers' states are worth showing side by side after it.
    """

    id: str
    title: str
    do: Callable[[S], str] | None
    see: Callable[[S], Any]
    expected: Any
    pictures: bool = False


@dataclass(frozen=True)
class Played:
    """A step that has been played. `done`: what was done, in words; `ok`: observed equals expected."""

    id: str
    title: str
    done: str
    observed: Any
    expected: Any
    ok: bool

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def play(
    steps: Sequence[Step[S]],
    stage: S,
    *,
    told: Callable[[Step[S], Played], None],
    lens: Callable[[str, Any], Any] = lambda _step, seen: seen,
) -> list[Played]:
    """Play all steps, one after the other, also after one that is wrong. `told` hears of each.

    `lens` is what every observation is looked at through: the place where a test falsifies one.
    """
    played: list[Played] = []
    for step in steps:
        done = ""
        try:
            done = step.do(stage) if step.do else ""
            seen = step.see(stage)
        except SmartlicError as error:
            seen = {"error": error.as_dict()}
        seen = lens(step.id, seen)
        result = Played(step.id, step.title, done, seen, step.expected, seen == step.expected)
        played.append(result)
        told(step, result)
    return played
