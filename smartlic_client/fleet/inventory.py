"""The devices of a fleet, as a file names them: CSV or YAML, a device a line or many of a kind.

CSV has a header; the columns may stand in any order, and those that are not needed may be left out:

    name,pid,sn,software,count,licenses
    core-1,C9500-40X,FCW2001A001,,,"regid.…=4"
    access-{n},C9300-24T,FOC{n:06},,1000,"regid.…=2 08:00=24 18:00=2; regid.…=1"

YAML has the same names: a list of devices, or a mapping with `devices` and `defaults`; `licenses` is a
mapping of tag and schedule there. A mapping may also have `events`, for a simulation (happenings). `{n}` is
the number of the device within its kind, from 1, and `{n:04}` pads it.

All mistakes of a file are told, each with its line and column, and then nothing is started.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from smartlic_client.errors import CallerError, SmartlicError, problem
from smartlic_client.fleet.happenings import Happening, read_happenings
from smartlic_client.fleet.schedule import Schedule
from smartlic_client.folders import DEFAULT_SOFTWARE_ID
from smartlic_client.protocol.identity import Udi, entitlement_tag, printable, software_id
from smartlic_client.protocol.messages import MAX_ENTITLEMENTS

__all__ = ["Inventory", "Kind", "Member", "Mistake", "read_inventory"]

INVENTORY_UNREADABLE = problem(
    "inventory-unreadable",
    CallerError,
    "The inventory {path} cannot be read: {why}.",
    "Give a CSV or YAML file that this user may read.",
)
INVENTORY_WRONG = problem(
    "inventory-wrong",
    CallerError,
    "There are mistakes in the inventory {path}, {count} in all, and nothing was started: {list}",
    "Mend them, and start again; docs/how-to/run-a-fleet.md shows the form.",
)

COLUMNS = ("name", "pid", "sn", "vid", "software", "count", "licenses")
_MOST_DEVICES = 1_000_000
_MOST_SHOWN = 100
_NUMBER = re.compile(r"\{n(?::0([1-9]))?\}")


Licenses: TypeAlias = tuple[tuple[str, Schedule], ...]
"""Entitlement tags with what is used of them."""


class Mistake(NamedTuple):
    line: int
    column: str
    """Of CSV its name, of YAML its number."""
    what: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.what.rstrip('.')}"


class Kind(msgspec.Struct, frozen=True):
    """`count` devices that are alike. `name` and `sn` hold `{n}` where there are several."""

    name: str
    pid: str | None
    sn: str | None
    vid: str | None
    software: str
    licenses: Licenses
    count: int = 1


class Member(NamedTuple):
    """One device of the fleet."""

    name: str
    udi: Udi
    software: str
    licenses: Licenses


class Inventory:
    """The devices by their index, in the file's order; none is made before it is asked for."""

    def __init__(self, kinds: Sequence[Kind], events: tuple[Happening, ...] = ()) -> None:
        self.kinds = kinds
        self.events = events
        self._starts = []
        total = 0
        for kind in kinds:
            self._starts.append(total)
            total += kind.count
        self._total = total

    def __len__(self) -> int:
        return self._total

    def __getitem__(self, index: int) -> Member:
        if not 0 <= index < self._total:
            raise IndexError(index)
        place = bisect_right(self._starts, index) - 1
        kind, number = self.kinds[place], index - self._starts[place] + 1
        udi = Udi(pid=kind.pid, sn=kind.sn and numbered(kind.sn, number), vid=kind.vid)
        return Member(numbered(kind.name, number), udi, kind.software, kind.licenses)

    def __iter__(self) -> Iterator[Member]:
        return (self[index] for index in range(self._total))


def numbered(pattern: str, number: int) -> str:
    """`{n}` and `{n:06}` replaced by the number."""
    return _NUMBER.sub(lambda found: f"{number:0{found[1] or 1}}", pattern)


class Cell(NamedTuple):
    """A text of the file, and where it stands."""

    text: str
    line: int
    column: str


class Row(NamedTuple):
    """One entry as the file has it. `licenses`: tag and schedule."""

    line: int
    cells: dict[str, Cell]
    licenses: list[tuple[Cell, Cell]]


def read_inventory(path: Path) -> Inventory:
    """Raises inventory-unreadable, and inventory-wrong with all mistakes (`context["mistakes"]`)."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise INVENTORY_UNREADABLE(path=str(path), why=error.strerror) from None
    except UnicodeDecodeError as error:
        raise INVENTORY_UNREADABLE(path=str(path), why=f"it is no UTF-8 ({error})") from None
    from smartlic_client.fleet.rows import csv_rows, yaml_rows

    mistakes: list[Mistake] = []
    happened: list[tuple[int, dict[str, Cell]]] = []
    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    rows = yaml_rows(text, mistakes, happened) if is_yaml else csv_rows(text, mistakes)
    kinds = _Reader(mistakes).kinds(rows)
    events = read_happenings(happened, mistakes)
    if not kinds and not mistakes:
        mistakes.append(Mistake(1, "1", "there is no device in it"))
    if mistakes:
        raise wrong(path, mistakes)
    return Inventory(kinds, events)


def wrong(path: Path, mistakes: list[Mistake]) -> SmartlicError:
    ordered = sorted(mistakes)
    shown = "; ".join(map(str, ordered[:_MOST_SHOWN])) + (" …" if len(ordered) > _MOST_SHOWN else ".")
    return INVENTORY_WRONG(
        path=str(path), count=len(ordered), list=shown, mistakes=[one._asdict() for one in ordered]
    )


class _Reader:
    """Makes kinds of rows; what is wrong is added to `mistakes`."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self._mistakes = mistakes
        self._names: dict[str, int] = {}
        self._udis: dict[str, int] = {}
        self._shared: dict[tuple[tuple[str, str], ...], Licenses] = {}
        self._total = 0

    def kinds(self, rows: Iterable[Row]) -> list[Kind]:
        return [kind for row in rows if (kind := self._kind(row)) is not None]

    def _kind(self, row: Row) -> Kind | None:
        before = len(self._mistakes)
        count = self._count(row)
        name = self._cell(row, "name")
        if name is None:
            self._add(Cell("", row.line, "name"), "a device needs a name")
        else:
            self._checked(name, lambda text: printable(numbered(text, 1), "name"))
        for field in ("name", "sn"):
            self._is_numbered(row, field, count)
        software = self._cell(row, "software")
        if software is not None:
            self._checked(software, software_id)
        licenses = self._licenses(row)
        texts = {field: cell.text for field in ("pid", "sn", "vid") if (cell := self._cell(row, field))}
        first = {**texts, **({"sn": numbered(texts["sn"], 1)} if "sn" in texts else {})}
        self._checked(self._cell(row, "pid") or Cell("", row.line, "pid"), lambda _: Udi(**first).validated())
        if len(self._mistakes) > before or name is None:
            return None
        kind = Kind(
            name.text,
            texts.get("pid"),
            texts.get("sn"),
            texts.get("vid"),
            software.text if software else DEFAULT_SOFTWARE_ID,
            licenses,
            count,
        )
        return kind if self._is_new(row, kind) else None

    def _cell(self, row: Row, field: str) -> Cell | None:
        cell = row.cells.get(field)
        return cell if cell is not None and cell.text else None

    def _add(self, cell: Cell, what: str) -> None:
        self._mistakes.append(Mistake(cell.line, cell.column, what))

    def _checked(self, cell: Cell, check: object) -> None:
        try:
            check(cell.text)  # type: ignore[operator]
        except SmartlicError as error:
            self._add(cell, error.sentence)
        except ValueError as error:
            self._add(cell, f"{error}.")

    def _count(self, row: Row) -> int:
        cell = self._cell(row, "count")
        if cell is None:
            return 1
        known = cell.text.isascii() and cell.text.isdigit() and len(cell.text) < 9
        if not known or not 1 <= int(cell.text) <= _MOST_DEVICES:
            self._add(cell, f"{cell.text[:40]!r} is no number of devices from 1 to {_MOST_DEVICES}.")
            return 1
        return int(cell.text)

    def _is_numbered(self, row: Row, field: str, count: int) -> None:
        cell = self._cell(row, field)
        if cell is not None and count > 1 and not _NUMBER.search(cell.text):
            self._add(cell, f"the {field} of {count} devices needs {{n}} in it, or all are the same.")

    def _licenses(self, row: Row) -> Licenses:
        """What is right once is right again: lines with the same text share what it means."""
        texts = tuple((tag.text, schedule.text) for tag, schedule in row.licenses)
        known = self._shared.get(texts)
        if known is None:
            before = len(self._mistakes)
            known = self._read_licenses(row)
            if len(self._mistakes) == before:
                self._shared[texts] = known
        return known

    def _read_licenses(self, row: Row) -> Licenses:
        found: dict[str, Schedule] = {}
        for tag, schedule in row.licenses:
            self._checked(tag, entitlement_tag)
            if tag.text in found:
                self._add(tag, f"the license {tag.text[:80]!r} stands there twice.")
            try:
                found[tag.text] = Schedule.parse(schedule.text)
            except ValueError as error:
                self._add(schedule, f"{error}.")
        if len(found) > MAX_ENTITLEMENTS:
            self._add(row.licenses[0][0], f"a device has at most {MAX_ENTITLEMENTS} licenses.")
        return tuple(found.items())

    def _is_new(self, row: Row, kind: Kind) -> bool:
        """Names and UDIs stand for one device each, in the whole file."""
        self._total += kind.count
        if self._total > _MOST_DEVICES:
            if self._total - kind.count <= _MOST_DEVICES:
                self._add(Cell("", row.line, "count"), f"there are more than {_MOST_DEVICES} devices.")
            return False
        for number in range(1, kind.count + 1):
            name = numbered(kind.name, number)
            if (line := self._names.setdefault(name, row.line)) != row.line:
                self._add(row.cells["name"], f"the name {name!r} is that of line {line}.")
                return False
            udi = f"{kind.pid},{kind.sn and numbered(kind.sn, number)}"
            if (line := self._udis.setdefault(udi, row.line)) != row.line:
                self._add(row.cells.get("sn", row.cells["name"]), f"PID and SN are those of line {line}.")
                return False
        return True
