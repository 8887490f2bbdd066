"""What each command of the console does on a node."""

from __future__ import annotations

from collections.abc import Callable

from mock_server.cluster.commands import membership
from mock_server.cluster.commands.table import Arguments
from mock_server.cluster.node import Node
from mock_server.cluster.talk import Talk

Handler = Callable[[Node, Arguments], Talk]

HANDLERS: dict[str, Handler] = {
    "ha_status": membership.show,
    "ha_cluster_stop": membership.stop,
    "ha_cluster_start": membership.start,
}
"""Beside these are the commands of `table.plain`, which need no node."""
