"""`smartlic show status|usage|license …|yang`.

A look at a device starts as quickly as it can: what is needed for talking to a server is not imported here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit, say, wants_json

if TYPE_CHECKING:
    from smartlic_client.show.model import Model


@click.group("show", cls=VerbGroup)
def command() -> None:
    """Show the device as IOS XE would."""


@command.command("status")
@click.pass_context
def status(context: click.Context) -> None:
    """Registration and authorization: `show license status`."""
    from smartlic_client.show import commands

    record, model = _read(context)
    identity, in_flight = record.get("identity") or {}, record.get("in_flight") or {}
    data = {
        "udi": str(model.udi),
        "hostname": model.hostname,
        "url": model.transport.url,
        "transport": model.transport.type,
        "registration": model.registration.state,
        "authorization": model.authorization.state,
        "piid": identity.get("piid"),
        "smart_account": identity.get("smart_account"),
        "virtual_account": identity.get("virtual_account"),
        "registered_at": identity.get("registered_at"),
        "registration_expires": identity.get("valid_until"),
        "registering": record.get("registering"),
        "authorizing": record.get("authorizing"),
        "communication_deadline": record.get("deadline"),
        "in_flight": in_flight.get("message_id"),
        "evaluation_remaining": model.evaluation.remaining,
    }
    emit(data, commands.text(["status"], model))


@command.command("usage")
@click.pass_context
def usage(context: click.Context) -> None:
    """The licenses in use: `show license usage`."""
    from smartlic_client.show import commands

    record, model = _read(context)
    data = {
        "authorization": model.authorization.state,
        "entitlements": [{"tag": tag, **used} for tag, used in record.get("entitlements", {}).items()],
    }
    emit(data, commands.text(["usage"], model))


def _complete_words(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from smartlic_client.show import commands

    return commands.complete(context.params.get("words") or (), begun)


@command.command("license")
@click.argument("words", nargs=-1, metavar="WORDS...", shell_complete=_complete_words)
@click.pass_context
def license_(context: click.Context, words: tuple[str, ...]) -> None:
    """What a device prints for `show license WORDS...`.

    WORDS: all, eventlog [DAYS], history message, rum id all, status, summary, tech support, udi or usage;
    each can be shortened. As JSON, each gives the same data: all that there is to show.
    """
    from smartlic_client.show import commands

    found, _ = commands.resolve(words)
    _, model = _read(context)
    if wants_json():
        import msgspec

        emit({"command": f"show license {' '.join(found)}", "model": msgspec.to_builtins(model)}, "")
    else:
        say(commands.text(words, model).rstrip("\n"))


@command.command("yang")
@click.pass_context
def yang(context: click.Context) -> None:
    """The state as the YANG module cisco-smart-license has it (2021-03-01), in JSON by RFC 7951."""
    from smartlic_client.show import yang as tree

    say(tree.document(_read(context)[1]).rstrip("\n"))


def _read(context: click.Context) -> tuple[Mapping[str, Any], Model]:
    """The record of the device that is meant, as it is stored, and what there is to show of it."""
    from pathlib import Path

    from smartlic_client.show.reading import NO_RECORD, model_of_data
    from smartlic_client.store import Store, default_root, device_folder, list_devices

    meta = context.find_root().meta
    root = Path(meta["smartlic.home"]) if meta.get("smartlic.home") else default_root()
    names = [meta["smartlic.device"]] if meta.get("smartlic.device") else list_devices(root)
    data = Store(device_folder(root, names[0])).load() if len(names) == 1 else None
    if data is not None:
        try:
            return data["record"], model_of_data(data["record"], data["settings"], time.time())
        except NO_RECORD:
            pass
    return _complaint(context)


def _complaint(context: click.Context) -> tuple[Mapping[str, Any], Model]:
    """The long way, that says what is wrong with the device."""
    import msgspec

    from smartlic_client.cli.common import device_folder_of
    from smartlic_client.device import Device
    from smartlic_client.folders import NOT_A_RECORD
    from smartlic_client.show.reading import NO_RECORD, model_of_data

    folder = device_folder_of(context)
    record, settings = Device.peek(folder)
    data = record.to_data()
    try:
        return data, model_of_data(data, msgspec.to_builtins(settings), time.time())
    except NO_RECORD as error:
        raise NOT_A_RECORD(folder=str(folder), why=str(error) or "a value in it makes no sense") from None
