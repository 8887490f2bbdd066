"""docs/how-to/ask-the-server-by-its-api.md: what is typed in its order prints what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server.demo.stage import Stage
from tests.documents.test_pages import DOCS, Terminal, _read, _same
from tests.support import cluster

PAGE = DOCS / "how-to/ask-the-server-by-its-api.md"
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w+)\n(.*?)```", _read(PAGE), re.DOTALL)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with cluster(tmp_path_factory.mktemp("api")) as raised:
        yield raised


@pytest.fixture
def terminal(stage: Stage, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal whose cluster is the test's, in place of the page's."""
    made = Terminal(tmp_path, {"127.0.0.12": stage.config.vip.host})
    made.run(f"export SMARTLIC_MOCK_FOLDER={stage.cluster}")
    yield made
    made.kill()


def _python(stage: Stage, folder: Path, code: str) -> str:
    code = code.replace("127.0.0.12", stage.config.vip.host)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.real
def test_the_page_works_as_it_is_written(stage: Stage, terminal: Terminal, tmp_path: Path) -> None:
    """Each block runs after those before it, and what follows as text is what was printed."""
    printed, shown = "", 0
    for kind, body in BLOCKS:
        if kind == "text":
            _same("the block before", printed, body)
            shown += 1
        elif kind == "python":
            printed = _python(stage, tmp_path, body)
            if "asyncio" in body:
                assert printed == "{'Default': 0, 'Bonn / routers': 1}\n1\n"
        else:
            printed = ""
            for command in body.splitlines():
                code, said = terminal.run(command.removeprefix("$ "))
                assert code == 0, (command, said)
                printed += said
    assert shown == 4
    assert terminal.wait() == 0
    assert (tmp_path / "api.json").stat().st_mode & 0o077 == 0
