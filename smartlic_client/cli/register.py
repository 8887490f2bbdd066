"""`smartlic register`."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import click

from smartlic_client.cli.common import device_folder_of, opened, outcome_data, wait_option
from smartlic_client.cli.output import emit, note, wants_json
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.device import Device
from smartlic_client.errors import CallerError, SmartlicError, problem
from smartlic_client.protocol.errors import TOKEN_NEEDED
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.record import Record

_LONGEST = 4096

TOKEN_UNREADABLE = problem(
    "token-unreadable",
    CallerError,
    "The ID token cannot be read from {path}: {why}.",
    "Give a file that this user may read, or the token on standard input: --token -",
)


@click.command("register", context_settings={"allow_extra_args": True})
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
    if context.args:
        # Not by click, whose message repeats the argument: it may be the token.
        raise click.UsageError("The token stands behind --token; there is an argument too many.", context)
    if if_needed and not force:
        record, _ = Device.peek(device_folder_of(context))
        if record.identity is not None and record.in_flight is None:
            done = {**_identity(record), "changed": False, "pending": None, "resumed": False}
            emit(done, "Already registered; nothing to do.")
            return
    secret = _token(token)
    with opened(context) as device:
        if if_needed and not force and device.record.identity is not None:
            outcome = device.report(wait=wait)
        else:
            outcome = device.register(secret, force=force, wait=wait)
        record = device.record
    if not outcome.token_used and not wants_json():
        note("note: a registration that was under way is finished; it used the token that it began with")
    emit(
        {**_identity(record), **outcome_data(outcome), "resumed": outcome.resumed},
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
        if sys.stdin is None or not sys.stdin.isatty():
            raise TOKEN_NEEDED()
        text = click.prompt("ID token", hide_input=True, err=True)
    elif given == "-":
        text = "" if sys.stdin is None else _text(sys.stdin.buffer.read(_LONGEST))
    elif (inside := _read(given)) is not None:
        text = inside
    else:
        note("warning: a token on the command line can be seen in the list of processes and in the history")
        return _token_itself(given)
    if not text.strip():
        raise TOKEN_NEEDED()
    return IdToken(text)


def _read(given: str) -> str | None:
    """What the file `given` holds; None where there is no such file. It may be a pipe: `<(…)`."""
    try:
        with Path(given).open("rb") as file:
            return _text(file.read(_LONGEST))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise TOKEN_UNREADABLE(path=given, why=error.strerror) from None


def _token_itself(given: str) -> IdToken:
    try:
        return IdToken(given)
    except SmartlicError:
        # Not said which: what was given may be a secret with a slip in it.
        note("note: there is no file of that name, so it was taken for the token itself")
        raise


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
