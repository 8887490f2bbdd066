"""Without atheris: all inputs that were kept, and all that have failed once, are read or refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import __main__ as command
from tests.fuzz import engine, mutation
from tests.fuzz.target import guarded
from tests.fuzz.targets import NAMES, target


@pytest.mark.parametrize("name", NAMES)
def test_what_was_kept_is_read_or_refused(name: str) -> None:
    """Each input of the corpus and each past finding, by its target: no other exception, nothing broken."""
    files = [*(engine.CORPUS / name).iterdir(), *(engine.FINDINGS / name).glob("*")]
    assert files
    read = target(name).prepare()
    for file in files:
        error = guarded(read, file.read_bytes())
        if error is not None:
            raise AssertionError(f"make fuzz TARGET={name} REPLAY={file}") from error


@pytest.mark.parametrize("name", NAMES)
def test_real_messages_are_read(name: str) -> None:
    """What fuzzing begins with is made anew of today's messages, and none of it fails."""
    chosen = target(name)
    read, some = chosen.prepare(), list(chosen.seeds())
    assert some
    for data in some:
        assert len(data) <= chosen.longest
        error = guarded(read, data)
        if error is not None:
            raise error


def test_a_finding_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An input that fails gives exit code 1 and its kind; one that is read, 0; without a target, usage."""
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_bytes(b"\0" + json.dumps({"inner": '{"count": -1}'}).encode())
    good.write_bytes(b"\0{}")
    assert command.main(["--replay", str(bad), "--target", "planted"]) == 1
    assert "ArithmeticError at " in capsys.readouterr().out
    assert command.main(["--replay", str(good), "--target", "planted"]) == 0
    assert command.main(["--replay", str(good)]) == 64
    assert command.main(["--target", "nothing"]) == 64
    assert command.main(["--replay", str(tmp_path / "gone"), "--target", "planted"]) == 66


def _bytewise(seed: int) -> Callable[[bytes, int], bytes]:
    chance = random.Random(seed)

    def change(data: bytes, most: int) -> bytes:
        at = chance.randrange(len(data) + 1)
        return (data[:at] + chance.randbytes(chance.randrange(3)) + data[at + 1 :])[:most]

    return change


@given(st.integers(0, 2**32), st.sampled_from(("answers", "messages", "journal", "certificates")))
def test_a_mutator_returns_bytes_within_its_limit(number: int, name: str) -> None:
    """Whatever it is given, again and again: bytes, and never more than may be."""
    chosen = target(name)
    data = next(iter(chosen.seeds()))
    for step in range(5):
        data = chosen.mutator(data, 600 * (step + 1), number + step, _bytewise(number))
        assert isinstance(data, bytes)
        assert len(data) <= 600 * (step + 1)


def test_most_of_what_a_mutator_makes_is_json_again() -> None:
    """So that it comes through the first layer: of 300 changed messages more than half can be parsed."""
    data = b"\0" + json.dumps({"a": [1, {"b": "x"}], "inner": json.dumps({"count": 3})}).encode()
    parsed = 0
    for number in range(300):
        try:
            json.loads(mutation.json_in_json(data, 4096, number, _bytewise(number))[1:])
        except ValueError:
            continue
        parsed += 1
    assert parsed > 150
