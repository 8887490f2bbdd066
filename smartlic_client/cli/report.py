"""`smartlic report`."""

from __future__ import annotations

from typing import IO

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.files import write_file
from smartlic_client.cli.output import emit, printable
from smartlic_client.cli.request import usage_data
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.cli.sync import reports_data, send_usage
from smartlic_client.protocol.record import Record

_LARGEST = 16 * 1024 * 1024


@click.command("report")
@click.option("--save", metavar="FILE", help="Write the usage reports that are not acknowledged to FILE.")
@click.option(
    "--import", "acknowledgement", metavar="FILE", type=click.File("rb"), help="Take an acknowledgement."
)
@wait_option
@resolve_option
@click.pass_context
def command(
    context: click.Context,
    save: str | None,
    acknowledgement: IO[bytes] | None,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Tell the server the counts now, changed or not, and finish what was interrupted.

    A device that uses policies sends its usage reports, as `smartlic sync`; or, without a connection, saves
    them to a file and takes the acknowledgement from one.
    """
    if save is not None and acknowledgement is not None:
        raise click.UsageError("--save and --import exclude each other.", context)
    if save is not None:
        save_usage(context, save)
    elif acknowledgement is not None:
        import_acknowledgement(context, acknowledgement)
    else:
        tell_counts(context, wait)


def tell_counts(context: click.Context, wait: float) -> None:
    with opened(context) as device:
        if device.record.usage is not None:
            send_usage(device, wait)
            return
        outcome = device.report(wait=wait)
        record = device.record
    count = len(record.entitlements)
    text = f"Reported {count} license{'' if count == 1 else 's'}: {record.authorization.value}"
    emit({**usage_data(record), **outcome_data(outcome)}, text)


def save_usage(context: click.Context, path: str) -> None:
    with opened(context) as device:
        content = device.save_usage()
        write_file(path, content)
        data = reports_data(device.record)
    waiting = sum(one["state"] != "acknowledged" for one in data["reports"])
    left = sum(one["state"] == "closed" for one in data["reports"])
    text = f"Saved {_several(waiting - left)} to {printable(path)}"
    if left:
        text += f"; {left} more go into the next file, once these are acknowledged"
    emit({"file": path, "saved": waiting - left, "left": left, **data}, text)


def import_acknowledgement(context: click.Context, file: IO[bytes]) -> None:
    content = file.read(_LARGEST)
    with opened(context) as device:
        before = _acknowledged(device.record)
        device.import_acknowledgement(content)
        done = _acknowledged(device.record) - before
        data = reports_data(device.record)
    text = f"Acknowledged {_several(len(done))}" if done else "Nothing new: acknowledged before"
    emit({"acknowledged": len(done), **data}, text)


def _several(count: int) -> str:
    return f"{count} usage report{'' if count == 1 else 's'}"


def _acknowledged(record: Record) -> set[str]:
    data = reports_data(record)
    return {one["id"] for one in data["reports"] if one["state"] == "acknowledged"}
