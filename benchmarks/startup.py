"""How quickly the command line starts, against the interpreter that only imports click."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure, median

_ROUNDS = 15


def measure() -> list[Figure]:
    program = Path(sys.executable).with_name("smartlic")
    ours, theirs = [], []
    for round_ in range(
        _ROUNDS + 1
    ):  # in turn, so that a drift of the machine meets both; the first warms up
        pair = (_seconds([str(program), "--version"]), _seconds([sys.executable, "-c", "import click"]))
        if round_:
            ours.append(pair[0] * 1000)
            theirs.append(pair[1] * 1000)
    return [
        Figure(
            "smartlic --version", median(ours), median(theirs), "ms", "python -c 'import click'", 1.3, ours
        )
    ]


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
