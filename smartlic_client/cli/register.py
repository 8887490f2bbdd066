"""`smartlic register`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import device_folder_of, opened, outcome_data, wait_option
from smartlic_client.cli.output import emit, note, wants_json
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.cli.tokens import refuse_arguments, token_of, token_option
from smartlic_client.device import Device
from smartlic_client.protocol.record import Record


@click.command("register", context_settings={"allow_extra_args": True})
@token_option
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
    refuse_arguments(context)
    if if_needed and not force:
        record, _ = Device.peek(device_folder_of(context))
        if record.identity is not None and record.in_flight is None:
            done = {**_identity(record), "changed": False, "pending": None, "resumed": False}
            emit(done, "Already registered; nothing to do.")
            return
    secret = token_of(context, token)
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
