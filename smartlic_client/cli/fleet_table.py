"""The table that `smartlic fleet` draws at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from smartlic_client.fleet.figures import Figures
from smartlic_client.fleet.report import Course

__all__ = ["table"]


@contextmanager
def table(devices: int) -> Iterator[Callable[[float, Figures, Course], None]]:
    """A function that draws the figures; when the block is left the last table stays."""
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def show(at: float, figures: Figures, course: Course) -> None:
            live.update(_drawn(devices, at, figures, course))

        yield show


def _drawn(devices: int, at: float, figures: Figures, course: Course) -> Group:
    recent = course.points[-1].answered if course.points else 0
    head = Text(
        f"{at:6.0f} s   {figures.settled} of {devices} registered   {recent} messages a second   "
        f"{figures.busy} under way"
    )
    drawn = Table(box=None, pad_edge=False)
    for title in ("operation", "answered", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms"):
        drawn.add_column(title, justify="left" if title == "operation" else "right")
    for name, one in figures.data()["operations"].items():
        times = (f"{one[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        drawn.add_row(name, str(one["answered"]), str(one["failed"]), *times)
    states = ", ".join(f"{count} {name}" for name, count in figures.authorizations.items() if count)
    return Group(head, ProgressBar(devices, figures.settled), drawn, Text(states))
