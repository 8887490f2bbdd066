"""The ids of the steps: in docs/reference/scenarios.md, in the names of tests, and how those went."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

__all__ = ["SPECIFICATION", "Outcomes", "id_in", "listed", "specified"]

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "reference" / "scenarios.md"
_ROW = re.compile(r"^\| ([ABC]\d?\.\d+|N_\d+) \|", re.MULTILINE)
_IN_NAME = re.compile(r"^test_(?:([ABC]\d?)_(\d+)|(N_\d+))_[a-z]")

SPECIFICATION = Path(os.environ.get("SMARTLIC_SPECIFICATION", _ROOT.parent / "shared/spec/scenarios.md"))
"""The procedures that the page restates; no part of this repository, and not beside every checkout."""


def listed() -> list[str]:
    """The ids of all steps in the order of the page."""
    return _ROW.findall(_PAGE.read_text(encoding="utf-8"))


def specified() -> list[str]:
    """The ids of all steps in the order of the specification: numbered lines under their headings."""
    found: list[str] = []
    prefix = ""
    for line in SPECIFICATION.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"(?:## )?([ABC]\d?|N)\b[. ]", line):
            prefix = heading[1] + ("_" if heading[1] == "N" else ".")
        elif (number := re.match(r"(\d+)\. ", line)) and prefix:
            found.append(prefix + number[1])
    return found


def id_in(name: str) -> str | None:
    """The id that a test's name begins with: A2.4 of test_A2_4_secondary_is_active."""
    found = _IN_NAME.match(name)
    if found is None:
        return None
    return found[3] or f"{found[1]}.{found[2]}"


class Outcomes:
    """What became of the tests of steps."""

    def __init__(self) -> None:
        self._tests: dict[str, dict[str, str]] = {}
        self._played = False

    def heard(self, report: pytest.TestReport) -> None:
        """A phase of a test is over. One that fails or skips decides; else it is the call."""
        name = report.nodeid.rpartition("::")[2]
        self._played |= "/test_scenario_" in report.nodeid
        step = id_in(name)
        if step is not None and (report.when == "call" or report.outcome != "passed"):
            self._tests.setdefault(step, {})[name] = report.outcome

    def table(self) -> list[str]:
        """A line for each id, with its tests; nothing where no scenario was played."""
        if not self._played:
            return []
        ids = listed()
        width = max(map(len, ids))
        lines = []
        for step in ids:
            tests = self._tests.get(step) or {"no test was run": "missing"}
            lines += [f"{step:<{width}}  {outcome:<7}  {name}" for name, outcome in tests.items()]
        good = sum(set(self._tests.get(step, {"": ""}).values()) == {"passed"} for step in ids)
        return [*lines, f"{good} of {len(ids)} steps are shown by tests that pass"]
