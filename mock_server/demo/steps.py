"""Steps that the scenarios have in common: consoles, roles, heartbeat, pages, databases."""

from __future__ import annotations

import re
from typing import Any, Literal

from mock_server.demo.play import Shown, Step
from mock_server.demo.stage import Stage

__all__ = [
    "P_ACTIVE",
    "S_ACTIVE",
    "gui",
    "heartbeat",
    "heartbeat_and_roles",
    "replication",
    "role",
    "shown_of_stopped",
    "side_by_side",
    "start",
    "stop",
]

STOP = ["Stopping Cluster (pacemaker)...", "Stopping Cluster (corosync)..."]
START = ["Starting Cluster (corosync)...", "Starting Cluster (pacemaker)..."]
P_ACTIVE = {"Primary": "Active", "Secondary": "Standby"}
S_ACTIVE = {"Primary": "Standby", "Secondary": "Active"}
NODES = ("primary", "secondary")
MASTER, SLAVE, DOWN = "Replication Master", "Replication Slave", "down"

Node = Literal["primary", "secondary"]


def stop(step: str, title: str, node: Node) -> Step[Stage]:
    """The cluster is stopped on a server: pacemaker, then corosync."""
    return _membership(step, title, node, "ha_cluster_stop", STOP)


def start(step: str, title: str, node: Node) -> Step[Stage]:
    """The cluster is started on a server: corosync, then pacemaker."""
    return _membership(step, title, node, "ha_cluster_start", START)


def _membership(step: str, title: str, node: Node, line: str, expected: list[str]) -> Step[Stage]:
    def do(stage: Stage) -> str:
        stage.notes[step] = stage.console(node, line)
        return f"console of the {node.capitalize()}: {line}"

    def see(stage: Stage) -> list[str]:
        return [said for said in stage.notes.get(step, []) if said in STOP + START]

    return Step(step, title, do, see, expected)


def role(step: str, title: str, server: str, expected: str, shows: Shown = "") -> Step[Stage]:
    return Step(step, title, None, lambda s: s.roles()[server], expected, shows)


def heartbeat(step: str, state: str) -> Step[Stage]:
    return Step(step, f"Heartbeat is {state}", None, lambda s: s.status()["heartbeat"], state)


def heartbeat_and_roles(step: str, title: str, roles: dict[str, str], shows: Shown = "") -> Step[Stage]:
    def see(stage: Stage) -> dict[str, Any]:
        return {"heartbeat": stage.status()["heartbeat"], "roles": stage.roles()}

    return Step(step, title, None, see, {"heartbeat": "connected", "roles": roles}, shows)


def gui(step: str, title: str, down: Node) -> Step[Stage]:
    """The GUI answers on the VIP, and not at the address of the server that is stopped or Standby."""

    def see(stage: Stage) -> dict[str, str]:
        return {"vip": stage.gui("vip"), down: stage.gui(down)}

    return Step(step, title, None, see, {"vip": "answers", down: "down"})


def replication(step: str, title: str, master: Node, shows: Shown = "") -> Step[Stage]:
    """The direction of the databases, as each server tells of itself."""
    wanted = {node.capitalize(): MASTER if node == master else SLAVE for node in NODES}
    return Step(step, title, None, Stage.databases, wanted, shows)


def shown_of_stopped(step: str, title: str, stopped: Node) -> Step[Stage]:
    """Both consoles can be read while the cluster is stopped on a server, and show the same."""
    roles = S_ACTIVE if stopped == "primary" else P_ACTIVE
    rows = {
        "Role": list(roles.values()),
        "Cluster": ["stopped" if node == stopped else "running" for node in NODES],
        "Database": [DOWN if node == stopped else MASTER for node in NODES],
    }
    return Step(step, title, None, both_consoles, {"Primary": rows, "Secondary": rows}, "servers")


def side_by_side(step: str, title: str, active: Node) -> Step[Stage]:
    """Both consoles show both servers, and the same."""
    roles = S_ACTIVE if active == "secondary" else P_ACTIVE
    rows = {
        "Role": list(roles.values()),
        "Cluster": ["running", "running"],
        "Database": [MASTER if node == active else SLAVE for node in NODES],
    }
    return Step(step, title, None, both_consoles, {"Primary": rows, "Secondary": rows}, "servers")


def both_consoles(stage: Stage) -> dict[str, dict[str, list[str]]]:
    """Of `ha_status` on each server's console: row → what it shows of the Primary, and of the Secondary."""
    return {node.capitalize(): _rows(stage.console(node, "ha_status")) for node in NODES}


def _rows(lines: list[str]) -> dict[str, list[str]]:
    cells = [re.split(r"\s{2,}", line) for line in lines]
    return {row[0]: row[1:] for row in cells if row[0] in ("Role", "Cluster", "Database")}
