"""`smartlic-mock events`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, rows_of, table
from smartlic_client.cli.output import emit


@click.command("events")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many changes."
)
@click.pass_context
def command(context: click.Context, limit: int) -> None:
    """The event log, newest first: what happened, who did it, and on which server."""
    found = ask(context, "event.list", limit=limit)
    rows = rows_of(found["events"], "index", "at", "node", "by", "event")
    emit(found, table(["Index", "Time", "Server", "By", "Event"], rows, "Nothing has happened yet."))
