"""How long a test waits for its server: from asking for `ssm_server` to a server that answers."""

from __future__ import annotations

import time

from benchmarks.figures import Figure, median
from mock_server.library.cluster import Cluster

_TIMES = 15


def measure() -> list[Figure]:
    within = _starts(processes=False, times=_TIMES)
    apart = _starts(processes=True, times=5)
    return [
        Figure(
            "start of `ssm_server` in a test's process, median",
            median(within),
            150,
            "ms",
            "150 ms",
            1,
            within,
        ),
        Figure("start of `ssm_server` as processes, median", median(apart), 1500, "ms", "1.5 s", 1, apart),
    ]


def _starts(*, processes: bool, times: int) -> list[float]:
    """Milliseconds of each start; the first one also imports, and is printed only."""
    samples = []
    for _ in range(times + 1):
        began = time.perf_counter()
        with Cluster(servers=1, processes=processes) as server:
            samples.append((time.perf_counter() - began) * 1000)
            assert server.status()["active"] == "primary"
    how = "as processes" if processes else "in process"
    print(f"     the first start {how}: {samples[0]:.0f} ms")
    return samples[1:]
