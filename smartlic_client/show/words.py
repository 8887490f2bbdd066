"""How IOS XE writes: dates, spans of time, yes and no; and how text from outside is made harmless."""

from __future__ import annotations

import datetime

__all__ = ["EMPTY", "NONE", "WIDTH", "Zone", "clean", "date", "duration", "either", "fitted", "page", "shout"]

NONE = "<none>"
EMPTY = "<empty>"
LONGEST = 255
"""Characters of one text from outside; the wire allows no more either."""
WIDTH = 600
"""No line is longer: a label and at most two long texts."""

Zone = datetime.tzinfo

# Not strftime's %b: a month's name does not depend on who looks at the device.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date(at: float | None, zone: Zone, otherwise: str = NONE) -> str:
    """`Mar 13 08:09:24 2024 UTC`; `otherwise` where there is no time, or none that a calendar has."""
    if at is None:
        return otherwise
    try:
        moment = datetime.datetime.fromtimestamp(at, zone)
    except (OverflowError, ValueError, OSError):
        return otherwise
    return f"{_MONTHS[moment.month - 1]} {moment:%d %H:%M:%S} {moment.year} {moment:%Z}"


def duration(seconds: float) -> str:
    """`89 days, 1 hours, 33 minutes, 51 seconds`."""
    whole = int(seconds) if 0 < seconds < 1e12 else 0
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    return f"{days} days, {hours} hours, {minutes} minutes, {left} seconds"


def clean(text: str | None, otherwise: str = NONE) -> str:
    r"""One line that a terminal only shows: what it would act on is an escape such as \x1b; not too long."""
    if not text or not text.strip():
        return otherwise
    shown = text.strip()[: LONGEST + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."


def fitted(text: str, width: int) -> str:
    """The text in a column of `width`: `C9300-24 Network Advan...`."""
    shown = clean(text)
    return shown if len(shown) <= width else shown[: width - 3] + "..."


def either(value: bool, yes: str = "ENABLED", no: str = "DISABLED") -> str:
    return yes if value else no


def shout(value: bool) -> str:
    """`True` or `False`, as the technical lists have it."""
    return str(value)


def page(sections: list[list[str]]) -> str:
    """Sections with an empty line between them: ntc-templates needs that."""
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"
