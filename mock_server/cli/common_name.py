"""`smartlic-mock host-common-name`."""

from __future__ import annotations

from typing import Any

import click

from mock_server.cli.common import ask
from smartlic_client.cli.output import emit


def text(found: dict[str, Any]) -> str:
    lines = [f"Host Common Name: {found['common_name']}", f"Served now:       {found['served_name']}"]
    if found["note"]:
        lines.append(found["note"])
    return "\n".join(lines)


@click.command("host-common-name")
@click.argument("name", required=False)
@click.pass_context
def command(context: click.Context, name: str | None) -> None:
    """Set the Host Common Name to NAME: the VIP, or the FQDN that products use. Without NAME, show it.

    What is served stays as it is until the local accounts are synchronized (`smartlic-mock sync`).
    """
    found = ask(context, "certificates") if name is None else ask(context, "common-name", name=name)
    emit(found, text(found))
