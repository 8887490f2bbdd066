"""`smartlic-mock token create|list|revoke`."""

from __future__ import annotations

import math
from contextlib import suppress

import click

from mock_server.cli.common import account_options, ask, rows_of, table
from mock_server.domain.problems import BAD_DAYS
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.identity import IdToken


@click.group("token", cls=VerbGroup)
def command() -> None:
    """ID tokens, with which products register."""


@command.command("create")
@account_options
@click.option("--description", default="", help="What it is for.")
@click.option(
    "--days", type=float, default=30, show_default=True, help="Expires after so many days (1 to 365)."
)
@click.option("--uses", type=int, help="Expires after so many uses; any number without this option.")
@click.option("--export-controlled", is_flag=True, help="Allow export-controlled functionality.")
@click.pass_context
def create(
    context: click.Context,
    account: str,
    virtual_account: str,
    description: str,
    days: float,
    uses: int | None,
    export_controlled: bool,
) -> None:
    """Make a token. It is printed once, here; the server keeps its hash only."""
    if not math.isfinite(days):  # JSON has no such numbers
        raise BAD_DAYS(days=days)
    made = ask(
        context,
        "token.create",
        account=account,
        virtual_account=virtual_account,
        description=description,
        days=days,
        uses=uses,
        export_controlled=export_controlled,
    )
    emit(made, made["token"])


@command.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """The tokens that there are, without their secrets."""
    found = ask(context, "token.list")
    headers = ["Token id", "Account", "Virtual account", "Expires", "Uses", "Used", "State", "Description"]
    fields = (
        "token_id",
        "account",
        "virtual_account",
        "expires_at",
        "uses",
        "used",
        "state",
        "description",
    )
    emit(found, table(headers, rows_of(found["tokens"], *fields), "There is no token."))


@command.command("revoke")
@click.argument("token_id")
@click.pass_context
def revoke(context: click.Context, token_id: str) -> None:
    """Revoke the token TOKEN_ID (see `token list`); the whole token does as well."""
    with suppress(SmartlicError):
        token_id = IdToken(token_id).token_id  # so that no error repeats a secret
    done = ask(context, "token.revoke", token_id=token_id)
    emit(done, "Revoked" if done["changed"] else "It had been revoked already")
