"""What each command of the console does on a node."""

from __future__ import annotations

from collections.abc import Callable

from mock_server.cluster.commands import deployment, membership, teardown
from mock_server.cluster.commands.table import Arguments
from mock_server.cluster.node import Node
from mock_server.cluster.talk import Talk

Handler = Callable[[Node, Arguments], Talk]

HANDLERS: dict[str, Handler] = {
    "ha_status": membership.show,
    "ha_cluster_stop": membership.stop,
    "ha_cluster_start": membership.start,
    "ha_generatekeys": deployment.generate_keys,
    "ha_provision_standby": deployment.provision,
    "ha_deploy": deployment.deploy,
    "ha_teardown": teardown.teardown,
}
"""Beside these are the commands of `table.plain`, which need no node."""
