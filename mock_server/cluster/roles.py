"""The life of a node, as a table: (state, event) -> next state and what to do. All else cannot happen.

The node's shell posts events, looks them up here and runs the actions; the diagram in the documentation is
drawn from the same table. Rules are those of the cluster's specification.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    WAITING = "waiting"
    CATCHING_UP = "catching-up"
    STANDBY = "standby"
    LEAVING = "leaving"
    TAKING_OVER = "taking-over"
    ACTIVE_ALONE = "active-alone"
    ACTIVE = "active"
    DRAINING = "draining"
    DEPOSED = "deposed"
    TEARING_DOWN = "tearing-down"
    GOING_ALONE = "going-alone"
    ALONE = "stand-alone"
    DISCARDED = "discarded"


class Event(StrEnum):
    # what people ask for
    START = "start"
    STOP = "stop"
    FORCE = "force"
    TEAR_DOWN = "tear down"
    # what the node finds out
    LOADED = "journal loaded"
    STANDS_ALONE = "stands alone"
    IS_DISCARDED = "was discarded"
    FAILED = "failed"
    FOLLOWING = "session begun"
    SESSION_LOST = "session lost"
    LISTED = "listed in sync"
    MAY_LEAD = "may take over"
    HANDED_OVER = "handed over"
    LEFT = "taken off the list"
    CAS_LOST = "compare-and-set lost"
    WITNESS_DOWN = "witness not writable"
    SERVING = "serving"
    PEER_CAUGHT_UP = "peer caught up"
    PEER_LISTED = "peer listed"
    PEER_LOST = "peer lost"
    PEER_DELISTED = "peer taken off"
    PEER_LEAVING = "peer leaving"
    DRAINED = "drained"
    TORN_DOWN = "torn down"


class Action(StrEnum):
    LOAD = "open the journal, listen for the peer"
    SEEK = "look for the peer"
    TAKE_OVER = "take over"
    TAKE_OVER_BY_FORCE = "take over by force"
    SAY_LEAVING = "ask to be taken off the list"
    LIST_PEER = "list the peer"
    DELIST_PEER = "take the peer off"
    ANSWER_LEFT = "tell the peer"
    DRAIN = "drain and hand over"
    STEP_DOWN = "close listeners and connections, drop the state"
    TEAR_DOWN = "write that it stands alone, give up the VIP"
    SERVE_ALONE = "serve on its own address"
    SHOW_PAGES = "show pages to read"
    CLOSE = "close everything"


class Next(NamedTuple):
    state: State
    actions: tuple[Action, ...] = ()


S, E, A = State, Event, Action

TABLE: dict[tuple[State, Event], Next] = {
    (S.STOPPED, E.START): Next(S.STARTING, (A.LOAD,)),
    (S.STARTING, E.LOADED): Next(S.WAITING, (A.SEEK,)),
    (S.STARTING, E.STANDS_ALONE): Next(S.GOING_ALONE, (A.SERVE_ALONE,)),
    (S.STARTING, E.IS_DISCARDED): Next(S.DISCARDED, (A.SHOW_PAGES,)),
    (S.STARTING, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    # Not in sync, or the peer is not there: rules 7 and 9.
    (S.WAITING, E.MAY_LEAD): Next(S.TAKING_OVER, (A.TAKE_OVER,)),
    (S.WAITING, E.FORCE): Next(S.TAKING_OVER, (A.TAKE_OVER_BY_FORCE,)),
    (S.WAITING, E.FOLLOWING): Next(S.CATCHING_UP),
    (S.WAITING, E.STOP): Next(S.STOPPED, (A.CLOSE,)),
    (S.WAITING, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    # The record may list this node before it has heard so: the record decides, hence MAY_LEAD here.
    (S.CATCHING_UP, E.LISTED): Next(S.STANDBY),
    (S.CATCHING_UP, E.SESSION_LOST): Next(S.WAITING),
    (S.CATCHING_UP, E.MAY_LEAD): Next(S.TAKING_OVER, (A.TAKE_OVER,)),
    (S.CATCHING_UP, E.STOP): Next(S.LEAVING, (A.SAY_LEAVING,)),
    (S.CATCHING_UP, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    (S.STANDBY, E.SESSION_LOST): Next(S.WAITING),
    (S.STANDBY, E.MAY_LEAD): Next(S.TAKING_OVER, (A.TAKE_OVER,)),
    (S.STANDBY, E.HANDED_OVER): Next(S.TAKING_OVER, (A.TAKE_OVER,)),
    (S.STANDBY, E.STOP): Next(S.LEAVING, (A.SAY_LEAVING,)),
    (S.STANDBY, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    (S.LEAVING, E.LEFT): Next(S.STOPPED, (A.CLOSE,)),
    # Rules 1 and 5.
    (S.TAKING_OVER, E.CAS_LOST): Next(S.WAITING, (A.SEEK,)),
    (S.TAKING_OVER, E.WITNESS_DOWN): Next(S.WAITING, (A.SEEK,)),
    (S.TAKING_OVER, E.SERVING): Next(S.ACTIVE_ALONE),
    (S.TAKING_OVER, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    # Rules 2 and 3.
    (S.ACTIVE_ALONE, E.PEER_CAUGHT_UP): Next(S.ACTIVE_ALONE, (A.LIST_PEER,)),
    (S.ACTIVE_ALONE, E.PEER_LISTED): Next(S.ACTIVE),
    (S.ACTIVE_ALONE, E.PEER_LOST): Next(S.ACTIVE_ALONE, (A.DELIST_PEER,)),
    (S.ACTIVE_ALONE, E.PEER_LEAVING): Next(S.ACTIVE_ALONE, (A.DELIST_PEER, A.ANSWER_LEFT)),
    (S.ACTIVE_ALONE, E.PEER_DELISTED): Next(S.ACTIVE_ALONE),
    (S.ACTIVE_ALONE, E.CAS_LOST): Next(S.DEPOSED, (A.STEP_DOWN,)),
    (S.ACTIVE_ALONE, E.STOP): Next(S.DRAINING, (A.DRAIN,)),
    # A new session may have caught up before the end of the old one was dealt with.
    (S.ACTIVE, E.PEER_CAUGHT_UP): Next(S.ACTIVE, (A.LIST_PEER,)),
    (S.ACTIVE, E.PEER_LISTED): Next(S.ACTIVE),
    (S.ACTIVE, E.PEER_LOST): Next(S.ACTIVE, (A.DELIST_PEER,)),
    (S.ACTIVE, E.PEER_LEAVING): Next(S.ACTIVE, (A.DELIST_PEER, A.ANSWER_LEFT)),
    (S.ACTIVE, E.PEER_DELISTED): Next(S.ACTIVE_ALONE),
    (S.ACTIVE, E.CAS_LOST): Next(S.DEPOSED, (A.STEP_DOWN,)),
    (S.ACTIVE, E.STOP): Next(S.DRAINING, (A.DRAIN,)),
    # Rule 10. The record comes first; while it cannot be written, the teardown is tried again.
    (S.ACTIVE_ALONE, E.TEAR_DOWN): Next(S.TEARING_DOWN, (A.TEAR_DOWN,)),
    (S.ACTIVE, E.TEAR_DOWN): Next(S.TEARING_DOWN, (A.TEAR_DOWN,)),
    (S.TEARING_DOWN, E.WITNESS_DOWN): Next(S.TEARING_DOWN, (A.TEAR_DOWN,)),
    (S.TEARING_DOWN, E.CAS_LOST): Next(S.DEPOSED, (A.STEP_DOWN,)),
    (S.TEARING_DOWN, E.TORN_DOWN): Next(S.ALONE),
    (S.TEARING_DOWN, E.STOP): Next(S.DRAINING, (A.DRAIN,)),
    # A stand-alone server, before a deployment or after a teardown, and what a teardown discards.
    (S.GOING_ALONE, E.SERVING): Next(S.ALONE),
    (S.GOING_ALONE, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    (S.ALONE, E.STOP): Next(S.DRAINING, (A.DRAIN,)),
    (S.DISCARDED, E.STOP): Next(S.STOPPED, (A.CLOSE,)),
    (S.DISCARDED, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    (S.DEPOSED, E.LOADED): Next(S.WAITING, (A.SEEK,)),
    (S.DEPOSED, E.FAILED): Next(S.STOPPED, (A.CLOSE,)),
    # Rule 8. A Standby that is lost meanwhile is taken off, so that the last answers can leave.
    (S.DRAINING, E.PEER_LOST): Next(S.DRAINING, (A.DELIST_PEER,)),
    (S.DRAINING, E.PEER_LEAVING): Next(S.DRAINING, (A.DELIST_PEER, A.ANSWER_LEFT)),
    (S.DRAINING, E.PEER_DELISTED): Next(S.DRAINING),
    (S.DRAINING, E.CAS_LOST): Next(S.DRAINING),
    (S.DRAINING, E.DRAINED): Next(S.STOPPED, (A.CLOSE,)),
}

COMMANDS = frozenset({E.START, E.STOP, E.FORCE, E.TEAR_DOWN})
"""Events that somebody waits for. All others are observations, which may arrive when they are past."""

ACTIVE_STATES = frozenset({S.ACTIVE_ALONE, S.ACTIVE, S.TEARING_DOWN, S.DRAINING})
SERVING_STATES = ACTIVE_STATES | {S.ALONE}
OUTSIDE = frozenset({S.GOING_ALONE, S.ALONE, S.DISCARDED})
"""States of a server that is in no cluster."""
SETTLED_STATES = frozenset({S.ACTIVE, S.ACTIVE_ALONE, S.STANDBY, S.ALONE, S.DISCARDED})
"""States that last until something happens."""
SEEKING_STATES = frozenset({S.WAITING, S.CATCHING_UP, S.STANDBY})


class IllegalStepError(ValueError):
    """The table has no such step."""


def step(state: State, event: Event) -> Next:
    """The one legal step from here, or IllegalStepError."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalStepError(f"{event} cannot happen in state {state}") from None


def role(state: State) -> str:
    """The operator's word: in a cluster Active serves and everything else is Standby."""
    match state:
        case State.GOING_ALONE | State.ALONE:
            return "Stand-alone"
        case State.DISCARDED:
            return "Discarded"
        case _:
            return "Active" if state in ACTIVE_STATES else "Standby"


def known(state: str) -> State | None:
    """A state by its name, as another process wrote it."""
    try:
        return State(state)
    except ValueError:
        return None


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {_name(State.STOPPED)}"]
    lines += [f"    {_name(state)} : {state}" for state in State if _name(state) != state]
    for (state, event), (after, actions) in TABLE.items():
        doing = f" / {', '.join(actions)}" if actions else ""
        lines.append(f"    {_name(state)} --> {_name(after)} : {event}{doing}")
    return "\n".join(lines) + "\n"


def _name(state: State) -> str:
    return state.replace("-", "_")
