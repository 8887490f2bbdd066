"""When an agent speaks by itself, and how long it waits. Seconds.

Every duration is in `DURATIONS` with its source; nothing else in the protocol says how long something takes.
*public*: as Cisco documents it. *ours*: no public figure is known, and the choice is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["DURATIONS", "back_off", "retry_delay", "warning_after", "warning_due"]

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

AUTHORIZATION_RENEWAL: Final = 30 * DAY
AUTHORIZATION_DEADLINE: Final = 90 * DAY
OUT_OF_COMPLIANCE: Final = 12 * HOUR
EVALUATION: Final = 90 * DAY
ID_CERTIFICATE_RENEWAL: Final = 180 * DAY
GRACE: Final = HOUR
COALESCE: Final = 2.0
STANDING: Final = 30 * DAY
RETRY_FIRST: Final = 30.0
RETRY_LONGEST: Final = 4 * HOUR
RETRY_TOLD: Final = DAY
SHORTEST_RENEWAL: Final = MINUTE
REPORTING: Final = 30 * DAY
SAMPLE: Final = 15 * MINUTE


class Duration(NamedTuple):
    seconds: float
    source: str


DURATIONS: Final[Mapping[str, Duration]] = {
    "authorization renewal": Duration(AUTHORIZATION_RENEWAL, "public; a server may say less"),
    "out of compliance, again after": Duration(OUT_OF_COMPLIANCE, "public"),
    "authorized without contact": Duration(AUTHORIZATION_DEADLINE, "public; a server may say less"),
    "evaluation period": Duration(EVALUATION, "public; counted while licenses are in use"),
    "ID certificate renewal": Duration(
        ID_CERTIFICATE_RENEWAL, "public: 180 of 365 days; half of a shorter one"
    ),
    "clock outside the ID certificate's validity": Duration(GRACE, "public: one hour of grace"),
    "count changes are told together after": Duration(
        COALESCE, "ours: several changes of one reconfiguration"
    ),
    "lost communication, first retry": Duration(RETRY_FIRST, "ours; doubles, and half of it is drawn"),
    "lost communication, longest retry": Duration(RETRY_LONGEST, "ours: six tries a day of 90"),
    "longest time that a server may ask for": Duration(RETRY_TOLD, "ours: a server cannot silence a device"),
    "shortest renewal that a server may ask for": Duration(SHORTEST_RENEWAL, "ours: nor drive it round"),
    "a failure that does not mend by itself": Duration(STANDING, "ours: it stands until the regular renewal"),
    "usage report": Duration(REPORTING, "public: 30 days by default, 1 to 365"),
    "sample of a usage report": Duration(SAMPLE, "public sample: 900"),
}

_FIRST: Final = 0.1
_LONGEST: Final = 2.0

# Warnings before an end: at 60, 30, 21, 14, 7 days, daily in the last week, hourly in the last day (protocol,
# "Authorization states"). Seconds left, falling.
WARNINGS: Final = (
    *(days * DAY for days in (60, 30, 21, 14, 7, 6, 5, 4, 3, 2, 1)),
    *(hours * HOUR for hours in range(23, 0, -1)),
)


def back_off(attempt: int, chance: float, retry_after: float | None) -> float:
    """Seconds until attempt `attempt` + 1 (the first attempt is 0) while somebody waits for the outcome.

    `chance` in [0, 1) spreads a fleet that lost the same server at the same moment. A server that says
    Retry-After is believed, with the spread on top, up to a minute.
    """
    if retry_after is not None:
        return min(max(retry_after, _FIRST), 60.0) * (1 + chance / 4)
    ceiling = min(_LONGEST, _FIRST * 2.0 ** min(attempt, 10))
    return ceiling * (0.5 + chance / 2)


def retry_delay(attempt: int, chance: float, retry_after: float | None) -> float:
    """Seconds until attempt `attempt` + 1 when nobody waits: from 15 s to 4 h.

    A server's own time (Retry-After, retry_time_seconds) is believed up to a day, with the spread on top.
    """
    if retry_after is not None:
        return min(max(retry_after, 1.0), RETRY_TOLD) * (1 + chance / 4)
    ceiling = min(RETRY_LONGEST, RETRY_FIRST * 2.0 ** min(attempt, 16))
    return ceiling * (0.5 + chance / 2)


def warning_after(warned: float | None) -> float | None:
    """Seconds left at the next warning, when the last one came with `warned` seconds left; None: no more."""
    if warned is None:
        return WARNINGS[0]
    return next((mark for mark in WARNINGS if mark < warned), None)


def warning_due(left: float, warned: float | None) -> float | None:
    """The mark that is due with `left` seconds left and was not warned of yet; None: none is due.

    One warning for all marks that were passed at once.
    """
    if left > WARNINGS[0]:
        return None
    passed = [mark for mark in WARNINGS if mark >= left and (warned is None or mark < warned)]
    return passed[-1] if passed else None


def renewal_at(now: float, valid_until: float) -> float:
    """When an ID certificate that came now is renewed: after 180 days, or half of a shorter life."""
    return now + min(ID_CERTIFICATE_RENEWAL, max(MINUTE, (valid_until - now) / 2))
