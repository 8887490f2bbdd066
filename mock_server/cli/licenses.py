"""`smartlic-mock licenses`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, rows_of, table
from smartlic_client.cli.output import emit


@click.command("licenses")
@click.pass_context
def command(context: click.Context) -> None:
    """What is purchased, what is in use, and the balance."""
    found = ask(context, "license.list")
    fields = ("license", "account", "virtual_account", "purchased", "in_use", "balance", "status")
    headers = ["License", "Account", "Virtual account", "Purchased", "In use", "Balance", "Status"]
    emit(found, table(headers, rows_of(found["licenses"], *fields), "There is no license."))
