"""`python -m tests.fuzz`: fuzz all targets for some minutes, or replay an input that was found.

Each target is a process of its own, two at a time. What they learn stays in `.fuzz`, for the next time; what
is worth keeping goes into `tests/fuzz/corpus` with --merge.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import engine
from tests.fuzz.engine import CORPUS, Outcome
from tests.fuzz.target import guarded, kind_of
from tests.fuzz.targets import MODULES, NAMES, target

_COLUMNS = f"{'target':<18}{'executions':>12}{'a second':>10}{'edges':>8}{'new inputs':>12}{'findings':>10}"


def main(arguments: list[str] | None = None) -> int:
    asked = _parsed(arguments)
    unknown = [name for name in asked.target if name not in MODULES]
    if unknown:
        print(f"There is no target {unknown[0]}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 64
    if asked.replay is not None:
        return replay(asked.replay, asked.target)
    if asked.seeds:
        return write_seeds()
    try:
        engine.library()
    except (OSError, subprocess.SubprocessError) as error:
        print("Fuzzing needs atheris, which there is for Linux only, and it cannot be installed here:")
        print(f"  {str(error)[:300]}")
        print("The inputs that it has found are read by `make test` without it.")
        return 69
    names = asked.target or list(NAMES)
    if asked.merge:
        for name in names:
            print(f"{name}: {engine.merge(name, asked.folder)} inputs in {CORPUS / name}")
        return 0
    return fuzz(names, asked.minutes, asked.jobs, asked.folder)


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--target", action="append", default=[], help="this one only; may come again")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes at a time")
    parser.add_argument("--folder", type=Path, default=engine.WORK, help="what is learned and found")
    parser.add_argument("--replay", type=Path, help="read one input that was found, and show what happens")
    parser.add_argument("--merge", action="store_true", help="keep what was learned in tests/fuzz/corpus")
    parser.add_argument("--seeds", action="store_true", help="write the real messages to begin with anew")
    return parser.parse_args(arguments)


def fuzz(names: list[str], minutes: float, jobs: int, work: Path) -> int:
    seconds = max(1.0, minutes * 60 * jobs / len(names))
    print(f"{len(names)} targets, {seconds:.0f} s each, {jobs} at a time.")
    print(_COLUMNS, flush=True)
    total = Outcome("all")
    with ThreadPoolExecutor(jobs) as pool:
        for outcome in pool.map(lambda name: engine.run(name, seconds, work), names):
            print(_row(outcome), flush=True)
            total.add(outcome)
    print(_row(total))
    for name, path, what in total.findings:
        print(f"\n{name}: {what}\n  make fuzz TARGET={name} REPLAY={path}")
    return 1 if total.findings else 0


def _row(found: Outcome) -> str:
    rate = found.executions / found.seconds if found.seconds else 0.0
    return (
        f"{found.name:<18}{found.executions:>12,}{rate:>10,.0f}{found.edges or '':>8}{found.added:>12}"
        f"{len(found.findings):>10}"
    )


def replay(path: Path, names: list[str]) -> int:
    """0 where the input is read as it should be; the traceback otherwise."""
    if len(names) != 1:
        names = [part for part in path.absolute().parts if part in MODULES][-1:]
    if not names:
        print("Say which target it is of: make fuzz TARGET=… REPLAY=…", file=sys.stderr)
        return 64
    try:
        data = path.read_bytes()
    except OSError as error:
        print(f"{path} cannot be read: {error.strerror}.", file=sys.stderr)
        return 66
    met = guarded(target(names[0]).prepare(), data)
    if met is None:
        print(f"{names[0]} reads it, or refuses it with a code.")
        return 0
    sys.excepthook(type(met), met, met.__traceback__)
    print(f"A finding: {kind_of(met)}")
    return 1


def write_seeds() -> int:
    for name in NAMES:
        engine.write_inputs(CORPUS / name, target(name).seeds())
    return 0


if __name__ == "__main__":
    sys.exit(main())
