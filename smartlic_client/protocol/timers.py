"""When an agent speaks by itself, and how long it waits (protocol, "Authorization states"). Seconds."""

from __future__ import annotations

from typing import Final

__all__ = ["back_off"]

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

AUTHORIZATION_RENEWAL: Final = 30 * DAY
AUTHORIZATION_DEADLINE: Final = 90 * DAY
EVALUATION: Final = 90 * DAY
ID_CERTIFICATE_RENEWAL: Final = 180 * DAY

_FIRST: Final = 0.1
_LONGEST: Final = 2.0


def back_off(attempt: int, chance: float, retry_after: float | None) -> float:
    """Seconds until attempt `attempt` + 1 (the first attempt is 0).

    `chance` in [0, 1) spreads a fleet that lost the same server at the same moment. A server that says
    Retry-After is believed, with the spread on top, up to a minute.
    """
    if retry_after is not None:
        return min(max(retry_after, _FIRST), 60.0) * (1 + chance / 4)
    ceiling = min(_LONGEST, _FIRST * 2.0 ** min(attempt, 10))
    return ceiling * (0.5 + chance / 2)
