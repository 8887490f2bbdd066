"""`smartlic-mock license add`."""

from __future__ import annotations

import click

from mock_server.cli.common import account_options, ask
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit


@click.group("license", cls=VerbGroup)
def command() -> None:
    """Purchased licenses."""


@command.command("add")
@click.argument("name")
@click.option("--tag", required=True, help="Entitlement tag, regid.…")
@click.option("--quantity", type=int, required=True, help="How many there are now: an absolute number.")
@account_options
@click.pass_context
def add(
    context: click.Context, name: str, tag: str, quantity: int, account: str, virtual_account: str
) -> None:
    """Have QUANTITY licenses NAME of an entitlement in a virtual account."""
    made = ask(
        context,
        "license.add",
        name=name,
        tag=tag,
        quantity=quantity,
        account=account,
        virtual_account=virtual_account,
    )
    emit(made, f"{name}: {quantity} purchased in {account} / {virtual_account}")
