"""How far the check has come, on a terminal: rich's bar where it is installed, else a counter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress"]


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Gives what is called after each target. Nothing is shown for one target, or where nobody looks."""
    if total < 2 or sys.stderr is None or not sys.stderr.isatty():
        yield lambda: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    except ImportError:
        yield from _plain(total)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress("Checking", *columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("check", total=total)
        yield lambda: bar.advance(task)


def _plain(total: int) -> Iterator[Callable[[], None]]:
    number = 0

    def done() -> None:
        nonlocal number
        number += 1
        sys.stderr.write(f"\rChecking {number}/{total}")
        sys.stderr.flush()

    yield done
    sys.stderr.write("\r" + " " * 40 + "\r")
