"""`smartlic-mock demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smartlic_client.cli.lazy import format_option
from smartlic_client.cli.output import wants_json


@click.command("demo")
@click.option("--primary", default="127.0.0.11", show_default=True, help="The Primary's address.")
@click.option("--secondary", default="127.0.0.9", show_default=True, help="The Secondary's address.")
@click.option("--vip", default="127.0.0.14", show_default=True, help="The virtual IP address.")
@click.option("--device-port", type=int, default=4443, show_default=True, help="Port for devices.")
@click.option("--gui-port", type=int, default=8443, show_default=True, help="Port of the pages.")
@click.option(
    "--peer-port", type=int, default=5405, show_default=True, help="Port of heartbeat and replication."
)
@click.option("--work", type=click.Path(file_okay=False), help="Work in this folder; by default a new one.")
@click.option("--pause", is_flag=True, help="Wait for Enter between steps.")
@click.option("--fast", is_flag=True, help="Do not wait; this is the default.")
@format_option
def command(
    primary: str,
    secondary: str,
    vip: str,
    device_port: int,
    gui_port: int,
    peer_port: int,
    work: str | None,
    pause: bool,
    fast: bool,
) -> None:
    """Play scenario B: two servers, a failover, a fallback, four product instances; check each step.

    Where a machine has one address only, give it for all three: ports stand for servers then.
    """
    from mock_server.demo.run import perform
    from mock_server.demo.stage import Addresses

    addresses = Addresses(primary, secondary, vip, device_port, gui_port, peer_port)
    quiet = wants_json()
    right, report = perform(
        addresses, folder=Path(work) if work else None, pause=pause and not fast and not quiet, quiet=quiet
    )
    if quiet:
        click.echo(report.read_text(encoding="utf-8"), nl=False)
    if not right:
        sys.exit(1)
