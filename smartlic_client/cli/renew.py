"""`smartlic renew id|auth`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened, outcome_data, wait_option
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit
from smartlic_client.cli.report import tell_counts
from smartlic_client.cli.resolve import resolve_option


@click.group("renew", cls=VerbGroup)
def command() -> None:
    """Renew the ID certificate or the authorization now."""


@command.command("id")
@wait_option
@resolve_option
@click.pass_context
def id_(
    context: click.Context,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Renew the ID certificate: `license smart renew id`."""
    with opened(context) as device:
        outcome = device.renew(wait=wait)
        identity = device.record.identity
    until = identity.valid_until if identity else None
    data = {
        "serial_number": identity.serial_number if identity else None,
        "registration_expires": until,
        **outcome_data(outcome),
    }
    emit(data, "ID certificate renewed")


@command.command("auth")
@wait_option
@resolve_option
@click.pass_context
def auth(
    context: click.Context,
    wait: float,
    resolve: tuple[tuple[tuple[str, int], str], ...],  # noqa: ARG001 - `opened` reads it
) -> None:
    """Tell the server the counts now, changed or not: `license smart renew auth`."""
    tell_counts(context, wait)
