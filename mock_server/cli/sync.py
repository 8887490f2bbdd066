"""`smartlic-mock sync`, and its verbs."""

from __future__ import annotations

from typing import Any

import click

from mock_server.cli.common import ask, rows_of, table
from mock_server.cli.common_name import text
from mock_server.cli.files import read_text, write_text
from mock_server.domain.state import DEFAULT_ACCOUNT
from smartlic_client.cli.output import emit

_account = click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Local account.")


@click.group("sync", invoke_without_command=True)
@click.option("--account", "accounts", multiple=True, help="Only this local account; may be given again.")
@click.option("--timeout", type=click.FloatRange(0.05, 20), help="Seconds for CSSM's answer; by default 8.")
@click.pass_context
def command(context: click.Context, accounts: tuple[str, ...], timeout: float | None) -> None:
    """Synchronize the local accounts with the mock CSSM, by the network, now.

    Without --account: all that are active. When all of those are synchronized, certificates with a new Host
    Common Name are made and served. An account that could not be is tried again by itself.
    """
    if context.invoked_subcommand is not None:
        return
    fields: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    _said(ask(context, "synchronize", accounts=list(accounts) or None, **fields))


def _said(found: dict[str, Any]) -> None:
    lines = [f"Synchronized: {', '.join(found['synchronized']) or 'there is no active local account'}"]
    if found["certificates_regenerated"]:
        lines.append("The certificates have been regenerated.")
    if found["still_to_synchronize"]:
        lines.append(f"Still to synchronize: {', '.join(found['still_to_synchronize'])}")
    emit(found, "\n".join([*lines, text(found)]))


@command.command("status")
@click.pass_context
def status(context: click.Context) -> None:
    """When each local account was synchronized, when it will be, and why it could not be."""
    found = ask(context, "sync.status")
    rows = rows_of(found["accounts"], "account", "status", "schedule", "last_sync", "next_sync")
    for row, account in zip(rows, found["accounts"], strict=True):
        row[2] = row[2] or "by hand"
        row[3] = row[3] or "never"
        failure = account["failure"]
        row.append(f"{failure['sentence']} [{failure['code']}]" if failure else "")
    headers = ["Account", "Status", "Schedule", "Last sync", "Next sync", "Last failure"]
    emit(found, table(headers, rows, "There is no local account."))


@command.command("schedule")
@click.argument("every", type=click.Choice(["daily", "weekly", "monthly", "never"]))
@_account
@click.pass_context
def schedule(context: click.Context, every: str, account: str) -> None:
    """Synchronize a local account by itself from now on; monthly is every 30 days."""
    done = ask(context, "sync.schedule", every=every, account=account)
    when = f"{every}, next at {done['next_sync']}" if done["schedule"] else "only when it is asked to be"
    emit(done, f"{account} is synchronized {when}")


@command.command("sign-in")
@click.argument("user")
@_account
@click.pass_context
def sign_in(context: click.Context, user: str, account: str) -> None:
    """Sign in to the mock CSSM as USER; there is no password.

    Scheduled synchronizations need it every 180 days.
    """
    emit(ask(context, "sync.sign-in", user=user, account=account), f"{user} has signed in for {account}")


@command.command("request-file")
@click.argument("file", type=click.Path(dir_okay=False))
@_account
@click.pass_context
def request_file(context: click.Context, file: str, account: str) -> None:
    """Write a synchronization request to FILE, to be carried to CSSM (`smartlic-mock cssm answer`).

    The answer to the last request can be uploaded, and to no earlier one.
    """
    done = ask(context, "sync.request-file", account=account)
    write_text(file, done["request"])
    emit({"account": account, "file": file}, f"Wrote the request of {account} to {file}")


@command.command("answer-file")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--account", help="The local account that it has to be for.")
@click.pass_context
def answer_file(context: click.Context, file: str, account: str | None) -> None:
    """Upload the answer in FILE that CSSM made of the last request of its local account."""
    from mock_server.domain.documents import MAX_DOCUMENT

    _said(ask(context, "sync.answer-file", answer=read_text(file, MAX_DOCUMENT), of=account))
