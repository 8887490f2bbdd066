"""`smartlic-mock api-client create|list|renew|delete`."""

from __future__ import annotations

import json
from typing import Any

import click

from mock_server.cli.common import account_option, ask, confirm, rows_of, table, yes_option
from mock_server.cli.files import write_secret
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit


@click.group("api-client", cls=VerbGroup)
def command() -> None:
    """What automation signs in to the REST API as. Its scope is one local account."""


_save = click.option(
    "--save",
    type=click.Path(dir_okay=False),
    help="Write what a request for an access token has to say, as JSON, to this file, for this user only; "
    "the secret is not printed then.",
)


@command.command("create")
@account_option
@click.option("--name", default="automation", show_default=True, help="One that the account does not have.")
@_save
@click.pass_context
def create(context: click.Context, account: str, name: str, save: str | None) -> None:
    """Make an API client. Its secret is shown once, here; the server keeps its hash only."""
    _shown(ask(context, "api-client.create", account=account, name=name), save)


@command.command("renew")
@click.argument("client_id")
@_save
@click.pass_context
def renew(context: click.Context, client_id: str, save: str | None) -> None:
    """Give the client CLIENT_ID a new secret. The former one and its access tokens end."""
    _shown(ask(context, "api-client.renew", client_id=client_id), save)


def _shown(made: dict[str, Any], save: str | None) -> None:
    lines = [f"Client id:     {made['client_id']}"]
    if save:
        body = {
            "grant_type": "client_credentials",
            "client_id": made["client_id"],
            "client_secret": made.pop("client_secret"),
        }
        write_secret(save, json.dumps(body) + "\n")
        lines.append(f"Wrote the request for an access token to {save}")
    else:
        lines.append(f"Client secret: {made['client_secret']}")
    emit(made, "\n".join(lines))


@command.command("list")
@click.option("--account", help="Only those of this local account.")
@click.pass_context
def list_(context: click.Context, account: str | None) -> None:
    """The API clients, without their secrets."""
    found = ask(context, "api-client.list", account=account)
    headers = ["Client id", "Account", "Name", "Created", "By", "Secret renewed", "Access tokens"]
    fields = ("client_id", "account", "name", "created_at", "created_by", "renewed_at", "access_tokens")
    emit(found, table(headers, rows_of(found["api_clients"], *fields), "There is no API client."))


@command.command("delete")
@click.argument("client_id")
@yes_option
@click.pass_context
def delete(context: click.Context, client_id: str, yes: bool) -> None:
    """Delete the client CLIENT_ID, and end its access tokens."""
    confirm(f"Delete the API client {client_id}?", yes)
    done = ask(context, "api-client.delete", client_id=client_id)
    emit(done, f"The API client {done['name']} is deleted")
