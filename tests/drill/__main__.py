"""`make drill [SECONDS=60] [SEED=…] [WORKERS=…]`: seeds for a while, or one again.

Exit code 1: something did not hold. Its seed, the rule, and the shortest list of operations that was found
are printed, with what the nodes said meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

from tests.drill.plan import Operation, Plan, draw
from tests.drill.play import Played, play
from tests.drill.shrink import shrunk

SHRINK_FOR = 120.0
"""Seconds of searching for fewer operations."""


@dataclass
class Sum:
    """Of all that was played."""

    began: float = field(default_factory=time.monotonic)
    cpu: float = 0.0
    seeds: int = 0
    exchanges: int = 0
    failovers: int = 0
    virtual: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)

    def add(self, played: Played) -> None:
        self.seeds += 1
        self.cpu += played.cpu
        self.exchanges += played.exchanges
        self.failovers += played.failovers
        self.virtual += played.seconds
        self.happened += played.happened

    def show(self) -> None:
        passed = time.monotonic() - self.began
        kinds = ", ".join(
            f"{count:,} {kind.replace('_', ' ')}" for kind, count in self.happened.most_common()
        )
        print(
            f"{self.seeds:,} seeds, {self.exchanges:,} exchanges, {self.failovers:,} failovers, "
            f"{self.virtual / 3600:.1f} virtual hours in {passed:.0f} s: {self.seeds / passed:.1f} seeds and "
            f"{self.exchanges / passed:.0f} exchanges a second; {self.exchanges / max(self.cpu, 0.001):.0f} "
            f"exchanges a second of one core"
        )
        print(f"What happened: {kinds}")


def _quiet() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who counts


def _play(seed: int) -> Played:
    return play(draw(seed))


def _played(seeds: Iterator[int], seconds: float, workers: int) -> Iterator[Played]:
    """Seeds one after the other, or by several processes, until the time is over."""
    until = time.monotonic() + seconds
    if workers == 1:
        for seed in seeds:
            if time.monotonic() >= until:
                return
            yield _play(seed)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_quiet) as pool:
        running: set[Future[Played]] = {pool.submit(_play, next(seeds)) for _ in range(workers)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                if time.monotonic() < until:
                    running |= {pool.submit(_play, next(seeds)) for _ in done}
                for one in done:
                    yield one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _report(failed: Played, shorten: bool) -> None:
    print(f'\nSeed {failed.seed}: "{failed.rule}" does not hold.\n{failed.why}\n', flush=True)
    operations: Sequence[Operation] = draw(failed.seed).operations
    if shorten:
        until = time.monotonic() + SHRINK_FOR

        def fails(fewer: Sequence[Operation]) -> bool:
            in_time = time.monotonic() < until
            return in_time and play(Plan(failed.seed, tuple(fewer))).rule == failed.rule

        operations = shrunk(operations, fails)
    told = play(Plan(failed.seed, tuple(operations)), trace=True)
    print(f"{len(operations)} operations of {len(draw(failed.seed).operations)} are enough:")
    print("\n".join(told.trace))
    print(f"{told.rule}: {told.why}\n\nAgain: make drill SEED={failed.seed}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--first", type=int, help="the first of the seeds; by default any")
    parser.add_argument("--seeds", type=int, help="how many, whatever the time")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--keep-all", action="store_true", help="do not search for fewer operations")
    given = parser.parse_args()
    seeds: Iterator[int]
    if given.seed is not None:
        seeds, seconds, workers = iter([given.seed]), float("inf"), 1
    else:
        first = given.first if given.first is not None else secrets.randbelow(10**9)
        print(f"Seeds from {first} up", flush=True)
        seeds, seconds, workers = itertools.count(first), given.seconds, given.workers
        if given.seeds is not None:
            seeds, seconds, workers = iter(range(first, first + given.seeds)), float("inf"), 1
    return drill(seeds, seconds, workers, shorten=not given.keep_all)


def drill(seeds: Iterator[int], seconds: float, workers: int, *, shorten: bool) -> int:
    total = Sum()
    try:
        for played in _played(seeds, seconds, workers):
            total.add(played)
            if played.rule:
                _report(played, shorten)
                total.show()
                return 1
    except KeyboardInterrupt:
        print("\nInterrupted; up to here:")
        total.show()
        return 130
    total.show()
    print("All rules held.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
