"""`smartlic release`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.output import emit
from smartlic_client.cli.request import usage_data, usage_line
from smartlic_client.cli.resolve import resolve_option


@click.command("release")
@click.argument("entitlement")
@wait_option
@resolve_option
@click.pass_context
def command(
    context: click.Context,
    entitlement: str,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Use no license of ENTITLEMENT any more."""
    with opened(context) as device:
        outcome = device.release(entitlement, wait=wait)
        record = device.record
    emit({**usage_data(record), **outcome_data(outcome)}, usage_line(record, entitlement))
