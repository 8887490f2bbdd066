"""Runs the parts of a benchmark one after another; one that fails says so, and the others still run."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from benchmarks.figures import Figure, SkippedError
from benchmarks.report import Part

__all__ = ["run_part", "title_of"]

Measure = Callable[[], Iterable[Figure]]


def run_part(name: str, measure: Measure | None = None) -> Part:
    """What a part measured. What it prints meanwhile is shown at once, and kept as notes, not judged.

    `measure`: by default that of `benchmarks.NAME`. A part that is a generator keeps what it had before it
    failed. Ctrl-C goes through.
    """
    figures: list[Figure] = []
    failure = skipped = ""
    heard = _Heard(sys.stdout)
    began = time.perf_counter()
    with contextlib.redirect_stdout(heard):
        try:
            for figure in (measure or importlib.import_module(f"benchmarks.{name}").measure)():
                figures.append(figure)
                print(figure.line(), flush=True)
        except SkippedError as reason:
            skipped = str(reason)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others run
            failure = _told(error)
    notes = [line for line in heard.lines() if line not in {figure.line() for figure in figures}]
    return Part(
        name=name,
        title=title_of(name) if measure is None else name,
        figures=figures,
        notes=notes,
        seconds=time.perf_counter() - began,
        failure=failure,
        skipped=skipped,
    )


def title_of(name: str) -> str:
    """The first line of a part's docstring; its name where it cannot be loaded."""
    try:
        doc = importlib.import_module(f"benchmarks.{name}").__doc__ or name
    except Exception:  # noqa: BLE001 - its failure is told where it runs
        return name
    return doc.strip().splitlines()[0].rstrip(".:")


def _told(error: Exception) -> str:
    """What failed, and where in the benchmark."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        one
        for one in frames
        if Path(one.filename).parent == Path(__file__).parent and one.filename != __file__
    ]
    last = (ours or frames)[-1]
    what = str(error).strip() or "it says nothing more"
    return f"{type(error).__name__}: {what[:500]} ({Path(last.filename).name}, line {last.lineno})"


class _Heard(io.TextIOBase):
    """Passes on what is printed, and keeps it."""

    def __init__(self, through: TextIO) -> None:
        self._through = through
        self._kept: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._kept.append(text)
        return self._through.write(text)

    def flush(self) -> None:
        self._through.flush()

    def lines(self) -> list[str]:
        return [line.strip() for line in "".join(self._kept).splitlines() if line.strip()]
