"""When a change waits for company."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mock_server.cluster.pace import Pace


@given(st.lists(st.floats(0.01, 100.0), max_size=200))
def test_changes_that_come_seldom_never_wait(gaps: list[float]) -> None:
    """A client that sends one change after the other, each some time after the last, pays no delay."""
    pace, now = Pace(), 0.0
    for gap in gaps:
        now += gap
        pace.note(now)
        assert pace.delay() == 0.0


@given(st.floats(0.0, 0.002))
def test_changes_that_come_close_together_wait_a_few_milliseconds(gap: float) -> None:
    """In a dense stream each waits for the next ones, and never longer than a few milliseconds."""
    pace, now = Pace(), 0.0
    for _ in range(60):
        now += gap
        pace.note(now)
    assert 0.0 < pace.delay() <= 0.01


def test_a_stream_that_ends_is_forgotten() -> None:
    """After a dense stream, changes that come seldom soon wait no more."""
    pace = Pace()
    for number in range(60):
        pace.note(number * 0.001)
    for number in range(1, 4):
        pace.note(10.0 * number)
    assert pace.delay() == 0.0
