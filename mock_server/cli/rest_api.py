"""`smartlic-mock rest-api`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask
from mock_server.domain.api_clients import MOST_CALLS
from smartlic_client.cli.output import emit


@click.command("rest-api")
@click.option(
    "--rate-limit",
    type=click.IntRange(0, MOST_CALLS),
    help="Calls of each bearer a minute; 0: any number (the default).",
)
@click.option(
    "--whole-tokens/--hashed-tokens",
    default=None,
    help="Keep new ID tokens readable, so that the API lists them whole; or, by default, their hashes only.",
)
@click.pass_context
def command(context: click.Context, rate_limit: int | None, whole_tokens: bool | None) -> None:
    """How the REST API behaves; without an option, show it."""
    found = ask(context, "rest-api", rate_limit=rate_limit, whole_tokens=whole_tokens)
    limit = f"{found['rate_limit']} calls a minute" if found["rate_limit"] else "none"
    kept = "readable, and listed whole" if found["whole_tokens"] else "as hashes"
    emit(found, f"Rate limit:           {limit}\nNew ID tokens are kept {kept}")
