"""`smartlic factory-reset`."""

from __future__ import annotations

import click

from smartlic_client.cli.clean import confirm, registered_as, warn_of
from smartlic_client.cli.common import device_folder_of, opened
from smartlic_client.cli.output import emit, printable


@click.command("factory-reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, yes: bool) -> None:
    """Forget all that licensing has brought: registration or trust code, counts, reports, history.

    The device stays, with its UDI and its settings (destination, trust anchor, privacy, custom id). The
    server is not told: de-register first, or remove the product instance there.
    """
    folder = device_folder_of(context)
    piid = registered_as(folder)
    if not yes:
        confirm(f"Reset the licensing of {printable(folder.name)}", piid, "smartlic factory-reset --yes")
    with opened(context) as device:
        device.factory_reset()
    warn_of(piid)
    emit({"folder": str(folder), "piid": piid}, f"{printable(folder.name)} is as new")
