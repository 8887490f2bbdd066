"""The simulation itself: a run is repeated by its seed, and it finds bugs that are planted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from mock_server.cluster import decide
from mock_server.cluster.ledger import ClusterLedger
from mock_server.cluster.roles import Event
from mock_server.cluster.witness import Record
from mock_server.simulation.loop import Scheduler, StalledError
from tests.simulation.simulated import SimulatedStand
from tests.simulation.test_sequences import SimulatedKills


class _Trace(logging.Handler):
    """What nodes log, with the virtual time."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.now: Callable[[], float] = lambda: 0.0

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.now():.6f} {record.getMessage()}")


def _trace(folder: Path, seed: int) -> list[str]:
    handler = _Trace()
    logger = logging.getLogger("mock_server.cluster")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        stand = SimulatedStand(folder, seed)
        handler.now = lambda: stand.cluster.scheduler.now
        stand.send_out(3)
        stand.sleep(0.2)
        stand.kill("active")
        stand.sleep(1.0)
        stand.start("standby")
        stand.send_out(3)
        stand.hang("active")
        stand.sleep(3.0)
        stand.finish()
        handler.lines.append(f"{stand.cluster.scheduler.now} {stand.cluster.scheduler.random.random()}")
        stand.close()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    return handler.lines


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    """All that nodes say, when they say it, and the chance that is left are equal; another seed's differ."""
    first, again, other = (_trace(tmp_path / f"{n}", seed) for n, seed in enumerate([7, 7, 8]))
    assert len(first) > 40
    assert first == again
    assert first != other


def test_virtual_time_passes_only_while_all_wait() -> None:
    """An hour of sleep takes no time, timers run in their order, and a paused loop runs late."""
    scheduler = Scheduler(1)
    one, two = scheduler.loop("one"), scheduler.loop("two")
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, scheduler.now - 1000))

    for loop, name, seconds in ((one, "late", 3600), (two, "soon", 1), (one, "first", 0.5)):
        loop.create_task(sleeper(name, seconds))
    scheduler.run(lambda: False, 0.1)
    two.pause()
    scheduler.run(lambda: len(seen) == 2, 7200)
    two.resume()
    scheduler.run(lambda: len(seen) == 3, 1)
    assert seen == [("first", 0.5), ("late", 3600.0), ("soon", 3600.0)]
    scheduler.close()


def test_a_loop_that_spins_is_found() -> None:
    """Something that runs without end while no time passes ends the run instead of hanging it."""
    scheduler = Scheduler(1)

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    scheduler.loop("one").create_task(spin())
    with pytest.raises(StalledError, match="one"):
        scheduler.run(lambda: False, 1)
    scheduler.close()


def _acknowledged_too_early(patch: pytest.MonkeyPatch) -> None:
    """Answers do not wait for the Standby's disk."""
    patch.setattr(ClusterLedger, "safe", property(lambda ledger: ledger.local))


def _still_listed(patch: pytest.MonkeyPatch) -> None:
    """A Standby that is lost stays on the list."""

    def delisting(record: Record, _me: str, _index: int) -> Record:
        return record

    patch.setattr(decide, "delisting", delisting)


def _lists_both(patch: pytest.MonkeyPatch) -> None:
    """Whoever takes over lists the other at once."""
    leading = decide.leading

    def both(*args: Any, **kwargs: Any) -> Record:
        return msgspec.structs.replace(leading(*args, **kwargs), in_sync=("primary", "secondary"))

    patch.setattr(decide, "leading", both)


@pytest.mark.parametrize("plant", [_acknowledged_too_early, _still_listed, _lists_both])
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rule broken, the same sequences fail: an acknowledged change is gone."""
    plant(monkeypatch)
    first_failure = settings(
        max_examples=400,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(Exception, match=r"acknowledged registrations|was told|no longer knows|not know"):
        run_state_machine_as_test(SimulatedKills, settings=first_failure)


def test_a_standby_that_is_ended_as_it_is_handed_over_to_ends(tmp_path: Path) -> None:
    """Rule 8: a stop that comes between an event and its taking is not lost: it serves, and stops."""
    stand = SimulatedStand(tmp_path, 1)
    active, standby = (stand.cluster.processes[name] for name in ("primary", "secondary"))
    take = standby.node.post
    stopping = []

    def post(event: Event) -> None:
        if event is Event.HANDED_OVER:
            stopping.append(standby.world.loop.create_task(standby.node.stop()))
        take(event)

    standby.node.post = post  # type: ignore[method-assign]
    active.world.loop.call_soon(lambda: stopping.append(active.world.loop.create_task(active.node.stop())))
    stand.cluster.run(lambda: len(stopping) == 2 and all(task.done() for task in stopping), 5.0)
    assert stand.cluster.states() == {"primary": "stopped", "secondary": "stopped"}
    stand.close()
