"""How often a sign-in may be tried: a few times a minute for a name at an address, then a pause.

It is the same for the pages and for the REST API.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Attempts"]

_WINDOW: Final = 60.0
_PER_NAME: Final = 5
_PER_ADDRESS: Final = 20
_KEPT: Final = 10_000


class Attempts:
    """Failed sign-ins of the last minute. `now`: seconds of a clock that only goes on."""

    def __init__(self) -> None:
        self._failed: dict[tuple[str, str], deque[float]] = {}

    def wait(self, address: str, name: str, now: float) -> float:
        """Seconds until the next one may be tried; 0: now."""
        limits = (((address, name), _PER_NAME), ((address, ""), _PER_ADDRESS))
        return max(self._wait(key, limit, now) for key, limit in limits)

    def _wait(self, key: tuple[str, str], limit: int, now: float) -> float:
        failed = self._failed.get(key, ())
        recent = [at for at in failed if now - at < _WINDOW]
        return recent[-limit] + _WINDOW - now if len(recent) >= limit else 0.0

    def failed(self, address: str, name: str, now: float) -> None:
        for key in ((address, name), (address, "")):
            self._failed.setdefault(key, deque(maxlen=_PER_ADDRESS)).append(now)
        if len(self._failed) > _KEPT:
            self._failed = {key: when for key, when in self._failed.items() if now - when[-1] < _WINDOW}

    def succeeded(self, address: str, name: str) -> None:
        """The attempt, noted as failed before it was checked, was none of those."""
        self._failed.pop((address, name), None)
        if at_address := self._failed.get((address, "")):
            at_address.pop()
