"""What commands say, and how it is carried: lines, questions, outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from mock_server.cluster.talk import (
    Outcome,
    Question,
    Talk,
    converse,
    is_yes,
    outcome_of,
    relay,
    result_of,
    spoken,
)


async def talking(closed: list[str]) -> Talk:
    try:
        yield "one"
        first = yield Question("first?")
        second = yield Question("second?")
        yield f"{first},{second}"
        yield Outcome.UNCHANGED
    finally:
        closed.append("closed")


async def wired(closed: list[str]) -> AsyncGenerator[dict[str, Any], str | None]:
    """The same as it comes over the wire."""
    try:
        yield {"line": "one"}
        first = yield {"ask": "first?"}
        second = yield {"ask": "second?"}
        yield {"line": f"{first},{second}"}
        yield {"ok": True, "result": result_of(Outcome.UNCHANGED)}
    finally:
        closed.append("closed")


def said_by(talk: Talk) -> tuple[list[str], Outcome]:
    lines: list[str] = []

    async def say(line: str) -> None:
        lines.append(line)

    async def ask(text: str) -> str:
        return text.upper()

    outcome = asyncio.run(converse(talk, say, ask))
    return lines, outcome


@pytest.mark.parametrize("carried", [False, True])
def test_answers_reach_the_yield_that_asked(carried: bool) -> None:
    """Two questions in a row have each its own answer, directly and by another process; the end is clean."""
    closed: list[str] = []
    talk = relay(wired(closed)) if carried else talking(closed)
    assert said_by(talk) == (["one", "FIRST?,SECOND?"], Outcome.UNCHANGED)
    assert closed == ["closed"]


def test_a_talk_that_is_left_is_closed_to_its_source() -> None:
    """Who stops listening closes the command, however many processes carry it."""
    closed: list[str] = []

    async def leave() -> None:
        talk = relay(wired(closed))
        assert await anext(talk) == "one"
        await talk.aclose()

    asyncio.run(leave())
    assert closed == ["closed"]


def test_lines_alone_are_done() -> None:
    """Without an outcome of its own a command is done."""
    assert said_by(spoken(["a", "b"])) == (["a", "b"], Outcome.DONE)


@pytest.mark.parametrize("outcome", Outcome)
def test_outcomes_cross_the_wire(outcome: Outcome) -> None:
    """Each outcome is itself after the wire; an older peer's empty result is done."""
    assert outcome_of(result_of(outcome)) is outcome
    assert outcome_of({}) is Outcome.DONE


def test_outcomes_have_words_of_their_own() -> None:
    """No two outcomes are confused on the wire, and only what was reached exits with 0."""
    assert len({outcome.word for outcome in Outcome}) == len(Outcome)
    assert {outcome for outcome in Outcome if outcome.exit_code == 0} == {Outcome.DONE, Outcome.UNCHANGED}


@pytest.mark.parametrize("answer", ["yes", "YES", " y ", "Y\n"])
def test_yes(answer: str) -> None:
    """Yes in the usual forms."""
    assert is_yes(answer)


@pytest.mark.parametrize("answer", ["", "n", "no", "yess", "ja", "1", "true", "y e s", "yes please"])
def test_all_else_is_no(answer: str) -> None:
    """Nothing is destroyed by an answer that is not exactly yes."""
    assert not is_yes(answer)
