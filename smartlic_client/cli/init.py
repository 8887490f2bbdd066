"""`smartlic init`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import home_of
from smartlic_client.cli.output import emit
from smartlic_client.device import Device
from smartlic_client.protocol.identity import Udi
from smartlic_client.store import device_folder


@click.command("init")
@click.option("--pid", required=True, help="Product id, such as C9300-24T.")
@click.option("--sn", required=True, help="Serial number, such as FOC2705Y8X0.")
@click.option("--vid", help="Version id, such as V02.")
@click.option("--name", required=True, help="The device's name: its folder here, its hostname on the server.")
@click.option("--software-id", help="Software id (product tag), regid.…; by default that of a C9300.")
@click.pass_context
def command(
    context: click.Context, pid: str, sn: str, vid: str | None, name: str, software_id: str | None
) -> None:
    """Make a device (a product instance)."""
    folder = device_folder(home_of(context), name)
    udi = Udi(pid=pid, sn=sn, vid=vid)
    more = {"software": software_id} if software_id else {}
    Device.create(folder, udi, hostname=name, **more)
    emit(
        {"name": name, "udi": str(udi), "folder": str(folder)},
        f"Made {name} ({udi}) in {folder}",
    )
