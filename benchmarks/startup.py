"""How quickly the command line starts, against the interpreter that only imports click."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from smartlic_client.device import Device
from smartlic_client.protocol.identity import Udi

_ROUNDS = 15
_PEER = "python -c 'import click'"
_LIMITS = {("--version",): 1.3, ("show", "license", "status"): 1.8}


def measure() -> list[Figure]:
    program = str(Path(sys.executable).with_name("smartlic"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        Device.create(home / "one", Udi(pid="C9300-24T", sn="FOC1"), hostname="one")
        # With compiled modules, as an installation has them, wherever this runs.
        environment = {**os.environ, "SMARTLIC_HOME": str(home), "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return [_figure(program, words, environment) for words in _LIMITS]


def _figure(program: str, words: tuple[str, ...], environment: dict[str, str]) -> Figure:
    ours, theirs = [], []
    for round_ in range(_ROUNDS + 1):
        # In turn, so that a drift of the machine meets both; the first compiles and warms up.
        mine = _seconds([program, *words], environment)
        peer = _seconds([sys.executable, "-c", "import click"], environment)
        if round_:
            ours.append(mine * 1000)
            theirs.append(peer * 1000)
    name = f"smartlic {' '.join(words)}"
    return Figure(name, median(ours), median(theirs), "ms", _PEER, _LIMITS[words], ours)


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - began
