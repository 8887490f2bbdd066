"""Public tables judge the match: every case agrees with them or is listed as a difference with its reason."""

from __future__ import annotations

import pytest

from tests.conformance.differences import DIFFERENCES
from tests.conformance.tables import TABLES, read_table


@pytest.mark.parametrize("table", TABLES)
def test_what_differs_from_a_table_is_listed_and_what_is_listed_differs(
    table: str, judged: list[str]
) -> None:
    """The whole table is run, and the cases that differ are exactly those of `differences.py`."""
    cases = read_table(table)
    assert len(cases) == TABLES[table][1], "the table is not the one that was agreed on"
    differing = [case.key for case in cases if case.differs]
    listed = [key for difference in DIFFERENCES for key in difference.cases.get(table, ())]
    judged.append(f"{table} ({len(cases)} cases, {sum(case.either for case in cases)} open)")
    assert sorted(differing) == sorted(listed)


@pytest.mark.parametrize("table", TABLES)
def test_we_accept_more_than_a_table_only_for_the_trailing_dot(table: str) -> None:
    """All other differences refuse: none opens a connection that the table's owner would not open."""
    accepted = [case.key for case in read_table(table) if case.differs and case.ours]
    assert accepted == ([("a", "a."), ("b", "b.")] if table == "OpenSSL" else [])


def test_no_case_is_listed_under_two_reasons_or_for_an_unknown_table() -> None:
    """The list is sound by itself, also where the tables are absent."""
    listed = [
        (table, key) for difference in DIFFERENCES for table, keys in difference.cases.items() for key in keys
    ]
    assert len(listed) == len(set(listed))
    assert {table for table, _ in listed} <= set(TABLES)
