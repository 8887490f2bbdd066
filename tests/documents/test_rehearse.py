"""docs/how-to/rehearse-a-maintenance-window.md: its commands, in their order, print what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import html5lib
import pytest

from mock_server.cluster import config
from tests.documents.test_pages import DOCS, Terminal, _same, _steps
from tests.support import new_addresses

PAGE = DOCS / "how-to/rehearse-a-maintenance-window.md"
DEMO, UP, *BY_HAND = _steps(PAGE)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    """Two terminals in which the page's addresses stand for addresses of this test's own."""
    own = new_addresses()
    addresses = {"127.0.0.5": own.primary, "127.0.0.10": own.secondary, "127.0.0.12": own.vip}
    folder = tmp_path / ".local/share/smartlic-mock/cluster"
    config.create(folder, config.configure(own.primary, own.secondary, own.vip))
    pair = [Terminal(tmp_path, addresses), Terminal(tmp_path, addresses)]
    yield pair
    for terminal in reversed(pair):
        terminal.kill()


@pytest.mark.real
def test_the_demo_of_the_page_prints_what_it_shows(tmp_path: Path, terminals: list[Terminal]) -> None:
    """Scenario A holds, with the lines that the page has, and leaves the report that it names."""
    (command,), shown = DEMO
    given = "--primary 127.0.0.5 --secondary 127.0.0.10 --vip 127.0.0.12"
    code, said = terminals[1].run(f"{command} {given}")
    assert code == 0, said
    _same(command, said, shown)
    html5lib.HTMLParser(strict=True).parse((tmp_path / "report.html").read_text(encoding="utf-8"))


@pytest.mark.real
def test_the_window_can_be_typed_as_it_is_written(terminals: list[Terminal]) -> None:
    """Failover, work, return, fallback and teardown by hand; only the teardown answered with no fails."""
    first, second = terminals
    (up,), shown = UP
    _, said = first.run(up, last="Ctrl-C")
    _same(up, said, shown)
    for commands, shown in BY_HAND:
        printed = ""
        for command in commands:
            code, said = second.run(command)
            assert (code != 0) == command.startswith("echo no"), (command, said)
            printed += said
        _same(str(commands), printed, shown)
    second.wait()
    assert first.wait() == 0


def test_the_page_names_every_scenario() -> None:
    """The table of scenarios is that of the program."""
    from mock_server.demo.scenarios import SCENARIOS

    table = PAGE.read_text(encoding="utf-8").partition("| scenario |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (\w+) \|", table, re.MULTILINE) == [*SCENARIOS, "all"]
