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


def damage(path: Path, statement: str, *values: object) -> None:
    """Alter a journal's file behind its back."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)


def refusal(path: Path) -> str:
    """What is said when a journal is opened and its state is loaded."""
    with pytest.raises(SmartlicError) as refused:
        journal = Journal(path)
        try:
            list(journal.aggregates())
        finally:
            journal.close()
    assert refused.value.code == "journal-damaged"
    assert str(path) in refused.value.sentence
    return str(refused.value.context["detail"])


def long_journal(path: Path, count: int = 600) -> None:
    journal = Journal(path)
    fill(journal, ToyMachine(), [f"w{number}" for number in range(count)], keys={"k": b"PEM"})
    journal.close()


@pytest.mark.parametrize(
    ("statement", "detail"),
    [
        ("UPDATE journal SET payload = x'00' WHERE idx = 3", "change 3 was altered"),
        ("UPDATE journal SET epoch = 9 WHERE idx = 599", "change 599 was altered"),
        ("UPDATE journal SET checksum = x'00' WHERE idx = 300", "change 300 was altered"),
        ("DELETE FROM journal WHERE idx = 300", "change 300 is missing"),
        ("DELETE FROM journal WHERE idx = 1", "change 1 is missing"),
        ("DELETE FROM journal WHERE idx > 500", "it ends at change 500, and once held change 600"),
        ("UPDATE aggregate SET body = x'37' WHERE key = 'w5'", "the write 'w5' was altered"),
        ("UPDATE aggregate SET body = '7' WHERE key = 'w5'", "values in it that were never written so"),
        ("UPDATE journal SET payload = 'x' WHERE idx = 5", "values in it that were never written so"),
        ("UPDATE journal SET epoch = -1 WHERE idx = 5", "values in it that were never written so"),
        ("UPDATE journal SET epoch = 'one' WHERE idx = 5", "values in it that were never written so"),
        ("UPDATE journal SET key_names = '' WHERE idx = 5", "the keys of change 5 are others"),
        ("UPDATE journal SET key_names = 'j k' WHERE idx = 5", "the keys of change 5 are others"),
        ("UPDATE aggregate SET key = 'x' WHERE key = 'w5'", "the write 'x' was altered"),
        ("UPDATE aggregate SET checksum = 5 WHERE key = 'c'", "the counter 'c' was altered"),
        ("DELETE FROM aggregate WHERE key = 'w7'", "what its changes add up to is not all there"),
        ("UPDATE key_store SET pem = x'00' WHERE idx = 5", "what its changes add up to is not all there"),
        ("DELETE FROM key_store WHERE idx = 5", "the keys of change 5 are others"),
        ("DELETE FROM meta WHERE name = 'sum'", "its sum is missing"),
        ("UPDATE meta SET value = CAST(x'ff' AS TEXT) WHERE name = 'format'", "Could not decode to UTF-8"),
        ("UPDATE journal SET key_names = CAST(x'ff' AS TEXT) WHERE idx = 9", "Could not decode to UTF-8"),
        ("UPDATE journal SET key_names = x'00' WHERE idx = 9", "values in it that were never written so"),
        ("DROP TABLE aggregate", "no such table: aggregate"),
    ],
)
def test_any_alteration_is_found_and_named(tmp_path: Path, statement: str, detail: str) -> None:
    """Whatever was changed or taken out by hand, the journal is refused with its name and what is wrong."""
    path = tmp_path / "journal.sqlite"
    long_journal(path)
    damage(path, statement)
    assert detail in refusal(path)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.501, 0.9])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, part: float) -> None:
    """A file of which the end is missing, or all of it, is no shorter journal."""
    path = tmp_path / "journal.sqlite"
    long_journal(path)
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * part))
    assert refusal(path)
    assert refusal(path)  # and nothing is made of it by looking


def test_a_write_ahead_log_that_was_removed_or_cut_is_noticed(tmp_path: Path) -> None:
    """The file without its log is an older state that is whole; the tip beside it tells what there was."""
    path = tmp_path / "run" / "journal.sqlite"
    path.parent.mkdir()
    journal = Journal(path)
    machine = ToyMachine()
    fill(journal, machine, ["a", "b"])
    journal._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(journal, machine, ["c", "d"])
    log = path.with_name(f"{path.name}-wal")
    for name, keep in (("removed", 0), ("cut", 200)):
        died = tmp_path / name
        died.mkdir()
        for file in path.parent.iterdir():
            (died / file.name).write_bytes(file.read_bytes())
        whole = Journal(died / path.name)
        assert whole.head == journal.head
        whole.close()
        for file in path.parent.iterdir():
            (died / file.name).write_bytes(file.read_bytes())
        (died / f"{path.name}-shm").unlink()
        (died / log.name).write_bytes(log.read_bytes()[:keep])
        assert refusal(died / path.name) == "it ends at change 2, and once held change 4"
    journal.close()


def test_a_tip_that_is_older_or_unreadable_hinders_nothing(tmp_path: Path) -> None:
    """After a loss of power the tip may be behind the journal or torn: the journal is whole all the same."""
    path = tmp_path / "journal.sqlite"
    tip = path.with_name(f"{path.name}-tip")
    journal = Journal(path)
    machine = ToyMachine()
    fill(journal, machine, ["a"])
    older = tip.read_bytes()
    fill(journal, machine, ["b", "c"])
    journal.close()
    for content in (older, older[:7], bytes(48), b""):
        tip.write_bytes(content)
        again = Journal(path)
        assert again.head.idx == 3
        again.close()


def test_another_journal_in_the_place_of_this_one_is_noticed(tmp_path: Path) -> None:
    """A file that is whole but not the one that was there has other changes where the tip points to."""
    path, other = tmp_path / "journal.sqlite", tmp_path / "other.sqlite"
    long_journal(path, 5)
    journal = Journal(other)
    fill(journal, ToyMachine(), [f"x{number}" for number in range(9)])
    journal.close()
    path.write_bytes(other.read_bytes())
    assert refusal(path) == "it ends at change 9, and once held others"


def test_a_cut_and_a_crash_in_it_leave_a_journal_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tip goes back before the rows do: between the two the journal is still whole."""
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    machine = ToyMachine()
    fill(journal, machine, ["a", "b", "c"])
    with monkeypatch.context() as patch:
        patch.setattr(machine, "apply", lambda _payload: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            journal.cut_after(1, machine)
    journal.close()
    again = Journal(path)
    assert again.head.idx == 3
    assert again.cut_after(1, machine) == 2
    again.close()
    last = Journal(path)
    assert last.head.idx == 1
    assert list(last.aggregates()) == [("counter", "c", b"1"), ("write", "a", b"1")]
    last.close()


_FORMAT_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (
    idx INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, payload BLOB NOT NULL, checksum BLOB NOT NULL,
    key_names TEXT NOT NULL);
CREATE TABLE aggregate (kind TEXT, key TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE key_store (name TEXT, idx INTEGER, pem BLOB NOT NULL, PRIMARY KEY (name, idx)) WITHOUT ROWID;
INSERT INTO meta VALUES ('format', '1');
"""


def test_a_journal_of_format_1_is_read_and_goes_on(tmp_path: Path) -> None:
    """A file without checksums of aggregates gets them in one transaction when it is opened."""
    path = tmp_path / "journal.sqlite"
    machine = ToyMachine()
    first = next_row(EMPTY, 1, change("a"), {"k": b"PEM"})
    second = next_row(Head(first.idx, first.checksum), 2, change("b"), {})
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executescript(_FORMAT_1)
        for row in (first, second):
            machine.apply(row.payload)
            db.execute(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?)",
                (row.idx, row.epoch, row.payload, row.checksum, " ".join(row.keys)),
            )
        db.execute(
            "INSERT INTO aggregate VALUES ('counter', 'c', '2'), ('write', 'a', '1'), ('write', 'b', '1')"
        )
        db.execute("UPDATE aggregate SET body = CAST(body AS BLOB)")
        db.execute("INSERT INTO key_store VALUES ('k', 1, CAST('PEM' AS BLOB))")
    for _ in range(2):
        journal = Journal(path)
        assert journal.head == (2, second.checksum)
        assert sorted(journal.aggregates())[0] == ("counter", "c", b"2")
        assert journal.keys() == {"k": b"PEM"}
        journal.close()
    journal = Journal(path)
    fill(journal, machine, ["d"])
    assert len(list(journal.aggregates())) == 4
    journal.close()
    damage(path, "UPDATE aggregate SET body = CAST('4' AS BLOB) WHERE key = 'c'")
    assert refusal(path) == "the counter 'c' was altered"
