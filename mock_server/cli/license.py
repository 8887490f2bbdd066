"""`smartlic-mock license add|transfer`."""

from __future__ import annotations

import click

from mock_server.cli.common import account_option, account_options, ask
from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit


@click.group("license", cls=VerbGroup)
def command() -> None:
    """Purchased licenses; `licenses` lists them."""


@command.command("add")
@click.argument("name")
@click.option("--tag", required=True, help="Entitlement tag, regid.…")
@click.option("--quantity", type=int, required=True, help="How many there are now: an absolute number.")
@click.option("--overage", is_flag=True, help="More may be in use: that is overage then.")
@account_options
@click.pass_context
def add(
    context: click.Context,
    name: str,
    tag: str,
    quantity: int,
    overage: bool,
    account: str,
    virtual_account: str,
) -> None:
    """Have QUANTITY licenses NAME of an entitlement in a virtual account."""
    made = ask(
        context,
        "license.add",
        name=name,
        tag=tag,
        quantity=quantity,
        overage_allowed=overage,
        account=account,
        virtual_account=virtual_account,
    )
    emit(made, f"{name}: {quantity} purchased in {account} / {virtual_account}")


@command.command("transfer")
@click.argument("license_", metavar="LICENSE")
@click.option("--quantity", type=int, required=True, help="How many to move.")
@click.option("--to", required=True, metavar="NAME", help="Virtual account that they go to.")
@click.option(
    "--from",
    "source",
    default=DEFAULT_VIRTUAL_ACCOUNT,
    show_default=True,
    metavar="NAME",
    help="Virtual account that they are in.",
)
@click.option(
    "--kind", type=click.Choice(["PERPETUAL", "TERM"]), help="Only of lots of this kind; of any without it."
)
@account_option
@click.pass_context
def transfer(
    context: click.Context, license_: str, quantity: int, to: str, source: str, kind: str | None, account: str
) -> None:
    """Move licenses between virtual accounts of a local account. LICENSE: a name or an entitlement tag."""
    moved = ask(
        context,
        "license.transfer",
        license=license_,
        quantity=quantity,
        account=account,
        virtual_account=source,
        to=to,
        kind=kind,
    )
    emit(moved, f"{license_}: {quantity} transferred from {source} to {to}")
