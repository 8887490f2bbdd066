"""`smartlic-mock alerts`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, page, page_options, rows_of, table
from smartlic_client.cli.output import emit


@click.command("alerts")
@click.option("--account", help="Only what is about this local account, or about the whole server.")
@page_options
@click.pass_context
def command(context: click.Context, account: str | None, limit: int, offset: int) -> None:
    """What wants somebody's attention, the major things first."""
    found = ask(context, "alert.list", account=account, limit=limit, offset=offset)
    fields = ("severity", "messageType", "sourceType", "source", "account", "actionDue", "message")
    headers = ["Severity", "Alert", "About", "Name", "Account", "Due", "Message"]
    rows = rows_of(found["alerts"], *fields)
    emit(found, page(found, rows, offset, table(headers, rows, "There is no alert.")))
