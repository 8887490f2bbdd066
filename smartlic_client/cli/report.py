"""`smartlic report`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.output import emit
from smartlic_client.cli.request import usage_data
from smartlic_client.cli.resolve import resolve_option


@click.command("report")
@wait_option
@resolve_option
@click.pass_context
def command(
    context: click.Context,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Tell the server the counts now, changed or not, and finish what was interrupted."""
    with opened(context) as device:
        outcome = device.report(wait=wait)
        record = device.record
    count = len(record.entitlements)
    text = f"Reported {count} license{'' if count == 1 else 's'}: {record.authorization.value}"
    emit({**usage_data(record), **outcome_data(outcome)}, text)
