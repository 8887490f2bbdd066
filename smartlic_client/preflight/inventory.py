"""Many targets in a file: one URL a line, or CSV with a name and a URL.

`#` begins a comment line; blank lines are skipped; a byte order mark is none of the text. What stands there
twice is checked once, and a finding says so.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable

import msgspec

from smartlic_client.preflight.observation import Target
from smartlic_client.preflight.targets import read_target

__all__ = ["merge", "read_inventory"]

_HEADERS = {"url", "host", "target", "destination", "destination url", "address"}
_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


def read_inventory(data: bytes, source: str) -> list[Target]:
    """The targets of an inventory, in its order, repeated ones too: `merge` finds those."""
    found: list[Target] = []
    column: int | None = None
    for number, line in enumerate(_decode(data).splitlines(), 1):
        text = line.strip().strip("\0")
        if not text or text.startswith("#"):
            continue
        cells = _cells(text)
        if not found and column is None:
            column = _column_by_header(cells)
            if column is not None:
                continue
        url, name = _url_and_name(cells, column)
        target = read_target(url, name)
        found.append(msgspec.structs.replace(target, repeated=(f"{source}:{number}",)))
    return found


def merge(targets: Iterable[Target]) -> list[Target]:
    """Each target once, with all the places where it stands; one that stands in one place only has none."""
    places: dict[str, list[str]] = {}
    first: dict[str, Target] = {}
    for target in targets:
        first.setdefault(target.label, target)
        places.setdefault(target.label, []).extend(target.repeated or ("command line",))
    return [
        msgspec.structs.replace(target, repeated=tuple(places[label]) if len(places[label]) > 1 else ())
        for label, target in first.items()
    ]


def _decode(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


def _cells(text: str) -> list[str]:
    for delimiter in (",", ";", "\t"):
        if delimiter in text:
            try:
                return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter))]
            except (csv.Error, StopIteration):
                return [text]
    return [text]


def _column_by_header(cells: list[str]) -> int | None:
    """Where the URL stands, if this line is a header. A lone word is one only if it can be no host."""
    heads = [cell.lower() for cell in cells]
    if len(heads) == 1:
        return 0 if heads == ["url"] else None
    return next((place for place, head in enumerate(heads) if head in _HEADERS), None)


def _url_and_name(cells: list[str], column: int | None) -> tuple[str, str | None]:
    if len(cells) == 1:
        return cells[0], None
    if column is None or column >= len(cells):
        column = next((place for place, cell in enumerate(cells) if "://" in cell), 1)
    rest = [cell for place, cell in enumerate(cells) if place != column and cell]
    return cells[column], rest[0] if rest else None
