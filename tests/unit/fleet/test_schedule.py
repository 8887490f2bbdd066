"""Counts over time: what stands in an inventory, and what follows from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlic_client.fleet.schedule import Schedule

_DAY = 86400


@pytest.mark.parametrize(
    ("text", "at", "count"),
    [
        ("3", 0, 3),
        ("2 08:00=24 18:00=2", 8 * 3600 - 1, 2),
        ("2 08:00=24 18:00=2", 8 * 3600, 24),
        ("2 08:00=24 18:00=5", _DAY - 1, 5),
        ("2 08:00=24 18:00=5", _DAY, 2),
        ("1 +30s=5 +2m=0", 29, 1),
        ("1 +30s=5 +2m=0", 30, 5),
        ("1 +2m=0 +30s=5", 7 * _DAY, 0),
    ],
)
def test_the_count_at_a_time(text: str, at: float, count: int) -> None:
    """A count holds until the next time that is named; times of day come again each day."""
    start = 20_000.0 * _DAY
    assert Schedule.parse(text).count(start + at, start) == count


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a count comes first"),
        ("-1", "a count comes first"),
        ("³", "a count comes first"),
        ("3 25:00=1", "'25:00=1' is neither"),
        ("3 +30=1", "is neither"),
        ("3 08:00=1 +30s=2", "do not go together"),
        ("3 08:00=1 8:00=2", "for the second time"),
        ("9999999999", "at most 2147483647"),
    ],
)
def test_what_is_no_schedule(text: str, why: str) -> None:
    """A text that is none says what is wrong with it."""
    with pytest.raises(ValueError, match=why):
        Schedule.parse(text)


@given(
    st.integers(0, 99),
    st.dictionaries(st.integers(0, 1439), st.integers(0, 99), min_size=1, max_size=5),
    st.booleans(),
    st.floats(0, 3 * _DAY),
)
def test_between_two_changes_the_count_stays(
    first: int, steps: dict[int, int], daily: bool, after: float
) -> None:
    """A device that looks only when `next_change` says so always uses the count of the schedule."""
    words = [
        f"{at // 60:02}:{at % 60:02}={count}" if daily else f"+{at}m={count}" for at, count in steps.items()
    ]
    schedule = Schedule.parse(" ".join([str(first), *words]))
    start = 20_000.0 * _DAY + 12_345
    now, count = start, schedule.count(start, start)
    while (change := schedule.next_change(now, start)) is not None and change <= start + after:
        assert change > now
        now, count = change, schedule.count(change, start)
    assert schedule.count(start + after, start) == count
