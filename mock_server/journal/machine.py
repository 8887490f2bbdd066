"""The state that a journal's changes build. The journal knows nothing else of what is in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol


class Machine(Protocol):
    """A deterministic state machine in memory. It does no input or output and reads no clock.

    Its state is a set of aggregates, each with a kind, a key and a body. The same changes in the same
    order give the same bodies on both nodes: replicas are compared by them.
    """

    def reset(self) -> None:
        """Forget everything."""

    def load(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        """Take over aggregates (kind, key, body) as `row` once gave them, into an empty machine."""

    def apply(self, payload: bytes) -> Collection[tuple[str, str]]:
        """Apply one change in place; the (kind, key) of each aggregate it touched."""

    def row(self, kind: str, key: str) -> bytes | None:
        """The body of an aggregate as it is now; None when it was deleted."""
