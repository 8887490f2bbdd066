"""What the consoles print."""

from __future__ import annotations

from typing import Any

from mock_server.cluster import config, console, status
from mock_server.cluster.decide import NOT_IN_SYNC
from mock_server.cluster.roles import State
from mock_server.cluster.standing import Standing
from mock_server.cluster.witness import Record


def built(
    primary: State | None, secondary: State | None, *, me: str = "primary", **changes: Any
) -> dict[str, Any]:
    """A status, as a node makes it."""
    fields: dict[str, Any] = {
        "me": me,
        "states": {"primary": primary, "secondary": secondary},
        "indexes": {"primary": 7, "secondary": 5},
        "heartbeat": True,
        "record": Record(2, 3, ("primary", "secondary"), "primary"),
        "reason": "",
        "problem": None,
        "standing": Standing.MEMBER,
        "facts": {"cut": {}},
        **changes,
    }
    return status.build(config.configure(), **fields)


def test_ha_status_shows_both_servers_side_by_side() -> None:
    """Roles, databases, heartbeat, VIP and lag, in the words of operators (A1.3, A2.10)."""
    lines = console.ha_status(built(State.ACTIVE, State.STANDBY))
    text = "\n".join(lines)
    assert lines[0].split() == ["Primary", "Secondary"]
    assert "Replication Master  Replication Slave" in text
    assert "Heartbeat: connected" in text
    assert "VIP: 127.0.0.12 (held by the Primary)" in text
    assert "Primary (Master) -> Secondary (Slave), 2 changes behind" in text


def test_ha_status_of_a_stopped_node() -> None:
    """A stopped server is Standby, its database down, the heartbeat disconnected (A2.5, A2.6, B3.2)."""
    seen = built(
        State.STOPPED, State.ACTIVE_ALONE, heartbeat=False, indexes={"primary": None, "secondary": 5}
    )
    assert seen["servers"]["primary"]["role"] == "Standby"
    assert seen["servers"]["primary"]["cluster"] == "stopped"
    assert seen["servers"]["primary"]["database"] == "down"
    assert seen["vip"]["holder"] == "secondary"
    text = "\n".join(console.ha_status(seen))
    assert "Heartbeat: disconnected" in text
    assert "Replication: none" in text


def test_ha_status_of_a_dead_node() -> None:
    """A process that is gone is a stopped Standby."""
    seen = built(None, State.ACTIVE_ALONE)
    assert (seen["role"], seen["running"], seen["state"]) == ("Standby", False, "gone")


def test_ha_status_names_problems_and_cuts() -> None:
    """Reason, problem and what was cut each have a line."""
    problem = {"sentence": "The VIP is held."}
    cut = {"changes": 3, "after": 9, "saved": "lost-4.sqlite"}
    seen = built(State.STOPPED, None, reason="waiting", problem=problem, facts={"cut": cut})
    text = "\n".join(console.ha_status(seen))
    assert "Primary: waiting" in text
    assert "The VIP is held." in text
    assert "3 changes after 9 were set aside; they are in lost-4.sqlite." in text
    assert "none of them was acknowledged" in console.cut_lines({**cut, "saved": None})[0]


def test_what_came_of_a_start() -> None:
    """Active, in sync, catching up, or waiting with what to do about it."""
    assert console.started(built(State.ACTIVE, State.STANDBY)) == ["Primary is Active."]
    seen = built(State.ACTIVE, State.STANDBY, me="secondary")
    assert console.started(seen) == ["Secondary is Standby, in sync; replicating from the Primary."]
    seen = built(State.ACTIVE, State.CATCHING_UP, me="secondary")
    assert "catches up" in console.started(seen)[0]
    seen = built(State.WAITING, None, reason=NOT_IN_SYNC, record=Record(1, 1, ("secondary",), "secondary"))
    lines = console.started(seen)
    assert "Standby, not in sync: cannot take over" in lines[0]
    assert "--force" in lines[1]


def test_warnings_of_force_name_the_peer_and_the_file() -> None:
    """Rule 7's warning says whose changes may be lost, and where they will be."""
    text = "\n".join(console.force_warning(built(State.WAITING, None), "secondary"))
    assert "Secondary" in text
    assert "lost-<epoch>.sqlite" in text
    assert "change 7" in text


def test_small_answers() -> None:
    """What is so already is said."""
    assert "already" in console.already_running("primary", "Active")[0]
    assert "already" in console.already_stopped("primary")[0]
