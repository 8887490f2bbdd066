"""Scenario B on a cluster of two real processes, real TLS and real devices: a test for each step.

The play is the one of `smartlic-mock demo`; it runs once, and each test is one of its steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mock_server.demo.play import Played
from mock_server.demo.run import perform_steps
from mock_server.demo.scenario_b import STEPS
from tests.support import new_addresses

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "scenarios.md"
_OUT_OF_ORDER = ["B1.7", "B1.5", "B1.6"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """The whole scenario, played once."""
    done = perform_steps(new_addresses(), tmp_path_factory.mktemp("scenario-b"))
    return {step.id: step for step in done}


def _test_of(step: str, title: str) -> Callable[[dict[str, Played]], None]:
    def test(played: dict[str, Played]) -> None:
        result = played[step]
        assert result.observed == result.expected
        assert result.ok

    test.__doc__ = f"Step {step}: {title}."
    return test


for _step in STEPS:
    _slug = re.sub(r"[^a-z0-9]+", "_", _step.title.lower()).strip("_")[:60]
    globals()[f"test_{_step.id.replace('.', '_')}_{_slug}"] = _test_of(_step.id, _step.title)


def test_every_step_of_the_procedure_is_played() -> None:
    """The steps that are played are those of docs/reference/scenarios.md, all of them, in that order."""
    listed = re.findall(r"^\| (B\d\.\d+) \|", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(listed) == 37
    ids = [step.id for step in STEPS]
    assert sorted(ids) == sorted(listed)
    assert [i for i in ids if i not in _OUT_OF_ORDER] == [i for i in listed if i not in _OUT_OF_ORDER]


def test_B1_7_says_what_to_do_in_the_words_of_the_servers_pages(played: dict[str, Played]) -> None:
    """The refusal before the synchronization names both names, the page and the synchronization."""
    said = played["B1.7"].done
    assert "Security > Certificates" in said
    assert "synchronize the local accounts" in said
    assert "Host Common Name" in said
