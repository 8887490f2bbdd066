"""`smartlic-mock licenses`."""

from __future__ import annotations

import click

from mock_server.cli import elsewhere
from mock_server.cli.common import ask, rows_of, table
from mock_server.cli.elsewhere import elsewhere_options
from smartlic_client.cli.output import emit


@click.command("licenses")
@elsewhere_options
@click.pass_context
def command(context: click.Context, /, **given: str | None) -> None:
    """What is purchased, what is in use, and the balance."""
    found = elsewhere.licenses(given) or ask(context, "license.list")
    fields = ("license", "account", "virtual_account", "purchased", "in_use", "balance", "status")
    headers = ["License", "Account", "Virtual account", "Purchased", "In use", "Balance", "Status"]
    emit(found, table(headers, rows_of(found["licenses"], *fields), "There is no license."))
