"""`smartlic-mock demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from mock_server.cli.addresses import address_options
from smartlic_client.cli.output import wants_json


@click.command("demo")
@address_options("127.0.0.11", "127.0.0.9", "127.0.0.14")
@click.option(
    "-f", "--folder", type=click.Path(file_okay=False), help="Work in this folder; by default a new one."
)
@click.option("--pause", is_flag=True, help="Wait for Enter between steps.")
@click.option("--fast", is_flag=True, help="Do not wait; this is the default.")
def command(folder: str | None, pause: bool, fast: bool, **given: Any) -> None:
    """Play scenario B: two servers, a failover, a fallback, four product instances; check each step.

    Where a machine has one address only, give it for all three: ports stand for servers then.
    """
    from mock_server.demo.run import perform
    from mock_server.demo.stage import Addresses

    addresses = Addresses(**{name: value for name, value in given.items() if value is not None})
    quiet = wants_json()
    right, report = perform(
        addresses,
        folder=Path(folder) if folder else None,
        pause=pause and not fast and not quiet,
        quiet=quiet,
    )
    if quiet:
        click.echo(report.read_text(encoding="utf-8"), nl=False)
    if not right:
        sys.exit(1)
