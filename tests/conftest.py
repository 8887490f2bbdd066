"""The table of step ids at the end of a run in which steps of the scenarios were tested."""

from __future__ import annotations

import pytest

from tests.scenarios.ids import Outcomes

_OUTCOMES = Outcomes()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _OUTCOMES.heard(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = _OUTCOMES.table()
    if lines:
        terminalreporter.section("steps of the scenarios")
        for line in lines:
            terminalreporter.write_line(line)
