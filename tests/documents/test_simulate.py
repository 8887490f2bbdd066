"""docs/how-to/simulate-a-year.md: its commands print what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from smartlic_client.fleet.inventory import read_inventory
from tests.cli.harness import inside
from tests.documents.test_pages import DOCS, _steps

PAGE = DOCS / "how-to/simulate-a-year.md"
STEPS = [(command, shown) for (command,), shown in _steps(PAGE)]


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[command for command, _ in STEPS])
def test_the_page_shows_what_is_printed(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the letter: a simulation is the same wherever it runs. The report that is named is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(DOCS.parent / "examples")
    program, *call = shlex.split(command)
    done = inside(program, tmp_path / "c").run(*call)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == shown.strip()
    assert Path("year.html").exists() == ("--report" in call)


def test_the_events_of_the_page_are_read(tmp_path: Path) -> None:
    """Its YAML, with a device before it, is an inventory with three events."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "f.yaml"
    path.write_text(f"devices:\n  - {{name: a, pid: P, sn: S}}\n{block}")
    assert [one.event for one in read_inventory(path).events] == ["failover", "network-down", "switch-over"]
