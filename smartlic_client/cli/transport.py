"""`smartlic transport`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened
from smartlic_client.cli.output import emit


@click.command("transport")
@click.argument("url")
@click.pass_context
def command(context: click.Context, url: str) -> None:
    """Set the destination URL, for example the Transport Gateway of a cluster:

    https://VIP:4443/Transportgateway/services/DeviceRequestHandler

    Its host must be the cluster's VIP or FQDN, exactly as it is set as Host Common Name on the server.
    """
    with opened(context) as device:
        destination = device.set_destination(url)
        kind = device.settings.transport.value
    emit({"url": destination.url, "transport": kind}, f"Transport {kind}: {destination.url}")
