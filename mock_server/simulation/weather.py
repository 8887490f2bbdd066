"""What the network does to messages: who reaches whom, and what of a client's is lost, doubled or late.

Between the two nodes there is TCP: what is sent into a partition is held, and arrives when it ends, unless
its connection was given up by then. A client's request or answer that is lost is never seen again; one that
is doubled arrives once more, and a late one after the client has given it up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["CALM", "Odds", "Weather"]


@dataclass(frozen=True)
class Odds:
    """Of each request, and of each answer: how probably it is lost, doubled or late."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0


CALM = Odds()


@dataclass
class Weather:
    """`seen` counts what has happened to messages."""

    odds: Odds = CALM
    seen: Counter[str] = field(default_factory=Counter)
    _apart: set[tuple[str, str]] = field(default_factory=set)
    _held: list[tuple[tuple[str, str], Callable[[], None]]] = field(default_factory=list)

    def part(self, sender: str, receiver: str, *, both: bool = True) -> None:
        """Nothing gets from the one to the other, and, with `both`, back."""
        self._apart.add((sender, receiver))
        if both:
            self._apart.add((receiver, sender))

    def join(self) -> None:
        """Everybody reaches everybody; what was held is on its way."""
        self._apart.clear()
        held, self._held = self._held, []
        for _, send in held:
            send()

    def reaches(self, sender: str, receiver: str) -> bool:
        return (sender, receiver) not in self._apart

    def hold(self, sender: str, receiver: str, send: Callable[[], None]) -> bool:
        """Keep what is sent into a partition until it ends. False: there is none."""
        if self.reaches(sender, receiver):
            return False
        self.seen["held by a partition"] += 1
        self._held.append(((sender, receiver), send))
        return True
