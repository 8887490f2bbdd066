"""The extra [server]: what it brings, and what is said where it is missing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mock_server.extra import MODULES
from tests.cli.harness import assert_error, inside


def test_all_that_the_extra_brings_is_looked_for() -> None:
    """A requirement of [server] that nobody looks for would fail in the middle of something."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    brought = [re.split(r"[<>=!;\[ ]", one)[0] for one in project["optional-dependencies"]["server"]]
    modules = {name.removesuffix("-py").replace("-", "_").lower() for name in brought}
    assert modules - {"pyyaml"} | {"yaml"} == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_module_is_told_at_once(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any verb says what is missing and how it is installed; help and version work without."""
    monkeypatch.setattr("mock_server.extra.find_spec", lambda name: None if name == module else name)
    mock = inside("smartlic-mock", tmp_path / "c")
    for call in (["up"], ["status"], ["console", "primary", "version"], ["demo"]):
        error = assert_error(mock.run(*call), "server-missing", 1)
        assert module in error["sentence"]
        assert 'pip install "smartlic[server]"' in error["mend"]
    assert mock.run("--version").returncode == 0
    assert mock.run("--help").returncode == 0
    assert not (tmp_path / "c").exists()
