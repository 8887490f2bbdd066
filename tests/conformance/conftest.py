"""Tells at the end of a run where we differ from the public tables on purpose."""

from __future__ import annotations

import pytest

from tests.conformance.differences import DIFFERENCES

JUDGED = pytest.StashKey[list[str]]()


@pytest.fixture
def judged(request: pytest.FixtureRequest) -> list[str]:
    """The tables that have judged in this run; a test adds its own."""
    return request.config.stash.setdefault(JUDGED, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    judged = config.stash.get(JUDGED, [])
    if not judged:
        return
    total = sum(difference.count for difference in DIFFERENCES)
    terminalreporter.section("name checks: deliberate differences from public tables")
    terminalreporter.write_line(f"Judged by {'; '.join(judged)}. {total} cases differ on purpose:")
    for difference in DIFFERENCES:
        terminalreporter.write_line(
            f"{difference.count:4d}  {difference.rule} {difference.why} ({difference.counts})"
        )
