"""`smartlic-mock up`."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec

from mock_server.cli.addresses import address_options
from mock_server.cli.common import folder_of
from mock_server.cli.status import text
from mock_server.cluster import config
from mock_server.cluster.config import ClusterConfig, Layout
from mock_server.cluster.supervisor import Supervisor
from mock_server.errors import CallerError, problem
from smartlic_client.cli.lazy import format_option
from smartlic_client.cli.output import wants_json

OTHER_ADDRESSES = problem(
    "other-addresses",
    CallerError,
    "The cluster in {folder} has other addresses than those given.",
    "Leave the addresses out to start it as it is, or make another cluster with --folder.",
)


@click.command("up")
@address_options(None, None, None)
@format_option
@click.pass_context
def command(context: click.Context, /, **addresses: Any) -> None:
    """Start the cluster in the foreground; Ctrl-C stops all of it.

    A folder that holds no cluster gets a new one. What is in a cluster stays in its folder.
    """
    folder = folder_of(context)
    given = {name: value for name, value in addresses.items() if value is not None}
    asked = config.configure(**given)
    if Layout(folder).cluster_json.exists() and given:
        _same_or_refuse(str(folder), config.load(folder), asked)
    supervisor = Supervisor(folder, asked, "mock_server.service:make")

    def on_up(status: dict[str, Any]) -> None:
        if wants_json():
            line = {"ok": True, "up": True, "folder": str(folder), "status": status}
            click.echo(msgspec.json.encode(line).decode())
            return
        vip = supervisor.config.vip
        host = f"[{vip.host}]" if ":" in vip.host else vip.host
        click.echo(text(status))
        click.echo(f"\nThe cluster is up; its folder is {folder}")
        click.echo(f"  Pages:    https://{host}:{vip.gui_port}/")
        click.echo(
            f"  Products: https://{host}:{vip.device_port}/Transportgateway/services/DeviceRequestHandler"
        )
        click.echo("A mock for tests: it authorizes no real product. Ctrl-C stops it.")

    asyncio.run(supervisor.serve(on_up))
    if not wants_json():
        click.echo("The cluster is down.")


def _same_or_refuse(folder: str, there: ClusterConfig, asked: ClusterConfig) -> None:
    if (there.nodes, there.vip) != (asked.nodes, asked.vip):
        raise OTHER_ADDRESSES(folder=folder)
