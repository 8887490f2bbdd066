"""The drill of memory: what it makes of what it saw, and that it sees what is there."""

from __future__ import annotations

import os
import threading

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.memory import Sample, figures, look, slope, warm_up


def _run(rss: list[int], descriptors: int = 20, threads: int = 5) -> list[Sample]:
    """A sample every two seconds."""
    return [
        Sample(2.0 * number, size, size, size // 2, descriptors, threads) for number, size in enumerate(rss)
    ]


def _over(samples: list[Sample]) -> list[str]:
    return [figure.name for figure in figures("a node", samples) if not figure.ok]


def test_what_stays_is_flat_also_where_it_goes_up_and_down() -> None:
    """Memory that is taken and given back is not held against a process."""
    assert _over(_run([60_000, 66_000] * 60)) == []


def test_a_leak_of_three_percent_is_told() -> None:
    """Growth from the first quarter to the last by more than 2 % is over the limit, and by less is not."""
    leak = [60_000 + number * 20 for number in range(120)]  # 3 % from quarter to quarter
    assert _over(_run(leak)) == ["resident memory of a node", "memory of its own of a node"]
    assert _over(_run([60_000 + number * 10 for number in range(120)])) == []


def test_descriptors_and_threads_that_pile_up_are_told() -> None:
    """Connections or threads that are never ended are over the limit, though their memory is small."""
    samples = [
        one._replace(descriptors=20 + number, threads=5 + number)
        for number, one in enumerate(_run([60_000] * 120))
    ]
    assert _over(samples) == ["open descriptors of a node", "threads of a node"]


@given(a_minute=st.integers(-500, 500))
def test_the_slope_is_by_the_minute(a_minute: int) -> None:
    """Samples on a line have that line's slope, in KiB a minute."""
    samples = [
        Sample(30.0 * number, 100_000 + number * a_minute // 2, 0, 0, 0, 0) for number in range(0, 40, 2)
    ]
    assert abs(slope(samples) - a_minute) < 1e-6


def test_the_warm_up_is_a_quarter_and_never_more_than_ten_minutes() -> None:
    """The short version keeps most of its time for the judgement, the long one too."""
    assert (warm_up(4), warm_up(60)) == (60.0, 600.0)


def test_a_process_is_seen_as_it_is() -> None:
    """Memory that is used, a descriptor and a thread more show in the next look at this process."""
    before = look(os.getpid(), 0.0)
    kept = b"x" * (32 << 20)
    ends = os.pipe()
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        after = look(os.getpid(), 1.0)
    finally:
        over.set()
        thread.join()
        for end in ends:
            os.close(end)
    assert after.descriptors == before.descriptors + 2
    assert after.threads == before.threads + 1
    assert after.own - before.own > 0.9 * len(kept) / 1024
    assert after.rss >= after.pss
