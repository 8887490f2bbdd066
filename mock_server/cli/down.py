"""`smartlic-mock down`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, folder_of
from smartlic_client.cli.output import emit


@click.command("down")
@click.pass_context
def command(context: click.Context) -> None:
    """Stop a cluster that runs elsewhere: the Standby first, then the Active. Its folder stays."""
    ask(context, "down")
    emit({"folder": str(folder_of(context))}, "The cluster is down.")
