"""`smartlic request`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.output import emit
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.protocol.record import Record


def usage_data(record: Record) -> dict[str, object]:
    """What the device uses, as JSON-ready data."""
    return {
        "authorization": record.authorization.value,
        "entitlements": [
            {"tag": tag, "count": used.count, "enforcement_mode": used.enforcement_mode}
            for tag, used in record.entitlements.items()
        ],
    }


def usage_line(record: Record, tag: str) -> str:
    used = record.entitlements.get(tag)
    return f"{tag}: {used.count} in use, {used.enforcement_mode}" if used else f"{tag}: released"


@click.command("request")
@click.argument("entitlement")
@click.argument("count", type=int)
@wait_option
@resolve_option
@click.pass_context
def command(
    context: click.Context,
    entitlement: str,
    count: int,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Use COUNT licenses of ENTITLEMENT (a tag, regid.…) from now on.

    The count is absolute: asking twice for 3 uses 3. A registered device tells the server at once.
    """
    with opened(context) as device:
        outcome = device.request(entitlement, count, wait=wait)
        record = device.record
    emit({**usage_data(record), **outcome_data(outcome)}, usage_line(record, entitlement))
