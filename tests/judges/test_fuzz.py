"""libFuzzer, through atheris, goes a little further than what was kept: each target for a few seconds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz import engine
from tests.fuzz.targets import NAMES

pytestmark = [pytest.mark.judge, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    try:
        engine.library()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"atheris cannot be installed: {str(error)[:200]}")


def test_no_target_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but codes, nothing that hangs; and each target was run."""
    assert command.main(["--minutes", "0.3", "--folder", str(tmp_path)]) == 0, capsys.readouterr().out
    table = capsys.readouterr().out
    for name in NAMES:
        assert re.search(rf"^{name} +[1-9]", table, re.MULTILINE), table


def test_a_planted_bug_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The fuzzer that finds nothing could find something: a bug two layers down, and how to replay it."""
    found = command.main(
        ["--minutes", "0.1", "--jobs", "1", "--target", "planted", "--folder", str(tmp_path)]
    )
    said = capsys.readouterr().out
    assert found == 1, said
    assert "ArithmeticError: a count below zero" in said
    assert f"make fuzz TARGET=planted REPLAY={tmp_path}" in said
