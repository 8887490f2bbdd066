"""`smartlic clean`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smartlic_client.cli.attending import alone
from smartlic_client.cli.common import device_folder_of
from smartlic_client.cli.output import emit, note, printable, wants_json
from smartlic_client.device import NO_DEVICE, Device
from smartlic_client.errors import CallerError, SmartlicError, problem
from smartlic_client.store import Store

NOT_CONFIRMED = problem(
    "clean-not-confirmed",
    CallerError,
    "Nothing was removed: it was not confirmed.",
    "Answer yes, or say so beforehand: {command}",
)


@click.command("clean")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, yes: bool) -> None:
    """Remove a device's data from this machine: identity, keys, counts. The server is not told.

    A registered device stays on the server until it is removed there: de-register it first.
    """
    folder = device_folder_of(context)
    store = Store(folder)
    if not folder.is_dir() or not any(folder.glob("device.json*")):
        raise NO_DEVICE(folder=str(folder))
    piid = registered_as(folder)
    if not yes:
        confirm(f"Remove all local data of {printable(folder.name)}", piid, "smartlic clean --yes")
    with alone(folder), store.locked(timeout=5.0):
        removed = store.wipe()
    warn_of(piid)
    emit({"folder": str(folder), "removed": removed, "piid": piid}, f"Removed the data in {folder}")


def registered_as(folder: Path) -> str | None:
    """The instance that the server still has; None also where the state cannot be read any more."""
    try:
        record, _ = Device.peek(folder)
    except SmartlicError:
        return None
    known = record.identity or (record.usage.identity if record.usage is not None else None)
    return known.piid if known is not None else None


def confirm(question: str, piid: str | None, command: str) -> None:
    """Ask at the terminal. Raises clean-not-confirmed, with the `command` that does not ask."""
    registered = ", which is registered" if piid is not None else ""
    if sys.stdin is not None:
        click.echo(f"{question}{registered}? [y/N] ", nl=False, err=True)
    if sys.stdin is None or sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NOT_CONFIRMED(command=command)


def warn_of(piid: str | None) -> None:
    """A remark on the instance that is left on the server."""
    if piid is not None and not wants_json():
        note(f"note: the server still knows the product instance {piid}; remove it there")
