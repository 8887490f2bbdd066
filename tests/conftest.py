"""The plugin that is part of the project, who runs beside whom, and at a run's end step ids and leaks."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from tests.leaks import Leaks
from tests.scenarios.ids import Outcomes

if not any(entry.name == "smartlic" for entry in entry_points(group="pytest11")):
    pytest_plugins = ["mock_server.pytest_plugin"]  # an installation from before there was the plugin

_OUTCOMES = Outcomes()
_SHARED_ADDRESSES = ("tests/documents/", "tests/scenarios/")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Leaks(config), "leaks")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers: what a file's tests share is made once, and who types the addresses of the
    documents takes turns."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            path = item.nodeid.partition("::")[0]
            group = "addresses" if path.startswith(_SHARED_ADDRESSES) else path
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _OUTCOMES.heard(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = _OUTCOMES.table()
    if lines:
        terminalreporter.section("steps of the scenarios")
        for line in lines:
            terminalreporter.write_line(line)
