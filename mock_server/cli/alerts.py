"""`smartlic-mock alerts`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, rows_of, table
from smartlic_client.cli.output import emit


@click.command("alerts")
@click.option("--account", help="Only what is about this local account, or about the whole server.")
@click.pass_context
def command(context: click.Context, account: str | None) -> None:
    """What wants somebody's attention, the major things first."""
    found = ask(context, "alert.list", account=account)
    fields = ("severity", "messageType", "sourceType", "source", "account", "actionDue", "message")
    headers = ["Severity", "Alert", "About", "Name", "Account", "Due", "Message"]
    emit(found, table(headers, rows_of(found["alerts"], *fields), "There is no alert."))
