"""`smartlic-mock status`."""

from __future__ import annotations

from typing import Any

import click

from mock_server.cli.common import ask
from mock_server.cluster.console import ha_status, outside
from smartlic_client.cli.output import emit


def text(status: dict[str, Any]) -> str:
    """Both servers side by side, as the Active sees them, else the Primary."""
    if status["mode"] != "cluster":
        return "\n".join(outside(status))
    return "\n".join(ha_status(status["nodes"][status["active"] or "primary"]))


@click.command("status")
@click.pass_context
def command(context: click.Context) -> None:
    """Both servers side by side: roles, databases, heartbeat, and who holds the VIP."""
    found = ask(context, "status")
    emit(found, text(found))
