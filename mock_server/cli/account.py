"""`smartlic-mock account request|approve|refuse|create|deactivate|activate|policy|delete`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mock_server.cli.common import ask, confirm, yes_option
from mock_server.domain.problems import ACCOUNT_UNKNOWN
from mock_server.domain.state import DEFAULT_SMART_ACCOUNT
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit, printable

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


class Days(click.ParamType[dict[str, int]]):
    """FIRST/FREQUENCY/CHANGE, each 0 to 3650 days."""

    name = "DAYS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        parts = str(value).split("/")
        if len(parts) != 3 or not all(p.isascii() and p.isdigit() and int(p[:9]) <= 3650 for p in parts):
            self.fail(f"{value!r} is not of the form 365/0/90: three numbers of days up to 3650.", param, ctx)
        return dict(zip(("first", "frequency", "on_change"), map(int, parts), strict=True))


_KINDS = ("unenforced_perpetual", "unenforced_subscription", "enforced", "export")


@command.command("policy")
@click.argument("name")
@click.option("--title", help="What devices show it as; by default the account's name.")
@click.option(
    "--unenforced-perpetual", type=Days(), metavar="DAYS", help="Such as 365/0/90; by default 0/0/0."
)
@click.option("--unenforced-subscription", type=Days(), metavar="DAYS", help="By default 0/0/0.")
@click.option("--enforced", type=Days(), metavar="DAYS", help="By default 0/0/0.")
@click.option("--export", type=Days(), metavar="DAYS", help="By default 0/0/0.")
@click.option("--no-acknowledgement", is_flag=True, help="Reports need not be acknowledged.")
@click.option("--none", "none", is_flag=True, help="Tell no policy any more; a device keeps the one it has.")
@click.pass_context
def policy(
    context: click.Context,
    /,
    name: str,
    title: str | None,
    no_acknowledgement: bool,
    none: bool,
    **kinds: Any,
) -> None:
    """Say what the devices of an account that use policies (Smart Licensing Using Policy) have to report.

    DAYS are those until the first report, between reports, and after a change, for each kind of license; 0
    asks for none. Each device is told with its trust code or its next report. Without an option: show it.
    """
    given = {kind: kinds[kind] for kind in _KINDS if kinds[kind] is not None}
    if none and (given or title or no_acknowledgement):
        raise click.UsageError("--none excludes the other options.", context)
    if none or given or title or no_acknowledgement:
        wanted = {"name": title or name, "acknowledgement_required": not no_acknowledgement, **given}
        done = ask(context, "account.policy", name=name, policy=None if none else wanted)
    else:
        rows = ask(context, "account.list")["accounts"]
        found = next((one for one in rows if one["name"] == name), None)
        if found is None:
            raise ACCOUNT_UNKNOWN(account=name)
        done = {"account": name, "policy": found["policy"]}
    emit(done, _policy_text(done))


def _policy_text(done: dict[str, Any]) -> str:
    policy = done["policy"]
    if policy is None:
        return f"{done['account']} tells its devices no policy"
    lines = [f"{done['account']} tells its devices the policy {printable(policy['name'])}"]
    for kind in _KINDS:
        days = policy[kind]
        what = f"first {days['first']}, every {days['frequency']}, after a change {days['on_change']} days"
        lines.append(f"  {kind.replace('_', ' ')}: {what}")
    needed = "needed" if policy["acknowledgement_required"] else "not needed"
    return "\n".join([*lines, f"  acknowledgement {needed}"])


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
