"""The table of roles."""

from __future__ import annotations

import pytest

from mock_server.cluster.roles import (
    ACTIVE_STATES,
    COMMANDS,
    SERVING_STATES,
    TABLE,
    Action,
    Event,
    IllegalStepError,
    State,
    known,
    mermaid,
    role,
    step,
)


def reachable(start: State) -> set[State]:
    """All states that the table leads to from one."""
    found, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for (state, _event), (after, _actions) in TABLE.items():
            if state is here and after not in found:
                found.add(after)
                todo.append(after)
    return found


def test_every_state_is_reachable_and_can_be_stopped() -> None:
    """From stopped all states are reached, and from all of them stopped is."""
    assert reachable(State.STOPPED) == set(State)
    for state in State:
        assert State.STOPPED in reachable(state)


def test_rule_1_only_a_takeover_leads_to_active() -> None:
    """No step from a Standby's states leads to an Active's, but by taking over, whose action is to win it."""
    for (state, event), (after, actions) in TABLE.items():
        if after in ACTIVE_STATES and state not in SERVING_STATES:
            assert (state, event) == (State.TAKING_OVER, Event.SERVING)
        if after is State.TAKING_OVER:
            assert actions in ((Action.TAKE_OVER,), (Action.TAKE_OVER_BY_FORCE,))


def test_rule_3_a_lost_compare_and_set_deposes_every_active() -> None:
    """An Active steps down; one that drains already has no listener left and just ends."""
    for state in (State.ACTIVE, State.ACTIVE_ALONE):
        assert step(state, Event.CAS_LOST) == (State.DEPOSED, (Action.STEP_DOWN,))
    assert step(State.DRAINING, Event.CAS_LOST).state is State.DRAINING


def test_rule_7_force_is_for_a_node_that_waits() -> None:
    """Forcing is an absent key in every state but waiting."""
    assert [state for state, event in TABLE if event is Event.FORCE] == [State.WAITING]


def test_an_illegal_step_is_an_absent_key() -> None:
    """What is not in the table raises."""
    with pytest.raises(IllegalStepError, match="standby"):
        step(State.STANDBY, Event.DRAINED)


def test_closing_comes_with_stopped() -> None:
    """Every way to stopped closes everything."""
    for after, actions in TABLE.values():
        assert (after is State.STOPPED) == (Action.CLOSE in actions)


def test_every_action_and_event_is_used() -> None:
    """Nothing in the vocabulary is dead."""
    assert {action for after in TABLE.values() for action in after.actions} == set(Action)
    assert {event for _state, event in TABLE} == set(Event)
    assert set(Event) >= COMMANDS


def test_the_diagram_shows_the_whole_table() -> None:
    """One arrow a step."""
    drawn = mermaid()
    assert drawn.startswith("stateDiagram-v2\n")
    assert drawn.count(" --> ") == len(TABLE) + 1
    for event in Event:
        assert event in drawn


def test_words_of_operators() -> None:
    """Active is who serves; all others are Standby; a foreign word is no state."""
    assert {state for state in State if role(state) == "Active"} == set(ACTIVE_STATES)
    assert known("standby") is State.STANDBY
    assert known("x") is None
