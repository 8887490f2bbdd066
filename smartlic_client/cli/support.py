"""`smartlic support bundle`."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click

from smartlic_client.cli.bundle import collect, packed
from smartlic_client.cli.common import home_of
from smartlic_client.cli.configuration import found
from smartlic_client.cli.files import write_file
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit
from smartlic_client.store import list_devices


@click.group("support", cls=VerbGroup)
def command() -> None:
    """Collect what helps to find a fault."""


@command.command("bundle")
@click.option("--output", metavar="FILE", help="The ZIP file; by default smartlic-support-DATE.zip here.")
@click.pass_context
def bundle(context: click.Context, output: str | None) -> None:
    """Write a ZIP file with the devices' records, texts and logs, the settings and versions.

    Secrets are taken out: ID tokens, private keys, trust codes, passwords of proxies. Names, addresses and
    serial numbers stay: look at it before you give it away.
    """
    now = time.time()
    home = home_of(context)
    chosen = context.find_root().meta.get("smartlic.device")
    files = collect(home, [chosen] if chosen else list_devices(home), found(context), now)
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    target = output or f"smartlic-support-{date}.zip"
    write_file(target, packed(files, now))
    emit({"file": target, "members": list(files)}, f"Wrote {target}: {len(files)} files, secrets removed")
