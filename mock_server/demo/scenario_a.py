"""Scenario A: accounts are synchronized with Cisco Software Central, through failover and fallback.

The steps are those of the operators' procedure, with its ids.
"""

from __future__ import annotations

from typing import Any

from mock_server.demo import steps
from mock_server.demo.play import Step
from mock_server.demo.scenario import Scenario
from mock_server.demo.stage import Addresses, Stage
from mock_server.demo.steps import P_ACTIVE, S_ACTIVE
from mock_server.domain.state import DEFAULT_ACCOUNT

__all__ = ["SCENARIO", "TEST"]

TEST = "TEST"
"""The account that is made on the Secondary."""


def _synchronize(stage: Stage, account: str) -> str:
    stage.notes["answers"] = _answers(stage, account)
    told = stage.ask("synchronize", accounts=[account])
    return f"synchronized with CSSM: {', '.join(told['synchronized'])}"


def _synchronized(stage: Stage, account: str) -> dict[str, Any]:
    """What the accounts' page and the event log show of the last synchronization of an account."""
    found = stage.account(account)
    text = f"Local account {account} synchronized"
    done = [line for line in stage.events() if line["event"].startswith(text)]
    return {
        "status": found.get("status"),
        "synchronized": bool(found.get("last_sync")) and not found.get("to_synchronize"),
        "failure": found.get("sync_failure"),
        "by": done[0]["node"] if done else None,
    }


def _answers(stage: Stage, account: str) -> int:
    """How many answers CSSM has made for an account, by its own book."""
    book = stage.ask("cssm.on-prem.list")["on_prem"]
    return sum(row["serial"] for row in book if row["account"] == account)


def _answered(stage: Stage, account: str) -> dict[str, Any]:
    """`_synchronized`, and how many answers CSSM made for it in this step."""
    new = _answers(stage, account) - stage.notes.get("answers", 0)
    return {**_synchronized(stage, account), "answers of CSSM": new}


def _in_sync(by: str) -> dict[str, Any]:
    return {"status": "active", "synchronized": True, "failure": None, "by": by}


def _synchronization(step: str, title: str, account: str, by: str) -> Step[Stage]:
    """An account synchronizes on the Active, which is `by`."""
    wanted = {**_in_sync(by), "answers of CSSM": 1}
    return Step(step, title, lambda s: _synchronize(s, account), lambda s: _answered(s, account), wanted)


def _make_test(stage: Stage) -> str:
    """Requested, approved, and synchronized for the first time; kept as the Secondary has it (A3.7)."""
    stage.ask("account.request", name=TEST, email="test@lab.example")
    requested = stage.account(TEST).get("status")
    stage.ask("account.approve", name=TEST)
    said = _synchronize(stage, TEST)
    stage.notes[TEST] = stage.account(TEST)
    return f"account {TEST} {requested}, then approved; {said}"


def _made_on(stage: Stage) -> dict[str, Any]:
    made = [line["node"] for line in stage.events() if line["event"].startswith(f"Local account {TEST} is ")]
    return {"status": stage.account(TEST).get("status"), "made on": sorted(set(made))}


def _carried(stage: Stage) -> dict[str, Any]:
    """The account as the Primary has it, and whether it is that which the Secondary had."""
    asked = stage.ask("account.list", node="primary")["accounts"]
    found = next((row for row in asked if row["name"] == TEST), None)
    return {**_synchronized(stage, TEST), "as it was on the Secondary": found == stage.notes.get(TEST)}


A1: list[Step[Stage]] = [
    Step(
        "A1.1",
        "Primary is Active, Secondary is Standby, the VIP answers",
        None,
        lambda s: {"roles": s.roles(), "vip": s.gui("vip")},
        {"roles": P_ACTIVE, "vip": "answers"},
    ),
    _synchronization(
        "A1.2", "The local account synchronizes with Cisco Software Central", DEFAULT_ACCOUNT, "primary"
    ),
    steps.replication(
        "A1.3", "Primary is Replication Master, Secondary Replication Slave", "primary", "servers"
    ),
]
A2: list[Step[Stage]] = [
    steps.stop("A2.1", "The cluster is stopped on the Primary", "primary"),
    steps.shown_of_stopped("A2.2", "The HA status of both servers can be read", "primary"),
    steps.gui("A2.3", "The GUI answers on the VIP; the Primary's own is down", "primary"),
    steps.role("A2.4", "Secondary is Active", "Secondary", "Active"),
    steps.heartbeat("A2.5", "disconnected"),
    steps.role("A2.6", "Primary is Standby", "Primary", "Standby"),
    _synchronization(
        "A2.7", "An account synchronizes from the Secondary/Active", DEFAULT_ACCOUNT, "secondary"
    ),
    steps.start("A2.8", "The cluster is started on the Primary", "primary"),
    steps.replication("A2.9", "The Primary's database is replicated from the Secondary", "secondary"),
    steps.side_by_side("A2.10", "Both servers' states are shown side by side", "secondary"),
    steps.heartbeat_and_roles(
        "A2.11", "Heartbeat connected, Secondary stays Active, Primary Standby", S_ACTIVE
    ),
    Step(
        "A2.12",
        "A new local account TEST is created and activated on the Active/Secondary",
        _make_test,
        _made_on,
        {"status": "active", "made on": ["secondary"]},
        "accounts",
    ),
    steps.gui("A2.13", "The Primary's own GUI is not accessible", "primary"),
]
A3: list[Step[Stage]] = [
    steps.stop("A3.1", "The cluster is stopped on the Secondary", "secondary"),
    steps.shown_of_stopped("A3.2", "The state of both databases is shown", "secondary"),
    steps.gui("A3.3", "The GUI answers on the VIP; the Secondary's own is down", "secondary"),
    steps.role("A3.4", "Primary is Active", "Primary", "Active"),
    steps.heartbeat("A3.5", "disconnected"),
    steps.role("A3.6", "Secondary is Standby", "Secondary", "Standby"),
    Step(
        "A3.7",
        "TEST is present on the Primary, in synced state",
        None,
        _carried,
        {**_in_sync("secondary"), "as it was on the Secondary": True},
        "accounts",
    ),
    steps.gui("A3.8", "GUI by the VIP and not by the Secondary's address", "secondary"),
    steps.start("A3.9", "The cluster is started on the Secondary", "secondary"),
    steps.replication("A3.10", "Primary is Replication Master, Secondary Replication Slave", "primary"),
    steps.heartbeat_and_roles(
        "A3.11", "Heartbeat connected; Primary Active, Secondary Standby", P_ACTIVE, "servers"
    ),
    _synchronization("A3.12", "TEST synchronizes with Cisco Software Central", TEST, "primary"),
]
SCENARIO = Scenario(
    "A",
    "accounts are synchronized, through failover and fallback",
    Addresses("127.0.0.5", "127.0.0.10", "127.0.0.12"),
    {"A1": "High availability in place", "A2": "Failover", "A3": "Fallback"},
    (*A1, *A2, *A3),
)
