"""`smartlic-mock certificates`."""

from __future__ import annotations

from pathlib import Path

import click

from mock_server.cli.common import ask
from mock_server.cli.common_name import text
from mock_server.errors import CallerError, problem
from smartlic_client.cli.output import emit

CANNOT_WRITE = problem(
    "cannot-write",
    CallerError,
    "{path} cannot be written: {why}.",
    "Choose another place for it.",
)


@click.command("certificates")
@click.option(
    "--save-anchor", type=click.Path(dir_okay=False), help="Write the trust anchor (PEM) to this file."
)
@click.pass_context
def command(context: click.Context, save_anchor: str | None) -> None:
    """The names that are served, and the trust anchor for products with its fingerprint."""
    found = ask(context, "certificates")
    lines = [text(found), f"Trust anchor:     {found['fingerprint']}"]
    if save_anchor:
        try:
            Path(save_anchor).write_text(found["trust_anchor"], encoding="ascii")
        except OSError as error:
            raise CANNOT_WRITE(path=save_anchor, why=error.strerror) from None
        lines.append(f"Wrote it to {save_anchor}")
    else:
        lines.append(found["trust_anchor"])
    emit(found, "\n".join(lines))
