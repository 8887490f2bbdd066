"""Genie's parsers and ntc-templates read each `show license` text of each state as the model has it.

They live in a virtual environment of their own beside this one (800 MB, two minutes when it is made). What a
parser has no rule for it refuses; what that is, and why, is in `show_expected.LIMITS`, and is tested too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.show import commands
from tests.judges.environments import programs
from tests.judges.show_expected import LIMITS, expected
from tests.judges.show_reader import GENIE, NTC
from tests.unit.client.show.states import STATES

pytestmark = [pytest.mark.judge, pytest.mark.timeout(900)]

NEEDED = ["genie>=26,<27", "pyats>=26,<27", "genie.libs.parser>=26,<27", "ntc-templates>=9,<10"]
PARSERS = [*(f"genie {command}" for command in GENIE), *NTC]
Answers = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest) -> Iterator[Answers]:
    """What each parser read of each state; the table of it is printed in the end."""
    texts = {
        state: {" ".join(words): commands.text(words, model) for words in commands.COMMANDS}
        for state, model in STATES.items()
    }
    reader = Path(__file__).with_name("show_reader.py")
    done = subprocess.run(
        [str(programs("parsers", NEEDED) / "python"), str(reader)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read: Answers = json.loads(done.stdout)
    yield read
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(_table(read))  # for who runs the judges


def _cell(answer: dict[str, Any], wanted: Any) -> str:
    """`12 of 12`: values read as the model has them; `-`: nothing is there; `(…)`: no rule for it."""
    if isinstance(wanted, str):
        return "no rule"
    if wanted is None:
        return "-"
    values = _values(wanted)
    read = _values(_found(answer))
    return f"{sum(read.get(key) == value for key, value in values.items())} of {len(values)}"


def _values(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, dict):
        return {key: each for name in tree for key, each in _values(tree[name], f"{path}/{name}").items()}
    if isinstance(tree, list):
        return {
            key: each for n, item in enumerate(tree) for key, each in _values(item, f"{path}/{n}").items()
        }
    return {path: tree}


def _found(answer: dict[str, Any]) -> Any:
    """What was read, in the form of `expected`."""
    read = answer.get("read")
    return {"rows": read} if isinstance(read, list) else read


def _table(read: Answers) -> str:
    heads = [name.removeprefix("genie ") for name in PARSERS]
    width = max(map(len, STATES))
    rows = [[_cell(read[state][name], expected(STATES[state])[name]) for name in PARSERS] for state in STATES]
    widths = [max(len(head), *(len(row[at]) for row in rows)) for at, head in enumerate(heads)]
    lines = [" | ".join([f"{'values read as they are':<{width}}", *map(str.ljust, heads, widths)])]
    lines += [
        " | ".join([f"{state:<{width}}", *map(str.ljust, row, widths)])
        for state, row in zip(STATES, rows, strict=True)
    ]
    return "\n\n" + "\n".join([*lines, "", *(f"no rule: {why}" for why in LIMITS.values())])


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("state", STATES)
def test_what_is_read_is_what_the_model_says(answers: Answers, state: str, parser: str) -> None:
    """Each public parser reads the text that it knows, and finds each of the model's values in it."""
    answer, wanted = answers[state][parser], expected(STATES[state])[parser]
    if wanted is None:
        assert "Empty" in answer["refused"]
    elif isinstance(wanted, str):
        assert wanted in LIMITS
        assert wanted in answer["refused"]
    elif parser == "genie tech support":
        read = _values(answer["read"])
        assert {key: read.get(key) for key in _values(wanted)} == _values(wanted)
    else:
        assert _found(answer) == wanted, answer


def test_the_parsers_can_say_no(answers: Answers) -> None:
    """A text with another count is read as another count: what they read is read, and not guessed."""
    texts = {" ".join(words): commands.text(words, STATES["authorized"]) for words in commands.COMMANDS}
    other = {command: text.replace("Count: 3", "Count: 4") for command, text in texts.items()}
    reader = Path(__file__).with_name("show_reader.py")
    done = subprocess.run(
        [str(programs("parsers", NEEDED) / "python"), str(reader)],
        input=json.dumps({"other": other}),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    read = json.loads(done.stdout)["other"]["genie usage"]["read"]
    assert sorted(used["count"] for used in read["license_name"].values()) == [1, 4]
    assert read != answers["authorized"]["genie usage"]["read"]
