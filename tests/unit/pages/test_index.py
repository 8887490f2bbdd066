"""Product instances are found and sorted as a plain search and sort would, whatever happens between."""

from __future__ import annotations

import contextlib
import csv
import io
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.domain import instances
from mock_server.errors import CallerError
from mock_server.pages.index import InstanceIndex, Sort, product_type
from mock_server.pages.tables import PAGE, Asked, Column, arranged, csv_lines
from tests.unit.domain.world import NOW, Server, Speaker, loaded

HERE = ("Lab", "Default")
names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)


def filled(given_names: list[str]) -> Server:
    server = Server(lambda: NOW, random.Random(5))
    token = server.token()
    for number, name in enumerate(given_names):
        speaker = Speaker(sn=f"N{number}")
        piid = server.decide(speaker.say(speaker.registration(token.reveal()))).piid
        with contextlib.suppress(CallerError):  # blanks at the ends are no name: it keeps its own
            server.commit(instances.rename(server.state, piid, name))
    return server


@settings(max_examples=25, deadline=None)
@given(
    st.lists(names, max_size=8),
    st.text(max_size=3),
    st.sampled_from(["name", "type", "contact"]),
    st.booleans(),
    st.integers(0, 10),
)
def test_what_is_found_is_what_a_plain_search_finds(
    given_names: list[str], search: str, sort: Sort, descending: bool, offset: int
) -> None:
    """Before and after a renaming and a removal: the same, in the same order, at any offset."""
    server, index = filled(given_names), InstanceIndex()
    for step in range(3):
        state = server.state
        wanted = search.strip().casefold()
        every = sorted(state.instances.values(), key=lambda one: (one.name, one.piid))
        plain = [one for one in every if wanted in f"{one.name}\n{product_type(one)}".casefold()]
        if sort != "name":
            plain.sort(key=lambda one: product_type(one) if sort == "type" else one.last_contact)
        piids = [one.piid for one in (plain[::-1] if descending else plain)]
        found = index.find(state, HERE, search=search, sort=sort, descending=descending, now=10.0 * step)
        assert len(found) == len(piids)
        assert list(found.page(offset, 3)) == piids[offset : offset + 3]
        if every and step == 0:
            server.commit(instances.rename(state, every[0].piid, "renamed"))
        elif every:
            server.commit(instances.remove(state, every[-1].piid))


def test_policy_and_another_place_have_their_own() -> None:
    """Nobody reports by policy here, and nothing is in a virtual account that has none."""
    server, index = filled(["a", "b"]), InstanceIndex()
    assert len(index.find(server.state, HERE)) == 2
    assert len(index.find(server.state, HERE, policy=True)) == 0
    assert len(index.find(server.state, ("Lab", "Branch"))) == 0


def test_more_changes_than_are_kept_are_followed_too() -> None:
    """After more of them than the log holds, and after a state that is another one: all is made anew."""
    server, index = filled(["a", "b", "c"]), InstanceIndex()
    assert len(index.find(server.state, HERE, search="b")) == 1
    one = next(iter(server.state.instances.values()))
    for number in range(600):
        server.commit(instances.rename(server.state, one.piid, f"b {number}"))
    assert len(index.find(server.state, HERE, search="b")) == 2
    server.commit(instances.remove(server.state, one.piid))
    assert len(index.find(server.state, HERE, search="b")) == 1
    assert len(index.find(loaded(server.machine).state, HERE, search="b")) == 1
    assert len(index.find(server.state, HERE)) == 2


@given(st.dictionaries(names, names, max_size=5))
def test_a_query_makes_a_listing_whatever_it_says(query: dict[str, str]) -> None:
    """Pages, orders and columns that make no sense are as if they were not there."""
    columns = [Column("name", "Name"), Column("size", "Size", number=True)]
    rows = [{"name": f"n{number:03d}", "size": number % 7 or None} for number in range(PAGE + 3)]
    asked = Asked.of("/here", query)
    listing = arranged(asked, columns, rows, caption="Things")
    assert len(listing.rows) <= PAGE
    assert listing.csv_url.startswith("/here?")


def test_pages_are_cut_and_sorted() -> None:
    """Page numbers beyond the last give the last; missing values come last; numbers sort as numbers."""
    columns = [Column("name", "Name"), Column("size", "Size", number=True)]
    rows = [{"name": f"n{number}", "size": None if number == 3 else number} for number in range(120)]
    ends = (("3", 101, 20), ("999999999", 101, 20))
    for text, first, count in (*ends, ("-1", 1, PAGE), ("x", 1, PAGE), ("1", 1, PAGE)):
        asked = Asked.of("/", {"page": text, "sort": "size"})
        listing = arranged(asked, columns, rows, caption="Things")
        assert (listing.first, len(listing.rows), listing.pages) == (first, count, 3)
    assert listing.rows[0]["size"] == 0
    last = arranged(Asked.of("/", {"page": "3", "sort": "size"}), columns, rows, caption="Things")
    assert last.rows[-1]["size"] is None


@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=9) | st.integers(), max_size=2))
)
def test_csv_is_read_back_and_starts_no_formula(rows: list[dict[str, str | int]]) -> None:
    """Every cell is there again; a text that a spreadsheet would run has an apostrophe before it."""
    columns = [Column("a", "A"), Column("b", "B")]
    text = b"".join(csv_lines(columns, rows)).decode("utf-8-sig", "replace")
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0] == ["A", "B"]
    for line, row in zip(read[1:], rows, strict=True):
        for cell, key in zip(line, "ab", strict=True):
            value = row.get(key, "")
            if isinstance(value, str):
                assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
                cell = cell[1:] if cell != value.encode("utf-8", "replace").decode() else cell
            assert cell == str(value).encode("utf-8", "replace").decode()
