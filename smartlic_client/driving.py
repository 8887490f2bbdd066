"""Carries out the steps of a generator (errands, talks): the same loop for whoever does them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import closing
from typing import TypeVar

__all__ = ["drive", "drive_async"]

Step = TypeVar("Step")
Outcome = TypeVar("Outcome")
Result = TypeVar("Result")


def drive(steps: Generator[Step, Outcome | None, Result], do: Callable[[Step], Outcome | None]) -> Result:
    """Do each step, send its outcome back in, and return the generator's result. It is closed in any case."""
    with closing(steps):
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: Result = end.value
                return result
            outcome = do(step)


async def drive_async(
    steps: Generator[Step, Outcome | None, Result], do: Callable[[Step], Awaitable[Outcome | None]]
) -> Result:
    """The same where doing a step is awaited."""
    with closing(steps):
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: Result = end.value
                return result
            outcome = await do(step)
