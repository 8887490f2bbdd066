"""An operation of the service is done by one node, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mock_server.cluster.forward import ask_one
from mock_server.cluster.problems import ANSWER_LOST, NOT_ACTIVE, NOT_RUNNING
from mock_server.errors import SmartlicError

LOST = ANSWER_LOST(node="Primary", op="x")
STANDBY = NOT_ACTIVE(node="primary", state="Standby")
DEPOSED = NOT_ACTIVE(node="primary", state="Standby", kept="unknown")
GONE = NOT_RUNNING(folder="nodes/primary")


class Told:
    """A node that answers, or raises."""

    title = "Primary"
    pid = 7

    def __init__(self, says: dict[str, Any] | Exception) -> None:
        self.says = says
        self.asked = 0

    async def result(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:  # noqa: ARG002
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def outcome(op: str, *nodes: Told) -> Any:
    try:
        return asyncio.run(ask_one(nodes, {"op": op}))
    except SmartlicError as error:
        return error.code


@pytest.mark.parametrize("before", [STANDBY, GONE])
def test_who_has_not_begun_passes_it_on(before: Exception) -> None:
    """A Standby or a dead node has done nothing: the other one is asked."""
    assert outcome("token.create", Told(before), Told({"done": 1})) == {"done": 1}
    assert outcome("token.create", Told(before), Told(before)) == "nobody-active"


@pytest.mark.parametrize("error", [LOST, DEPOSED])
def test_who_may_have_done_it_is_the_last_to_be_asked(error: Exception) -> None:
    """What is replicated already would be done twice by the new Active; what only looks is asked again."""
    other = Told({"done": 1})
    assert outcome("token.create", Told(error), other) == "answer-lost"
    assert other.asked == 0
    assert outcome("token.list", Told(error), other) == {"done": 1}


def test_a_refusal_is_the_answer() -> None:
    """Any other error of a node is what the caller gets; so is its silence."""
    other = Told({})
    refusal = SmartlicError("bad-name", "No.", "Mend it.")
    assert outcome("account.create", Told(refusal), other) == "bad-name"
    assert outcome("account.list", Told(TimeoutError()), other) == "node-hung"
    assert other.asked == 0
