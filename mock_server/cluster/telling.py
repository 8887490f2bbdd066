"""What a node tells of itself: the control op `status`, and `node.json` for who reads the folder."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mock_server.cluster import processes, status
from mock_server.cluster.config import NODES
from mock_server.cluster.control import describe
from mock_server.cluster.processes import NodeFile
from mock_server.cluster.roles import ACTIVE_STATES, State, known, role

if TYPE_CHECKING:
    from mock_server.cluster.node import Node

log = logging.getLogger(__name__)


def status_of(node: Node) -> dict[str, Any]:
    """The cluster as this node sees it."""
    beat = node.last_beat if node.peers.connections else None
    there = known(beat.state) if beat else status.recorded_state(node.layout, node.peer, node.world.alive)
    if node.state in ACTIVE_STATES and there in ACTIVE_STATES:
        there = State.WAITING  # its word is old: there is one Active
    peer_index = beat.index if beat is not None else None
    if node.leader is not None and node.leader.live and node.ledger is not None:
        peer_index = node.ledger.acked
    return status.build(
        node.config,
        me=node.name,
        states={name: node.state if name == node.name else there for name in NODES},
        indexes={node.name: node.index if node.worker is not None else None, node.peer: peer_index},
        heartbeat=node.peers.heard("heartbeat", node.world.time()),
        record=node.record,
        reason=node.reason,
        problem=describe(node.problem) if node.problem else None,
        standing=node.standing,
        facts={
            "cut": node.cut,
            "takeover_seconds": node.takeover_seconds,
            "pid": node.process.pid,
            "refused": node.peers.refusal,
        },
    )


def write_node_file(node: Node) -> None:
    """Say in the folder what this node is now."""
    told = NodeFile(
        node.config.cluster,
        node.name,
        node.process.pid,
        node.process.started,
        str(node.state),
        role(node.state),
        node.control_path,
        node.record.epoch if node.record else 0,
        node.index,
    )
    try:
        processes.write_node_file(node.layout.node_json(node.name), told)
    except OSError as error:
        log.warning("node.json cannot be written: %s", error)
