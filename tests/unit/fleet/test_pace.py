"""When devices are begun, and what is counted of them."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlic_client.fleet.engine import Pace
from smartlic_client.fleet.figures import Durations, Figures
from smartlic_client.fleet.report import Course, Summary, limit_of, page, text

durations = st.lists(st.floats(1e-5, 100.0), min_size=1, max_size=200)


@given(
    st.floats(0.5, 1000.0),
    st.floats(0.0, 60.0),
    st.floats(0.0, 60.0),
    st.integers(1, 300),
)
def test_devices_are_begun_in_order_and_never_faster_than_the_rate(
    rate: float, ramp: float, splay: float, total: int
) -> None:
    """Between any two beginnings lies at least what the rate asks for; the ramp only makes it slower."""
    pace = Pace(rate=rate, ramp=ramp, splay=splay)
    times = [pace.begin_at(number, total, 0.5) for number in range(total)]
    assert times == sorted(times)
    for number, at in enumerate(times):
        assert number <= rate * at + 1e-6 * (1 + number)


def test_a_splay_spreads_over_all_of_its_time() -> None:
    """Without a rate: one device in each of as many equal parts."""
    times = [Pace(splay=10.0).begin_at(number, 5, 0.25) for number in range(5)]
    assert times == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert Pace().begin_at(4, 5, 0.9) == 0.0


@given(durations, st.floats(1, 100))
def test_a_percentile_is_right_within_four_percent(values: list[float], percent: float) -> None:
    """Against the sorted values themselves, in a fixed amount of memory."""
    counted = Durations()
    for value in values:
        counted.add(value)
    exact = sorted(values)[math.ceil(len(values) * percent / 100) - 1]
    assert counted.percentile(percent) == pytest.approx(exact, rel=0.0401)
    assert counted.longest == max(values)
    assert len(counted.classes) <= 420


@given(durations, durations)
def test_the_sum_of_two_processes_is_one_process(first: list[float], second: list[float]) -> None:
    """Figures that were counted apart say the same as if one had counted all."""
    parts, one = [Figures(), Figures()], Figures()
    for part, values in zip(parts, (first, second), strict=True):
        for value in values:
            for figures in (part, one):
                figures.answered("registration", value)
        part.failed("registration", "connection-refused")
        one.failed("registration", "connection-refused")
        part.moved(None, ("complete", "authorized"))
        one.moved(None, ("complete", "authorized"))
    whole = Figures.sum(parts)
    assert msgspec.json.encode(whole.data()["operations"]["registration"]["p95_ms"]) == msgspec.json.encode(
        one.data()["operations"]["registration"]["p95_ms"]
    )
    assert (whole.total_answered, whole.total_failed) == (one.total_answered, one.total_failed)
    assert whole.states == one.states == {"complete": 2}


def _ran(seconds: int) -> tuple[Figures, Course]:
    figures, course = Figures(), Course()
    for second in range(1, seconds + 1):
        for _ in range(10):
            figures.answered("authorization", 0.02)
        course.add(float(second), figures)
    return figures, course


def test_the_course_of_a_long_run_stays_short() -> None:
    """An hour and a day have at most 600 points, and their rates are those of their spans."""
    _, course = _ran(5000)
    assert 300 <= len(course.points) <= 600
    assert {point.answered for point in course.points} == {10}


@pytest.mark.parametrize(
    ("cpu", "waited", "paced", "who"),
    [
        (9.5, 10.0, True, "The fleet itself"),
        (2.0, 630.0, False, "The server or the way"),
        (2.0, 30.0, True, "The pace"),
        (2.0, 30.0, False, "Neither the fleet nor the server"),
    ],
)
def test_it_says_what_the_limit_was(cpu: float, waited: float, paced: bool, who: str) -> None:
    """A run that its own processor held back does not pass for the server's speed."""
    figures = Figures(cpu=cpu)
    figures.answered("authorization", waited)
    assert limit_of(figures, 10.0, 1, 64, paced=paced).startswith(who)


def test_text_and_page_say_the_same() -> None:
    """Both hold the figures; the page stands by itself, without scripts, and shows names as text."""
    figures, course = _ran(5)
    figures.failed("authorization", "connection-refused")
    summary = Summary(3, 5.0, 1, 64, "https://<b>ssm</b>:4443/", figures, course.points, "limit")
    said = text(summary)
    assert "50 messages answered in 5.0 s, 10.0 a second; 1 failed." in said
    assert "1 connection-refused" in said
    drawn = page(summary)
    assert "<b>ssm" not in drawn
    assert "<script" not in drawn
    assert "50 messages answered" in drawn
    assert drawn.count("<svg") == 3
