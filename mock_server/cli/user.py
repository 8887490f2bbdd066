"""`smartlic-mock user add|list|remove|password`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, confirm, rows_of, table, yes_option
from mock_server.cli.passwords import password_of, password_option
from mock_server.domain.state import UserRole
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit


@click.group("user", cls=VerbGroup)
def command() -> None:
    """Who may sign in to the pages, and ask the REST API with a password."""


@command.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in UserRole]),
    default=str(UserRole.USER),
    show_default=True,
    help="An administrator may do everything.",
)
@password_option
@click.pass_context
def add(context: click.Context, name: str, role: str, password_file: str | None) -> None:
    """Make the user NAME."""
    password = password_of(password_file)
    emit(ask(context, "user.add", name=name, role=role, password=password), f"{name} is {role}")


@command.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """The users that there are."""
    found = ask(context, "user.list")
    headers = ["Name", "Role", "Created", "By", "Password changed"]
    fields = ("name", "role", "created_at", "created_by", "password_changed_at")
    emit(found, table(headers, rows_of(found["users"], *fields), "There is no user."))


@command.command("password")
@click.argument("name")
@password_option
@click.pass_context
def password(context: click.Context, name: str, password_file: str | None) -> None:
    """Give the user NAME another password; the user's sessions end."""
    done = ask(context, "user.password", name=name, password=password_of(password_file))
    emit(done, f"The password of {name} is changed")


@command.command("remove")
@click.argument("name")
@yes_option
@click.pass_context
def remove(context: click.Context, name: str, yes: bool) -> None:
    """Remove the user NAME, whose sessions end; the last administrator stays."""
    confirm(f"Remove the user {name}?", yes)
    emit(ask(context, "user.remove", name=name), f"{name} is removed")
