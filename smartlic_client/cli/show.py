"""`smartlic show status|usage`."""

from __future__ import annotations

import time

import click
import msgspec

from smartlic_client.cli.common import device_folder_of
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit
from smartlic_client.cli.request import usage_data
from smartlic_client.device import Device
from smartlic_client.show import texts


@click.group("show", cls=VerbGroup)
def command() -> None:
    """Show the device as IOS XE would."""


@command.command("status")
@click.pass_context
def status(context: click.Context) -> None:
    """Registration and authorization: `show license status`."""
    record, settings = Device.peek(device_folder_of(context))
    identity = record.identity
    data = {
        "udi": str(record.udi),
        "hostname": record.hostname,
        "url": settings.url,
        "transport": settings.transport.value,
        "registration": record.registration.value,
        "authorization": record.authorization.value,
        "piid": identity.piid if identity else None,
        "smart_account": identity.smart_account if identity else None,
        "virtual_account": identity.virtual_account if identity else None,
        "registered_at": identity.registered_at if identity else None,
        "registration_expires": identity.valid_until if identity else None,
        "registering": msgspec.to_builtins(record.registering),
        "authorizing": msgspec.to_builtins(record.authorizing),
        "communication_deadline": record.deadline,
        "in_flight": record.in_flight.message_id if record.in_flight else None,
        "evaluation_remaining": texts.remaining_evaluation(record, time.time()),
    }
    emit(data, texts.status(record, settings.transport.value, time.time()))


@command.command("usage")
@click.pass_context
def usage(context: click.Context) -> None:
    """The licenses in use: `show license usage`."""
    record, _ = Device.peek(device_folder_of(context))
    emit(usage_data(record), texts.usage(record, time.time()))
