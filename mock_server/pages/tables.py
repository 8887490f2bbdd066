"""Tables: searched, sorted and paged by the URL's query, and the same rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

__all__ = ["PAGE", "Asked", "Column", "Listing", "arranged", "csv_lines"]

PAGE: Final = 50
_LARGEST: Final = 10**9
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """`key`: of the row. `sortable`: whether its head is a link."""

    key: str
    title: str
    sortable: bool = True
    number: bool = False


@dataclass(frozen=True)
class Asked:
    """What the query says about one table; what makes no sense is as if it were not there."""

    path: str
    query: Mapping[str, str]
    search: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, path: str, query: Mapping[str, str]) -> Asked:
        number = query.get("page", "1")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
        return cls(
            path=path,
            query=query,
            search=query.get("search", "")[:200],
            sort=query.get("sort", ""),
            descending=query.get("order") == "descending",
            page=max(1, min(page, _LARGEST)),
        )

    def url(self, **changes: str | int | None) -> str:
        """This page with other values; None leaves one out."""
        merged = {**self.query, **changes}
        kept = {name: value for name, value in merged.items() if value not in (None, "") and name != "done"}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path


@dataclass(frozen=True)
class Listing:
    """One page of a table, for the templates. `total`: of all rows that match."""

    asked: Asked
    columns: Sequence[Column]
    rows: Sequence[Row]
    total: int
    searchable: bool = True
    caption: str = ""
    hidden: Mapping[str, str] = field(default_factory=dict)

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))

    @property
    def page(self) -> int:
        return min(self.asked.page, self.pages)

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.page * PAGE, self.total)

    def head(self, column: Column) -> tuple[str, str]:
        """The link of a column's head, and how the table is sorted by it (ARIA's words)."""
        here = self.asked.sort == column.key
        order = ("descending" if self.asked.descending else "ascending") if here else "none"
        turned = "descending" if order == "ascending" else "ascending"
        return self.asked.url(sort=column.key, order=turned, page=None), order

    @property
    def csv_url(self) -> str:
        return self.asked.url(format="csv", page=None)


def arranged(
    asked: Asked,
    columns: Sequence[Column],
    rows: Iterable[Row],
    *,
    caption: str,
    key: Callable[[Row], Any] | None = None,
) -> Listing:
    """A listing of rows that are all in memory; for those of a hundred thousand there is `index`."""
    found = list(rows)
    wanted = asked.search.strip().casefold()
    if wanted:
        found = [row for row in found if any(wanted in _text(row.get(one.key)) for one in columns)]
    sortable = {column.key for column in columns if column.sortable}
    if asked.sort in sortable:
        found.sort(key=lambda row: _order(row.get(asked.sort)), reverse=asked.descending)
    elif key is not None:
        found.sort(key=key)
    listing = Listing(asked, columns, found, len(found), caption=caption)
    return Listing(
        asked, columns, found[max(0, listing.first - 1) : listing.last], len(found), caption=caption
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).casefold()


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before texts; what is not there last."""
    if value is None or value == "":
        return (2, "")
    return (0, value) if isinstance(value, int | float) else (1, str(value).casefold())


def csv_lines(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    """UTF-8 with CRLF (RFC 4180), with a byte order mark, as spreadsheets want it."""
    yield b"\xef\xbb\xbf" + _line([column.title for column in columns])
    for row in rows:
        yield _line([_cell(row.get(column.key)) for column in columns])


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe (OWASP, "CSV Injection")."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
