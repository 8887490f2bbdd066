"""`smartlic register`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smartlic_client.cli.common import device_folder_of, opened, outcome_data, resolve_option, wait_option
from smartlic_client.cli.lazy import format_option
from smartlic_client.cli.output import emit, note
from smartlic_client.device import Device
from smartlic_client.protocol.errors import TOKEN_NEEDED
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.record import Record

_LONGEST = 4096


@click.command("register")
@click.option(
    "--token",
    metavar="-|FILE|TOKEN",
    help="The ID token: from standard input (-) or a file. Without this option it is asked for. A token on "
    "the command line works too, but others on this machine can see it there.",
)
@click.option("--force", is_flag=True, help="Replace a registration, here and on the server.")
@click.option("--if-needed", is_flag=True, help="Already registered: exit 0 with changed: false.")
@wait_option
@resolve_option
@format_option
@click.pass_context
def command(
    context: click.Context,
    token: str | None,
    force: bool,
    if_needed: bool,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Register with an ID token, made on the server for a local virtual account.

    A registration that was interrupted is finished as it was meant: one instance, one use of the token.
    """
    if if_needed and not force:
        record, _ = Device.peek(device_folder_of(context))
        if record.identity is not None and record.in_flight is None:
            emit({**_identity(record), "changed": False}, "Already registered; nothing to do.")
            return
    secret = _token(token)
    with opened(context) as device:
        if if_needed and not force and device.record.identity is not None:
            outcome = device.report(wait=wait)
        else:
            outcome = device.register(secret, force=force, wait=wait)
        record = device.record
    emit(
        {**_identity(record), **outcome_data(outcome)},
        f"Registration completed successfully\n  product instance {_identity(record)['piid']}",
    )


def _identity(record: Record) -> dict[str, str | None]:
    identity = record.identity
    return {
        "registration": record.registration.value,
        "piid": identity.piid if identity else None,
        "smart_account": identity.smart_account if identity else None,
        "virtual_account": identity.virtual_account if identity else None,
    }


def _token(given: str | None) -> IdToken:
    if given is None:
        if not sys.stdin.isatty():
            raise TOKEN_NEEDED()
        text = click.prompt("ID token", hide_input=True, err=True)
    elif given == "-":
        text = sys.stdin.read(_LONGEST)
    elif Path(given).is_file():
        with Path(given).open(encoding="ascii", errors="replace") as file:
            text = file.read(_LONGEST)
    else:
        note("warning: a token on the command line can be seen in the list of processes and in the history")
        text = given
    if not text.strip():
        raise TOKEN_NEEDED()
    return IdToken(text)
