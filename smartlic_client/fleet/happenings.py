"""What happens to the cluster while a fleet is simulated: the `events` of an inventory.

    events:
      - {at: 30d 08:00, event: failover, outage: 45s}
      - {at: 61d, event: network-down, outage: 6h}

`at` counts from the start of the simulation, in UTC. A fleet in real time leaves them out: there somebody
fails a real server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from smartlic_client.fleet.inventory import Cell, Mistake

__all__ = ["EVENT_FIELDS", "EVENT_KINDS", "EventKind", "Happening", "duration", "moment", "read_happenings"]

EventKind = Literal["failover", "switch-over", "network-down"]
EVENT_KINDS: Final[tuple[EventKind, ...]] = ("failover", "switch-over", "network-down")
EVENT_FIELDS: Final = ("at", "event", "outage")
_USUAL: Final[dict[EventKind, float]] = {"failover": 30.0, "switch-over": 5.0, "network-down": 3600.0}
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_AFTER = re.compile(r"([0-9]{1,5})d(?:\s+([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?)?")
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smhd])")

T = TypeVar("T")


class Happening(msgspec.Struct, frozen=True, order=True):
    """`at`: seconds after the start. `outage`: seconds in which nobody answers.

    failover: the Active dies, perhaps in the middle of a message. switch-over: it hands over between two.
    network-down: both servers stay, and no device reaches them.
    """

    at: float
    event: EventKind
    outage: float


def moment(text: str) -> float:
    """Seconds after the start, of `30d 08:00` or `36h`. Raises ValueError with a reason for people."""
    if (found := _AFTER.fullmatch(text.strip())) is not None:
        days, *clock = (float(part or 0) for part in found.groups())
        return days * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    try:
        return duration(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time such as 30d 08:00") from None


def duration(text: str) -> float:
    """Seconds, of `45s`, `10m`, `6h`, `2d`. Raises ValueError with a reason for people."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no span such as 45s, 10m, 6h or 2d")
    return float(found[1]) * _UNITS[found[2]]


def kind(text: str) -> EventKind:
    if text not in EVENT_KINDS:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(EVENT_KINDS)}")
    return text


def usual(event: EventKind) -> float:
    """Seconds of its outage where none is given."""
    return _USUAL[event]


def read_happenings(
    rows: Iterable[tuple[int, dict[str, Cell]]], mistakes: list[Mistake]
) -> tuple[Happening, ...]:
    """Of rows (line, cells), in the order of their times; what is wrong is added to `mistakes`."""
    return tuple(sorted(one for row in rows if (one := _read(*row, mistakes)) is not None))


def _read(line: int, cells: dict[str, Cell], mistakes: list[Mistake]) -> Happening | None:
    from smartlic_client.fleet.inventory import Mistake

    before = len(mistakes)

    def value(field: str, read: Callable[[str], T]) -> T | None:
        cell = cells.get(field)
        if cell is None or not cell.text:
            mistakes.append(Mistake(line, cell.column if cell else "1", f"an event needs `{field}`."))
            return None
        try:
            return read(cell.text)
        except ValueError as error:
            mistakes.append(Mistake(cell.line, cell.column, f"{error}."))
            return None

    at, event = value("at", moment), value("event", kind)
    outage = value("outage", duration) if "outage" in cells else None
    if len(mistakes) > before or at is None or event is None:
        return None
    return Happening(at, event, usual(event) if outage is None else outage)
