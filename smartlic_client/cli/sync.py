"""`smartlic sync`."""

from __future__ import annotations

from typing import Any

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.output import emit
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.device import Device
from smartlic_client.protocol.record import Record


def reports_data(record: Record) -> dict[str, Any]:
    """The usage reports, as JSON-ready data."""
    usage = record.usage
    kept = usage.reports if usage is not None else []
    return {
        "trusted": usage is not None and usage.identity is not None,
        "reports": [{"id": one.report_id, "tag": one.tag, "state": one.state.value} for one in kept],
    }


def send_usage(device: Device, wait: float) -> None:
    """Close the open reports, send them, and say so."""
    outcome = device.sync_usage(wait=wait)
    record = device.record
    data = reports_data(record)
    left = sum(one["state"] != "acknowledged" for one in data["reports"])
    several = f"{left} usage report{'' if left == 1 else 's'}"
    if not left:
        text = "All usage reports are acknowledged"
    elif record.transport_off:
        text = f"{several} to save: the transport is off"
    elif not data["trusted"]:
        text = f"{several} to send once there is a trust code, or to save to a file"
    else:
        text = f"{several} to be acknowledged"
    emit({**data, **outcome_data(outcome)}, text)


@click.command("sync")
@wait_option
@resolve_option
@click.pass_context
def command(
    context: click.Context,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Close the usage reports now and send them (Smart Licensing Using Policy): `license smart sync`."""
    with opened(context) as device:
        send_usage(device, wait)
