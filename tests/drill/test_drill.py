"""The drill: seeds that hold, bugs on purpose that are found, a report that shows how to see one again."""

from __future__ import annotations

import itertools
import random
import secrets
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.journal import Journal
from mock_server.simulation.disk import Crash, image, run_and_wind_back
from tests.drill import __main__ as runner
from tests.drill.plan import Plan, draw
from tests.drill.plants import PLANTS, Plant, applies_an_event_twice
from tests.drill.play import Played, play
from tests.drill.shrink import shrunk

FIXED, NEW = range(12), 3
SLOW = {
    "acknowledges_what_is_not_on_its_disk",
    "does_not_see_that_it_is_deposed",
    "keeps_what_only_it_has",
    "writes_a_change_in_two_transactions",
}
"""They need more seeds, or more seconds: the drill has them, and `make test` the ten others."""
ENOUGH = 2_000


def _hold(played: Played) -> None:
    assert not played.rule, f"make drill SEED={played.seed}: {played.rule}: {played.why}"


def test_all_rules_hold_for_a_fixed_set_of_seeds() -> None:
    """Twelve seeds with faults of every kind: nothing lost, nothing doubled, two equal copies."""
    happened: Counter[str] = Counter()
    exchanges = failovers = 0
    for seed in FIXED:
        played = play(draw(seed))
        _hold(played)
        happened += played.happened
        exchanges += played.exchanges
        failovers += played.failovers
    assert exchanges > 100 * len(FIXED)
    assert failovers > len(FIXED)
    wanted = {"kill_in_write", "kill_after", "kill_both", "part", "crash_device", "requests doubled"}
    assert wanted <= happened.keys()


def test_all_rules_hold_for_new_seeds() -> None:
    """Three seeds that nobody has chosen; a failure names its seed."""
    for _ in range(NEW):
        _hold(play(draw(secrets.randbelow(10**9))))


def test_the_same_seed_gives_the_same_run() -> None:
    """All that nodes say and when, and how many messages were answered and lost, are equal."""
    first, again = play(draw(7), trace=True), play(draw(7), trace=True)
    assert first.trace == again.trace
    assert (first.exchanges, first.happened) == (again.exchanges, again.happened)
    assert play(draw(8), trace=True).trace != first.trace


def _found(plant: Plant, seeds: int) -> Played:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        for seed in range(seeds):
            if (played := play(draw(seed))).rule:
                return played
    raise AssertionError(f"not found by {seeds} seeds: {plant.__doc__}")


@pytest.mark.parametrize("plant", [plant for plant in PLANTS if plant.__name__ not in SLOW])
def test_a_bug_on_purpose_is_found(plant: Plant) -> None:
    """A few seeds are enough to find a bug that somebody might well write."""
    assert _found(plant, 50).why


@pytest.mark.drill
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("plant", PLANTS)
def test_each_bug_on_purpose_is_found_within_2000_seeds(plant: Plant) -> None:
    """Also those that need several faults within milliseconds of each other."""
    assert _found(plant, ENOUGH).why


def test_a_failure_is_shortened_and_shown_with_the_way_to_see_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1; the seed, the rule, what is enough for it, and the command."""
    applies_an_event_twice(monkeypatch)
    few = draw(0).operations[:6]
    monkeypatch.setattr(runner, "draw", lambda seed: Plan(seed, few))
    assert runner.drill(iter(range(5)), float("inf"), 1, shorten=True) == 1
    said = capsys.readouterr().out
    assert 'Seed 0: "' in said
    assert "does not hold" in said
    assert "make drill SEED=0" in said
    enough = said.partition(" operations of 6 are enough")[0].rpartition("\n")[2]
    assert int(enough) < len(few)


def test_a_drill_that_ends_well_says_what_it_has_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and the sums."""
    assert runner.drill(iter([1]), float("inf"), 1, shorten=True) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 seeds, ")
    assert said.endswith("All rules held.\n")


def test_an_interrupted_drill_shows_the_sums_so_far(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C ends it with what was played."""
    seeds = itertools.chain([1], _interrupted())
    assert runner.drill(seeds, float("inf"), 1, shorten=True) == 130
    assert "Interrupted; up to here:\n1 seeds, " in capsys.readouterr().out


def _interrupted() -> Sequence[int]:
    class Interrupts(Sequence[int]):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, _index: object) -> int:  # type: ignore[override]
            raise KeyboardInterrupt

    return Interrupts()


@given(st.lists(st.integers(0, 20), max_size=40), st.sets(st.integers(0, 20), min_size=1, max_size=3))
def test_what_is_shortened_fails_still_and_nothing_of_it_can_be_left_out(
    whole: list[int], needed: set[int]
) -> None:
    """For failures that need each of some operations."""

    def fails(part: Sequence[int]) -> bool:
        return needed <= set(part)

    if fails(whole):
        assert sorted(shrunk(whole, fails)) == sorted(needed)


@pytest.mark.parametrize("crash", Crash)
def test_a_job_that_ends_in_the_middle_leaves_a_part_of_what_it_wrote(tmp_path: Path, crash: Crash) -> None:
    """Each time another moment: nothing of it, a part, or all but the last; what was there before stays."""
    (tmp_path / "old").write_bytes(b"stays")
    before, left = image([tmp_path]), set()
    for seed in range(40):
        ended: list[bool] = []

        def write() -> None:
            for name in ("one", "two"):
                (tmp_path / name).write_bytes(b"x" * 10)

        run_and_wind_back(write, [tmp_path], crash, random.Random(seed), partial(ended.append, True))
        assert ended == [True]
        now = image([tmp_path])
        assert now[tmp_path / "old"] == b"stays"
        left.add(tuple(len(now.get(tmp_path / name, b"")) for name in ("one", "two")))
        for name in ("one", "two"):
            (tmp_path / name).unlink(missing_ok=True)
    assert image([tmp_path]) == before
    torn = {sizes for sizes in left if set(sizes) - {0, 10}}
    assert bool(torn) == (crash is not Crash.KILL)
    assert {(0, 0)} <= left


def test_a_job_that_writes_nothing_is_no_moment_to_die(tmp_path: Path) -> None:
    """What only reads goes on, and gives what it has read."""
    ended: list[bool] = []
    read = run_and_wind_back(lambda: 7, [tmp_path], Crash.TORN, random.Random(1), lambda: ended.append(True))
    assert (read, ended) == (7, [])
    assert not list(tmp_path.glob("*"))
    journal = Journal(tmp_path / "journal.sqlite")
    assert (
        run_and_wind_back(lambda: journal.read(1), [tmp_path], Crash.KILL, random.Random(1), ended.clear)
        == []
    )
    journal.close()
