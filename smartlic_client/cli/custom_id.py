"""`smartlic custom-id`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened
from smartlic_client.cli.output import emit, printable


@click.command("custom-id")
@click.argument("text", required=False)
@click.option("--none", "none", is_flag=True, help="Have none any more.")
@click.pass_context
def command(context: click.Context, text: str | None, none: bool) -> None:
    """Set a text of your own by which the server knows the device, such as `rack 7`.

    It counts from the next message on.
    """
    if (text is None) != none:
        raise click.UsageError("Give a text, or --none.", context)
    with opened(context) as device:
        device.configure(custom_id=text or "")
        kept = device.record.custom_id
    emit({"custom_id": kept}, "No custom id" if kept is None else f"Custom id: {printable(kept)}")
