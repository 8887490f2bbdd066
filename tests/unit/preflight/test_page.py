"""docs/how-to/check-before-a-migration.md: every command prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smartlic_client.preflight.catalogue import catalogue
from tests.documents.test_pages import Terminal, _plain, _steps
from tests.support import cluster

PAGE = Path(__file__).parents[3] / "docs/how-to/check-before-a-migration.md"


@pytest.mark.real
def test_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    """The commands of the page, in its order, on a new cluster; dates and fingerprints differ."""
    with cluster(tmp_path, synchronized=False) as stage:
        shown_as = {
            "127.0.0.5": stage.config.node("primary").host,
            "127.0.0.10": stage.config.node("secondary").host,
            "127.0.0.12": stage.config.vip.host,
        }
        terminal = Terminal(tmp_path, shown_as)
        try:
            terminal.run(f"export SMARTLIC_MOCK_FOLDER={stage.cluster}")
            for commands, shown in _steps(PAGE):
                said = [terminal.run(command.replace("FOLDER", str(stage.cluster))) for command in commands]
                text = "".join(text for _, text in said)
                assert _same(text) == _same(shown), commands
                assert said[-1][0] == (
                    1 if "FAIL" in shown or ", 1 with" in shown or ", 2 with" in shown else 0
                )
            terminal.wait()
        finally:
            terminal.kill()


def test_the_findings_of_the_page_are_those_of_the_catalogue() -> None:
    """Each id in the table of situations is a finding that there is."""
    table = PAGE.read_text().partition("## The situations")[2].partition("\n## ")[0]
    cells = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ")][1:]
    found = {each for cell in cells for each in re.findall(r"[a-z]+(?:-[a-z]+)+", cell)}
    assert len(found) > 9
    assert found <= set(catalogue())


def _same(text: str) -> str:
    """Without what differs from run to run, line breaks included: addresses have other lengths."""
    return re.sub(r"until \d{4}-\d\d-\d\d", "until DATE", _plain(text))
