"""`smartlic-mock demo`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import click

from mock_server.cli.addresses import address_options
from smartlic_client.cli.output import wants_json


@click.command("demo")
@click.option(
    "--scenario",
    "letter",
    type=click.Choice(["A", "B", "C", "all"], case_sensitive=False),
    default="B",
    show_default=True,
    help="A: accounts are synchronized; B: products register by the VIP; C: back to a stand-alone server.",
)
@address_options(None, None, None, shown="the scenario's")
@click.option(
    "-f", "--folder", type=click.Path(file_okay=False), help="Work in this folder; by default a new one."
)
@click.option(
    "--report", type=click.Path(), metavar="FILE", help="Write a report: one HTML file, for a change ticket."
)
@click.option("--pause", is_flag=True, help="Wait for Enter between steps.")
@click.option("--fast", is_flag=True, help="Do not wait; this is the default.")
def command(
    letter: str, folder: str | None, report: str | None, pause: bool, fast: bool, **given: Any
) -> None:
    """Play a scenario on a cluster of two real servers, and check each step.

    By default on the addresses of the operators' procedure: 127.0.0.11, .9 and .14 for B, and .5, .10 and
    .12 for A and C. Where a machine has one address only, give it for all three: ports stand for servers
    then.
    """
    from mock_server.demo.run import Settings, perform
    from mock_server.demo.scenarios import SCENARIOS

    quiet = wants_json()
    settings = Settings(
        given={name: value for name, value in given.items() if value is not None},
        folder=Path(folder) if folder else None,
        report=Path(report) if report else None,
        pause=pause and not fast and not quiet,
        quiet=quiet,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the cluster is stopped in order then, too
    wanted = list(SCENARIOS.values()) if letter == "all" else [SCENARIOS[letter]]
    right, steps = perform(wanted, settings)
    if quiet:
        click.echo(steps.read_text(encoding="utf-8"), nl=False)
    if not right:
        sys.exit(1)
