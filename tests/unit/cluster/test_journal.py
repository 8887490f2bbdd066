"""The journal: groups, the chain of checksums, cuts, the key store, damage."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.journal import Journal, Row, next_row
from mock_server.journal.rows import EMPTY, Head, continues
from smartlic_client.errors import SmartlicError
from tests.cluster.toy import ToyMachine, change


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


def fill(
    journal: Journal, machine: ToyMachine, writes: list[str], *, keys: dict[str, bytes] | None = None
) -> list[Row]:
    """Append one group of writes as a node does."""
    rows: list[Row] = []
    touched: list[tuple[str, str]] = []
    head = journal.head
    for write in writes:
        payload = change(write)
        touched += machine.apply(payload)
        rows.append(next_row(head, 1, payload, keys or {}))
        head = Head(rows[-1].idx, rows[-1].checksum)
    journal.append(rows, [(kind, key, machine.row(kind, key)) for kind, key in touched])
    return rows


def test_a_group_survives_the_process(tmp_path: Path) -> None:
    """What was appended is read again by the next process: rows, aggregates, the end, keys."""
    first = Journal(tmp_path / "j")
    rows = fill(first, ToyMachine(), ["a", "b"], keys={"k": b"PEM"})
    first.close()
    second = Journal(tmp_path / "j")
    assert second.head == (2, rows[-1].checksum)
    assert second.read(1) == rows
    assert sorted(second.aggregates()) == [
        ("counter", "c", b"2"),
        ("write", "a", b"1"),
        ("write", "b", b"1"),
    ]
    assert second.keys() == {"k": b"PEM"}
    assert [row.idx for row in second.read_newest(0, 5)] == [2, 1]
    second.close()


def test_a_gone_aggregate_is_deleted(journal: Journal) -> None:
    """A body None deletes the aggregate's row."""
    row = next_row(journal.head, 1, b"x", {})
    journal.append([row], [("counter", "c", b"1")])
    journal.append([next_row(journal.head, 1, b"y", {})], [("counter", "c", None)])
    assert list(journal.aggregates()) == []


def test_a_cut_rebuilds_what_was_before(journal: Journal) -> None:
    """After a cut the aggregates, the keys and the machine are those of the shorter journal."""
    machine = ToyMachine()
    fill(journal, machine, ["a", "b"], keys={"k": b"old"})
    fill(journal, machine, ["c", "d", "e"], keys={"k": b"new", "l": b"new"})
    assert journal.keys() == {"k": b"new", "l": b"new"}
    assert journal.cut_after(2, machine) == 3
    assert journal.cut_after(2, machine) == 0
    assert journal.head == (2, journal.checksum_at(2))
    assert machine.counters == {"c": 2}
    assert sorted(journal.aggregates()) == [
        ("counter", "c", b"2"),
        ("write", "a", b"1"),
        ("write", "b", b"1"),
    ]
    assert journal.keys() == {"k": b"old"}
    fill(journal, machine, ["f"])
    assert journal.head.idx == 3


def test_a_group_is_whole_or_not_there(journal: Journal) -> None:
    """A group that fails in the middle leaves nothing."""
    machine = ToyMachine()
    fill(journal, machine, ["a"])
    row = next_row(journal.head, 1, b"x", {})
    with pytest.raises(sqlite3.Error):
        journal.append([row, row], [])
    assert journal.refresh().idx == 1
    fill(journal, machine, ["b"])


def test_a_full_disk_is_an_error_and_not_damage(journal: Journal) -> None:
    """With no page left a group is refused as a whole; with space again it is taken."""
    journal.limit(True)
    big = next_row(journal.head, 1, bytes(100_000), {})
    with pytest.raises(sqlite3.OperationalError, match="full"):
        journal.append([big], [])
    assert journal.refresh() == EMPTY
    journal.limit(False)
    journal.append([big], [])


def test_a_lost_copy_is_private_and_never_overwrites(journal: Journal) -> None:
    """`lost-<epoch>.sqlite` holds the whole journal, mode 0600; a second one gets a name of its own."""
    fill(journal, ToyMachine(), ["a"])
    first, second = journal.save_lost(7), journal.save_lost(7)
    assert [first.name, second.name] == ["lost-7.sqlite", "lost-7-2.sqlite"]
    assert first.stat().st_mode & 0o777 == 0o600
    copy = Journal(first)
    assert copy.head == journal.head
    copy.close()


def test_files_are_private(journal: Journal) -> None:
    """The journal and its write-ahead log are for this user only."""
    fill(journal, ToyMachine(), ["a"])
    files = list(journal.path.parent.iterdir())
    assert len(files) > 1
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_another_format_is_refused(tmp_path: Path) -> None:
    """`folder-version` names the format that was found."""
    path = tmp_path / "j"
    Journal(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = '9'")
    with pytest.raises(SmartlicError) as refused:
        Journal(path)
    assert refused.value.code == "folder-version"
    assert refused.value.context["found"] == "9"


def test_damage_is_named(tmp_path: Path) -> None:
    """No database, and a row that was altered: `journal-damaged`."""
    path = tmp_path / "j"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(SmartlicError) as refused:
        Journal(path)
    assert refused.value.code == "journal-damaged"
    path = tmp_path / "k"
    journal = Journal(path)
    fill(journal, ToyMachine(), ["a", "b"])
    journal.close()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE journal SET payload = ? WHERE idx = 1", (change("x"),))
    with pytest.raises(SmartlicError) as refused:
        Journal(path)
    assert refused.value.code == "journal-damaged"


@given(st.lists(st.binary(max_size=8), max_size=8), st.lists(st.binary(max_size=8), max_size=8))
def test_equal_checksums_mean_equal_prefixes(one: list[bytes], two: list[bytes]) -> None:
    """Two chains agree at an index exactly when they agree at every index before it."""
    chains = []
    for payloads in (one, two):
        head, checksums = EMPTY, [EMPTY.checksum]
        for payload in payloads:
            row = next_row(head, 1, payload, {})
            head = Head(row.idx, row.checksum)
            checksums.append(row.checksum)
        chains.append(checksums)
    for idx in range(min(len(one), len(two)) + 1):
        assert (chains[0][idx] == chains[1][idx]) == (one[:idx] == two[:idx])


def test_rows_that_do_not_continue_are_found_out() -> None:
    """A gap, another epoch or another payload breaks the chain."""
    first = next_row(EMPTY, 1, b"a", {})
    head = Head(first.idx, first.checksum)
    second = next_row(head, 1, b"b", {})
    assert continues(EMPTY, [first, second])
    assert continues(head, [second])
    assert not continues(EMPTY, [second])
    assert not continues(head, [Row(2, 2, b"b", second.checksum)])
    assert not continues(head, [Row(2, 1, b"c", second.checksum)])
