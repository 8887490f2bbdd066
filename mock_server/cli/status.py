"""`smartlic-mock status`."""

from __future__ import annotations

from typing import Any

import click

from mock_server.cli.common import ask
from mock_server.cluster.console import ha_status, outside
from mock_server.cluster.problems import NOBODY_ACTIVE
from smartlic_client.cli.output import emit


def text(status: dict[str, Any]) -> str:
    """Both servers side by side, as the Active sees them, else the Primary."""
    if status["mode"] != "cluster":
        return "\n".join(outside(status))
    return "\n".join(ha_status(status["nodes"][status["active"] or "primary"]))


def stands_alone(status: dict[str, Any]) -> bool:
    """Whether the Primary serves without a cluster."""
    alone: bool = status["mode"] == "stand-alone" and status["nodes"]["primary"]["state"] == "stand-alone"
    return alone


@click.command("status")
@click.option("--check", is_flag=True, help="Exit with 2 unless a server serves; for health checks.")
@click.pass_context
def command(context: click.Context, check: bool) -> None:
    """Both servers side by side: roles, databases, heartbeat, and who holds the VIP."""
    found = ask(context, "status")
    if check and found["active"] is None and not stands_alone(found):
        raise NOBODY_ACTIVE(retry_after=1)
    emit(found, text(found))
