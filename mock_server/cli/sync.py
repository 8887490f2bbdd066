"""`smartlic-mock sync`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask
from mock_server.cli.common_name import text
from smartlic_client.cli.output import emit


@click.command("sync")
@click.option("--account", "accounts", multiple=True, help="Only this local account; may be given again.")
@click.pass_context
def command(context: click.Context, accounts: tuple[str, ...]) -> None:
    """Synchronize the local accounts with the mock CSSM.

    When all of them are, certificates with a new Host Common Name are made and served.
    """
    found = ask(context, "synchronize", accounts=list(accounts) or None)
    lines = [f"Synchronized: {', '.join(found['synchronized'])}"]
    if found["certificates_regenerated"]:
        lines.append("The certificates have been regenerated.")
    if found["still_to_synchronize"]:
        lines.append(f"Still to synchronize: {', '.join(found['still_to_synchronize'])}")
    emit(found, "\n".join([*lines, text(found)]))
