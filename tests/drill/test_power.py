"""A loss of power in the middle of what a journal does: afterwards it opens, and ends where it may."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mock_server.journal import Head, Journal, Row
from mock_server.journal.rows import next_row
from mock_server.simulation.disk import Crash, image, restore, run_and_wind_back
from tests.cluster.toy import ToyMachine, change


def _append(journal: Journal, machine: ToyMachine, count: int) -> None:
    rows: list[Row] = []
    touched: dict[tuple[str, str], None] = {}
    head = journal.head
    for number in range(count):
        payload = change(f"w{head.idx + number}")
        touched.update(dict.fromkeys(machine.apply(payload)))
        row = next_row(head if not rows else Head(rows[-1].idx, rows[-1].checksum), 1, payload, {})
        rows.append(row)
    journal.append(rows, [(kind, key, machine.row(kind, key)) for kind, key in touched])


@pytest.mark.parametrize("crash", Crash)
@pytest.mark.parametrize("what", ["append", "cut"])
def test_a_journal_opens_after_any_end_of_its_process(tmp_path: Path, crash: Crash, what: str) -> None:
    """Thirty moments in the middle of a group of changes, and of a cut: the old end, or the new one."""
    path = tmp_path / "journal.sqlite"
    machine = ToyMachine()
    journal = Journal(path)
    _append(journal, machine, 6)
    journal.close()
    before = image([tmp_path])
    ends: set[int] = set()
    for seed in range(30):
        restore([tmp_path], before)
        journal = Journal(path)
        machine = ToyMachine()
        machine.load(journal.aggregates())
        works: dict[str, Callable[[], object]] = {
            "append": lambda: _append(journal, machine, 3),  # noqa: B023 - it is run in this turn
            "cut": lambda: journal.cut_after(2, machine),  # noqa: B023
        }
        run_and_wind_back(works[what], [tmp_path], crash, random.Random(seed), journal.close)
        opened = Journal(path)
        ends.add(opened.head.idx)
        written = [key for kind, key, _ in opened.aggregates() if kind == "write"]
        assert len(written) == opened.head.idx
        opened.close()
    assert ends <= ({6, 9} if what == "append" else {6, 2})
    assert 6 in ends
