"""The page of reliability promises nothing without a test, and its seconds are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from mock_server.cluster import decide, ledger
from tests.documents.naming import named_tests
from tests.drill.plants import PLANTS

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    """A promise's test is a function in the file that is named."""
    assert len(named_tests(_PAGE)) > 10


def test_every_rule_that_the_page_names_is_one_of_the_drill() -> None:
    """A rule is what a drill prints when it does not hold."""
    sources = [*(_ROOT / "tests/drill").glob("*.py"), _ROOT / "tests/simulation/simulated.py"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    rules = re.findall(r'"([a-zA-Z ]+)"', "".join(re.findall(r"rules? (\"[^|;]*)", _PAGE)))
    assert len(rules) > 8
    for rule in rules:
        assert f'"{rule}"' in code, rule


def test_the_seconds_of_the_page_are_the_codes() -> None:
    """When a hung server is replaced, and how long an answer waits."""
    assert f"after {decide.HUNG_AFTER:g} s" in _PAGE
    assert f"waits {ledger.PATIENCE:g} s" in _PAGE.replace("\n", " ")


def test_there_are_as_many_bugs_on_purpose_as_the_page_says() -> None:
    """Fourteen."""
    assert "fourteen bugs on purpose" in _PAGE
    assert len(PLANTS) == 14
