"""`smartlic-mock account request|approve|refuse|create|deactivate|activate|delete`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mock_server.cli.common import ask, confirm, yes_option
from mock_server.domain.state import DEFAULT_SMART_ACCOUNT
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit

F = TypeVar("F", bound=Callable[..., Any])


@click.group("account", cls=VerbGroup)
def command() -> None:
    """A local account, from its request to its end; `accounts` lists them."""


def _binding(verb: F) -> F:
    options = [
        click.option(
            "--smart-account", default=DEFAULT_SMART_ACCOUNT, show_default=True, help="In CSSM, its owner."
        ),
        click.option(
            "--cssm-virtual-account",
            show_default="the account's own name",
            help="In CSSM, what it is bound to; each belongs to one local account.",
        ),
        click.option("--email", default="", help="Of who asks for it."),
    ]
    for option in reversed(options):
        verb = option(verb)
    return verb


@command.command("request")
@click.argument("name")
@_binding
@click.pass_context
def request(context: click.Context, /, name: str, **binding: Any) -> None:
    """Ask for the local account NAME. Nothing can be done with it before it is approved."""
    done = ask(context, "account.request", name=name, **binding)
    emit(done, f"{name} is requested")


@command.command("create")
@click.argument("name")
@_binding
@click.pass_context
def create(context: click.Context, /, name: str, **binding: Any) -> None:
    """Ask for the local account NAME and approve it, in one step."""
    done = ask(context, "account.create", name=name, **binding)
    emit(done, f"{name} is active")


@command.command("approve")
@click.argument("name")
@click.pass_context
def approve(context: click.Context, name: str) -> None:
    """Approve a request: the account is active."""
    emit(ask(context, "account.approve", name=name), f"{name} is active")


@command.command("refuse")
@click.argument("name")
@yes_option
@click.pass_context
def refuse(context: click.Context, name: str, yes: bool) -> None:
    """Refuse a request: it is gone, and its name free again."""
    confirm(f"Refuse the request for the local account {name}?", yes)
    emit(ask(context, "account.refuse", name=name), f"The request for {name} is refused")


@command.command("deactivate")
@click.argument("name")
@click.option("--reason", required=True, help="Why; it is shown until the account is activated again.")
@click.pass_context
def deactivate(context: click.Context, name: str, reason: str) -> None:
    """Let nothing be done with an account for the time being; its products are refused."""
    emit(ask(context, "account.deactivate", name=name, reason=reason), f"{name} is inactive")


@command.command("activate")
@click.argument("name")
@click.pass_context
def activate(context: click.Context, name: str) -> None:
    """Make an inactive account active again."""
    emit(ask(context, "account.activate", name=name), f"{name} is active")


@command.command("delete")
@click.argument("name")
@yes_option
@click.pass_context
def delete(context: click.Context, name: str, yes: bool) -> None:
    """Delete an inactive account with its virtual accounts, tokens and licenses.

    It must have no product instance any more.
    """
    confirm(f"Delete the local account {name} with its virtual accounts, tokens and licenses?", yes)
    emit(ask(context, "account.delete", name=name), f"{name} is deleted")
