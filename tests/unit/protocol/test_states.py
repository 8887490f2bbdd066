"""The tables of the two machines: the only source of truth, so they have to be whole."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from smartlic_client.protocol.states import (
    AUTHORIZATION,
    REGISTRATION,
    Authorization,
    AuthorizationEvent,
    Registration,
    RegistrationEvent,
    mermaid,
)

Table = Mapping[tuple[Any, Any], Any]
TABLES = [
    pytest.param(REGISTRATION, Registration.NOT_REGISTERED, RegistrationEvent, id="registration"),
    pytest.param(AUTHORIZATION, Authorization.NONE, AuthorizationEvent, id="authorization"),
]


def reachable(table: Table, first: StrEnum) -> set[StrEnum]:
    found = {first}
    while more := {step.state for (state, _), step in table.items() if state in found} - found:
        found |= more
    return found


@pytest.mark.parametrize(("table", "first", "events"), TABLES)
def test_tables_are_closed_and_whole(table: Table, first: StrEnum, events: type[StrEnum]) -> None:
    """Every state leads somewhere and is reachable from the first one, and every event has a use."""
    states = set(type(first))
    assert {step.state for step in table.values()} | {first} == states
    assert {state for state, _ in table} == states
    assert reachable(table, first) == states
    assert {event for _, event in table} == set(events)


@pytest.mark.parametrize(("table", "first", "events"), TABLES)
def test_the_first_state_can_be_reached_again(table: Table, first: StrEnum, events: type[StrEnum]) -> None:
    """No state is a trap: from each there is a way back to the first one."""
    for state in type(first):
        assert first in reachable(table, state)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (Registration.NOT_REGISTERED, RegistrationEvent.ACCEPTED),
        (Registration.COMPLETE, RegistrationEvent.ACCEPTED),
        (Registration.FAILED, RegistrationEvent.SENT_AGAIN),
        (Registration.IN_PROGRESS, RegistrationEvent.ASKED),
        (Registration.RETRY, RegistrationEvent.ASKED),
        (Registration.NOT_REGISTERED, RegistrationEvent.EXPIRED),
    ],
)
def test_an_illegal_registration_step_is_an_absent_key(state: Registration, event: RegistrationEvent) -> None:
    """A step that must not happen raises KeyError instead of leading anywhere."""
    with pytest.raises(KeyError):
        REGISTRATION[state, event]


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (Authorization.NONE, AuthorizationEvent.EVAL_USED_UP),
        (Authorization.AUTHORIZED, AuthorizationEvent.EVAL_USED_UP),
        (Authorization.EVAL, AuthorizationEvent.DEADLINE_PASSED),
        (Authorization.NONE, AuthorizationEvent.DEADLINE_PASSED),
    ],
)
def test_an_illegal_authorization_step_is_an_absent_key(
    state: Authorization, event: AuthorizationEvent
) -> None:
    """Evaluation ends only in evaluation, and only what was authorized can lose it."""
    with pytest.raises(KeyError):
        AUTHORIZATION[state, event]


def test_registered_is_only_reached_through_in_progress() -> None:
    """No step leads to `complete` but an answer to a registration that is in progress."""
    sources = {state for (state, _), step in REGISTRATION.items() if step.state is Registration.COMPLETE}
    assert sources - {Registration.COMPLETE} == {Registration.IN_PROGRESS}


def test_evaluation_never_restarts_once_it_is_used_up() -> None:
    """From `eval-expired` no step leads straight back to `eval`."""
    targets = {
        step.state for (state, _), step in AUTHORIZATION.items() if state is Authorization.EVAL_EXPIRED
    }
    assert Authorization.EVAL not in targets


@pytest.mark.parametrize(("table", "first", "events"), TABLES)
def test_the_diagram_names_every_state_and_step(table: Table, first: Any, events: type[StrEnum]) -> None:
    """The drawing starts at the first state, names each state, and has every step that changes something."""
    drawn = mermaid(table, first)
    assert drawn.startswith(f"stateDiagram-v2\n    [*] --> {first.value.replace('-', '_')}\n")
    for state in type(first):
        if "-" in state.value:
            assert f"    {state.value.replace('-', '_')}: {state.value}\n" in drawn
        assert state.value.replace("-", "_") in drawn
    for (state, event), step in table.items():
        then = step.state
        edge = f"    {state.value.replace('-', '_')} --> {then.value.replace('-', '_')}: "
        lines = [line for line in drawn.splitlines() if line.startswith(edge)]
        if state is then:
            assert lines == []
        else:
            assert len(lines) == 1
            assert event.value in lines[0].removeprefix(edge).split(" / ")
