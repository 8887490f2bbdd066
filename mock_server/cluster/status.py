"""The state of the cluster as one node sees it, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mock_server.cluster.config import NODES, ClusterConfig, Layout, peer_of
from mock_server.cluster.processes import ProcessId, alive, read_node_file
from mock_server.cluster.roles import ACTIVE_STATES, OUTSIDE, State, known, role
from mock_server.cluster.standing import Standing
from mock_server.cluster.witness import Record

MODES = {
    Standing.MEMBER: "cluster",
    Standing.ALONE: "stand-alone",
    Standing.DISCARDED: "discarded",
}
MASTER, SLAVE, DOWN = "Replication Master", "Replication Slave", "down"


def server(
    config: ClusterConfig, name: str, state: State | None, *, database: str, index: int | None = None
) -> dict[str, Any]:
    """One server's line. `state` None: its process is gone."""
    running = "stopped" if state in (None, State.STOPPED) else "running"
    return {
        "name": name,
        "address": config.node(name).host,
        "role": "Standby" if state is None else role(state),
        "cluster": "not enabled" if state in OUTSIDE else running,
        "state": "gone" if state is None else str(state),
        "process": "gone" if state is None else "running",
        "database": database,
        "index": index,
    }


def database_of(state: State | None) -> str:
    """The direction of a server's database: the Active's is copied from, a follower's is copied to."""
    if state in ACTIVE_STATES or state is State.TAKING_OVER:
        return MASTER
    return SLAVE if state in (State.STANDBY, State.CATCHING_UP, State.LEAVING) else DOWN


def recorded_state(layout: Layout, name: str, alive: Callable[[ProcessId], bool] = alive) -> State | None:
    """What a node's process last wrote about itself; None when the process is gone or never was."""
    node = read_node_file(layout.node_json(name))
    if node is None or not alive(node.process):
        return None
    return known(node.state)


def build(
    config: ClusterConfig,
    *,
    me: str,
    states: dict[str, State | None],
    indexes: dict[str, int | None],
    heartbeat: bool,
    record: Record | None,
    reason: str,
    problem: dict[str, Any] | None,
    standing: Standing,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """The result of the control op `status`."""
    active = next((name for name in NODES if states[name] in ACTIVE_STATES), None)
    mine = states[me]
    servers: dict[str, dict[str, Any]] = {
        name: server(config, name, states[name], database=database_of(states[name]), index=indexes[name])
        for name in NODES
    }
    lag = None
    if active is not None and heartbeat:
        here, there = indexes[active], indexes[peer_of(active)]
        lag = max(0, here - there) if here is not None and there is not None else None
    return {
        "cluster": config.cluster,
        "node": me,
        "role": servers[me]["role"],
        "running": servers[me]["cluster"] == "running",
        "state": "gone" if mine is None else str(mine),
        "active": active,
        "database": servers[me]["database"],
        "heartbeat": "connected" if heartbeat else "disconnected",
        "servers": servers,
        "vip": {
            "host": config.vip.host,
            "device_port": config.vip.device_port,
            "gui_port": config.vip.gui_port,
            "holder": active,
        },
        "in_sync": [] if record is None else list(record.in_sync),
        "epoch": 0 if record is None else record.epoch,
        "mode": MODES[standing],
        "lag": lag,
        "reason": reason,
        "problem": problem,
        **facts,
    }
