"""`smartlic deregister`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.output import emit
from smartlic_client.cli.resolve import resolve_option


@click.command("deregister")
@wait_option
@resolve_option
@click.pass_context
def command(
    context: click.Context,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """End the registration, here and on the server.

    Local data goes even if the server cannot be reached; then remove the instance on the server as well.
    """
    with opened(context) as device:
        outcome = device.deregister(wait=wait)
        record = device.record
    told = "" if outcome.pending is None else ", but the server could not be told"
    emit({"registration": record.registration.value, **outcome_data(outcome)}, f"De-registered{told}")
