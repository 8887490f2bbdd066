"""libFuzzer, through atheris, in processes of its own: one run of a target, and what came of it.

atheris is a judge's tool and no dependency: it has a virtual environment of its own, and what is fuzzed is
the code of this one.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import target
from tests.judges.environments import made

__all__ = ["CORPUS", "FINDINGS", "WORK", "Outcome", "library", "merge", "run", "write_inputs"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CORPUS = HERE / "corpus"
"""Inputs that are worth keeping, a folder a target."""
FINDINGS = HERE / "findings"
"""Inputs that have failed once."""
WORK = ROOT / ".fuzz"
"""What was learned and found on this machine."""

HANG = 20
"""Seconds for one input."""
MEMORY = 1500
"""MiB of a process."""

_STATISTIC = re.compile(r"stat::(\w+): +(\d+)")
_EDGES = re.compile(r"cov: (\d+) ")
_NUMBER = re.compile(r"^#(\d+)\t", re.MULTILINE)


@dataclass
class Outcome:
    """`findings`: target, the input's file, and what it did."""

    name: str
    executions: int = 0
    seconds: float = 0.0
    edges: int = 0
    added: int = 0
    findings: list[tuple[str, Path, str]] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.executions += other.executions
        self.seconds += other.seconds
        self.added += other.added
        self.findings += other.findings


def library() -> Path:
    """Where atheris is. Raises OSError or SubprocessError where it cannot be installed."""
    folder = made("fuzz", ["atheris>=3,<4"])
    found = list(folder.glob("lib/python*/site-packages"))
    if not found:
        raise FileNotFoundError(f"no packages in {folder}")
    return found[0]


def run(name: str, seconds: float, work: Path) -> Outcome:
    """Fuzz a target for so long; a hang or too much memory ends the process, and a new one goes on."""
    folder = work / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    if not _kept(name):
        write_inputs(folder / "corpus", target(name).seeds())
    outcome, known, began = Outcome(name), _findings(folder), time.monotonic()
    while (left := seconds - (time.monotonic() - began)) >= 1 or not outcome.executions:
        said = _child(
            name, folder, [str(folder / "corpus"), *_kept(name), f"-max_total_time={max(1, int(left))}"]
        )
        counted = dict(_STATISTIC.findall(said))
        reached = [int(number) for number in _NUMBER.findall(said)]
        executed = int(counted.get("number_of_executed_units", max(reached, default=0)))
        outcome.executions += executed
        outcome.added += int(counted.get("new_units_added", 0))
        outcome.edges = max([outcome.edges, *map(int, _EDGES.findall(said))])
        if "number_of_executed_units" not in counted and _findings(folder) == known:
            log = folder / "failed.log"
            log.write_text(said)
            outcome.findings.append((name, log, "the fuzzer itself failed, and this is what it said"))
            return outcome
        if not executed:
            break
    outcome.seconds = time.monotonic() - began
    outcome.findings += [(name, path, _what(path)) for path in sorted(_findings(folder) - known)]
    return outcome


def merge(name: str, work: Path) -> int:
    """Put the smallest set of inputs that reaches all that is reached into the repository's corpus."""
    kept, folder = CORPUS / name, work / name
    with tempfile.TemporaryDirectory() as new:
        sources = [str(one) for one in (kept, folder / "corpus") if one.is_dir()]
        said = _child(name, folder, ["-merge=1", new, *sources])
        found = [path.read_bytes() for path in Path(new).iterdir()]
        if not found:
            raise RuntimeError(f"nothing of {name} can be merged:\n{said[-3000:]}")
    for old in kept.glob("*"):
        old.unlink()
    return write_inputs(kept, found)


def write_inputs(folder: Path, inputs: Iterable[bytes]) -> int:
    """Each under its digest; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(list(folder.iterdir()))


def _kept(name: str) -> list[str]:
    return [str(folder / name) for folder in (CORPUS, FINDINGS) if (folder / name).is_dir()]


def _child(name: str, folder: Path, arguments: list[str]) -> str:
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    limits = [f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz.child", name, str(folder)]
    done = subprocess.run(
        [*command, *arguments, *limits, f"-artifact_prefix={folder / 'findings'}/"],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{library()}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.stdout.decode("utf-8", "replace")


def _findings(folder: Path) -> set[Path]:
    return {
        path for path in (folder / "findings").glob("*") if not path.suffix and "slow-unit" not in path.name
    }


def _what(path: Path) -> str:
    told = path.with_suffix(".txt")
    if not told.exists():
        return "it hangs, or takes too much memory"
    return told.read_text().strip().rpartition("\n")[2][:200]
