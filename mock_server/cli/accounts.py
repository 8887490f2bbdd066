"""`smartlic-mock accounts`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, rows_of, table
from smartlic_client.cli.output import emit


@click.command("accounts")
@click.pass_context
def command(context: click.Context) -> None:
    """The local accounts, and when they were synchronized."""
    found = ask(context, "account.list")
    rows = rows_of(found["accounts"], "name", "status", "smart_account", "last_sync")
    for row, account in zip(rows, found["accounts"], strict=True):
        if account["reason"]:
            row[1] += f": {account['reason']}"
        row[3] = row[3] or "never"
        row.append(", ".join(account["virtual_accounts"]))
    headers = ["Account", "Status", "Smart account", "Last sync", "Virtual accounts"]
    emit(found, table(headers, rows, "There is no local account."))
