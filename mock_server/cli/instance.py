"""`smartlic-mock instance rename|transfer|remove|import-usage`."""

from __future__ import annotations

import base64

import click

from mock_server.cli.common import ask, confirm, yes_option
from mock_server.cli.files import read_bytes, write_text
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit, printable


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


@command.command("import-usage")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.argument("acknowledgement", type=click.Path(dir_okay=False))
@click.option("--account", help="Local account of a device that is new here; by default Lab.")
@click.option("--virtual-account", help="Its virtual account; by default Default.")
@click.pass_context
def import_usage(
    context: click.Context, file: str, acknowledgement: str, account: str | None, virtual_account: str | None
) -> None:
    """Take the usage reports in FILE, of a device whose transport is off, and write the ACKNOWLEDGEMENT.

    The device made FILE by `smartlic report --save FILE`, and takes the acknowledgement by `smartlic report
    --import ACKNOWLEDGEMENT`. A device that has no trust code and is new here becomes a product instance.
    The same file again changes nothing, and gives the acknowledgement again.
    """
    from smartlic_client.protocol.usage_file import MAX_FILE

    content = base64.b64encode(read_bytes(file, MAX_FILE)).decode()
    done = ask(
        context, "instance.import-usage", content=content, account=account, virtual_account=virtual_account
    )
    write_text(acknowledgement, done.pop("acknowledgement"))
    new, known = done["new"], done["reports"] - done["new"]
    text = f"Took {new} usage report{'' if new == 1 else 's'} of {printable(done['name'])}"
    if known:
        text += f"; {known} known already"
    emit({**done, "file": acknowledgement}, f"{text}\nThe acknowledgement is in {acknowledgement}")
