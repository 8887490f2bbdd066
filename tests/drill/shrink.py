"""Fewer operations that fail alike: delta debugging (Zeller and Hildebrandt, 2002, "ddmin")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["shrunk"]

T = TypeVar("T")


def shrunk(whole: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """A part of `whole`, in its order, that `fails` too, and of which no single one can be left out.

    `fails` may answer False when there is no time left: what was found up to then is returned."""
    left, parts = list(whole), 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        for begin in range(0, len(left), size):
            fewer = left[:begin] + left[begin + size :]
            if fails(fewer):
                left, parts = fewer, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(left))
    return left
