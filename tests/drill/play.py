"""Play a plan from its beginning to its end, and say what came of it."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.drill.plan import Plan
from tests.drill.stand import DrillStand
from tests.simulation.simulated import Violation

__all__ = ["Played", "play"]

_LINES = 60
_BEGINS = 1000.0  # the scheduler's first second


@dataclass
class Played:
    """`rule`: what did not hold, or ""; `why` and `trace` say more. `happened` counts faults by kind.

    `seconds`: of virtual time; `cpu`: of real."""

    seed: int
    rule: str = ""
    why: str = ""
    trace: list[str] = field(default_factory=list)
    exchanges: int = 0
    failovers: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)


class _Trace(logging.Handler):
    """What the nodes log, with the virtual time."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self.now: Callable[[], float] = lambda: 0.0

    def emit(self, record: logging.LogRecord) -> None:
        self.add(f"{record.name.rpartition('.')[2]}: {record.getMessage()}")

    def add(self, text: str) -> None:
        self.lines.append(f"{self.now():9.4f}  {text}")


def play(plan: Plan, *, trace: bool = False) -> Played:
    """`trace`: keep what the nodes said before it failed."""
    played, began = Played(plan.seed), time.process_time()
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="smartlic-drill-", dir=base))
    logger = logging.getLogger("mock_server")
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO if trace else logging.ERROR)
    logger.propagate = False
    told = _Trace()
    if trace:
        logger.addHandler(told)
    try:
        with _noted(played):
            _play(plan, folder, played, told)
    finally:
        logger.removeHandler(told)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        played.trace = told.lines[-_LINES:]
        played.cpu = time.process_time() - began
        shutil.rmtree(folder, ignore_errors=True)
    return played


def _play(plan: Plan, folder: Path, played: Played, told: _Trace) -> None:
    with contextlib.closing(DrillStand(folder, plan.seed)) as stand:
        scheduler = stand.cluster.scheduler
        told.now = lambda: scheduler.now - _BEGINS
        try:
            with _noted(played):
                for operation in plan.operations:
                    told.add(f"-- {operation}")
                    played.happened[operation.name] += 1
                    getattr(stand, operation.name)(*operation.given)
                    stand.sleep(0.02)
                    stand.check()
                told.add("-- healed")
                stand.finish()
        finally:
            played.happened += stand.cluster.computer.weather.seen
            played.exchanges = stand.exchanges
            played.failovers = max(stand.epochs - 1, 0)
            played.seconds = scheduler.now - _BEGINS


@contextlib.contextmanager
def _noted(played: Played) -> Iterator[None]:
    """What is raised is what was found."""
    try:
        yield
    except Violation as error:
        played.rule, played.why = error.rule, str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed shows it again
        played.rule, played.why = type(error).__name__, str(error)
