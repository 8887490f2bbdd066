"""`smartlic privacy`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened
from smartlic_client.cli.output import emit


@click.command("privacy")
@click.argument("what", type=click.Choice(["all", "hostname", "version"]))
@click.argument("switch", type=click.Choice(["on", "off"]), default="on")
@click.pass_context
def command(context: click.Context, what: str, switch: str) -> None:
    """Withhold hostname, version or both from messages; `off` tells them again. It counts from the next
    message on: one that is under way stays as it is.
    """
    private = switch == "on"
    with opened(context) as device:
        device.configure(
            hostname_private=private if what in ("all", "hostname") else None,
            version_private=private if what in ("all", "version") else None,
        )
        record = device.record
    data = {"hostname_private": record.hostname_private, "version_private": record.version_private}
    words = {True: "withheld", False: "told"}
    text = f"Hostname {words[record.hostname_private]}, version {words[record.version_private]}"
    emit(data, text)
