"""`smartlic-mock instance rename|transfer|remove`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, confirm, yes_option
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit


@click.group("instance", cls=VerbGroup)
def command() -> None:
    """A product instance, by its name or its product instance identifier; `instances` lists them."""


@command.command("rename")
@click.argument("instance")
@click.argument("name")
@click.pass_context
def rename(context: click.Context, instance: str, name: str) -> None:
    """Call INSTANCE by another NAME on this server."""
    emit(ask(context, "instance.rename", instance=instance, name=name), f"{instance} is {name} now")


@command.command("transfer")
@click.argument("instance")
@click.option("--to", required=True, metavar="NAME", help="Virtual account of the same local account.")
@click.pass_context
def transfer(context: click.Context, instance: str, to: str) -> None:
    """Move INSTANCE to another virtual account; the licenses that it uses count there then."""
    moved = ask(context, "instance.transfer", instance=instance, to=to)
    emit(moved, f"{moved['name']} transferred from {moved['from']} to {to}")


@command.command("remove")
@click.argument("instance")
@yes_option
@click.pass_context
def remove(context: click.Context, instance: str, yes: bool) -> None:
    """Forget INSTANCE: its licenses are free, and the product has to register again."""
    confirm(f"Remove the product instance {instance}? The product has to register again.", yes)
    gone = ask(context, "instance.remove", instance=instance)
    emit(gone, f"{gone['name']} is removed")
