"""The examples of the page on pytest are tests that pass, as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.library.test_plugin import run_pytest

PAGE = Path(__file__).parents[2] / "docs/how-to/test-your-automation-with-pytest.md"


@pytest.mark.real
def test_every_example_of_the_page_is_a_test_that_passes(tmp_path: Path) -> None:
    """A project outside that copies them has nothing else to set up."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 5
    for number, example in enumerate(examples):
        (tmp_path / f"test_{number}.py").write_text(example)
    done = run_pytest(tmp_path, "-q", "--strict-markers")
    assert "5 passed" in done.stdout, done.stdout + done.stderr
