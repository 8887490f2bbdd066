"""The life of a node from its console's opening to its end, whatever it runs in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mock_server.cluster.control import ControlServer
from mock_server.cluster.node import Node
from mock_server.cluster.ops import Operations
from mock_server.cluster.processes import read_node_file
from mock_server.cluster.roles import Event
from mock_server.cluster.talk import ANSWER_SECONDS

__all__ = ["live"]

log = logging.getLogger(__name__)

_CARRIED = 10.0
"""Seconds that a question waits longer here than in the supervisor, which carries it to the console."""


async def live(
    node: Node,
    ending: asyncio.Event,
    ready: Callable[[], None],
    *,
    stopped: bool,
    killed: Callable[[], bool] = lambda: False,
) -> None:
    """Serve until `ending`; then stop in order, or fall silent if it was `killed`.

    `ready` is called when the node's control socket is there; `stopped`: the cluster is not started on it.
    """
    log_path = node.layout.log(node.name)
    control = ControlServer(node.name, log_path, Operations(node).dispatch, ANSWER_SECONDS + _CARRIED)
    former = read_node_file(node.layout.node_json(node.name))
    stale = former.control if former is not None and not node.world.alive(former.process) else None
    node.control_path = str(await control.open(stale))
    node.begin()
    ready()
    if not stopped:
        node.post(Event.START)
    try:
        await ending.wait()
        log.info("ending")
    finally:
        await (node.abandon() if killed() else node.end())
        await control.close()
