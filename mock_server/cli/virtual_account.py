"""`smartlic-mock virtual-account create|list|delete`."""

from __future__ import annotations

import click

from mock_server.cli.common import account_option, ask, confirm, rows_of, table, yes_option
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit


@click.group("virtual-account", cls=VerbGroup)
def command() -> None:
    """The virtual accounts of a local account."""


@command.command("create")
@click.argument("name")
@account_option
@click.option("--description", default="", help="What it is for.")
@click.pass_context
def create(context: click.Context, name: str, account: str, description: str) -> None:
    """Make the virtual account NAME."""
    made = ask(context, "virtual-account.create", account=account, name=name, description=description)
    emit(made, f"{name} created in {account}")


@command.command("list")
@click.option("--account", help="Only those of this local account.")
@click.pass_context
def list_(context: click.Context, account: str | None) -> None:
    """The virtual accounts that there are."""
    found = ask(context, "virtual-account.list", account=account)
    fields = ("account", "name", "product_instances", "description")
    rows = rows_of(found["virtual_accounts"], *fields)
    headers = ["Account", "Virtual account", "Product instances", "Description"]
    emit(found, table(headers, rows, "There is no virtual account."))


@command.command("delete")
@click.argument("name")
@account_option
@yes_option
@click.pass_context
def delete(context: click.Context, name: str, account: str, yes: bool) -> None:
    """Delete the virtual account NAME. Its licenses go back to Default.

    It must have no product instance and no ID token that can be used.
    """
    confirm(f"Delete the virtual account {name} of {account}?", yes)
    done = ask(context, "virtual-account.delete", account=account, name=name)
    emit(done, f"{name} deleted from {account}")
