"""`smartlic transport`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import opened
from smartlic_client.cli.destinations import KINDS, destination_url, kind_of
from smartlic_client.cli.output import emit


@click.command("transport")
@click.argument("kind", metavar="[callhome|smart|cslu|off]")
@click.argument("url", required=False)
@click.pass_context
def command(context: click.Context, kind: str, url: str | None) -> None:
    """Set the destination URL, for example the Transport Gateway of a cluster:

    https://VIP:4443/Transportgateway/services/DeviceRequestHandler

    Its host must be the cluster's VIP or FQDN, exactly as it is set as Host Common Name on the server.
    With a transport, URL may be https://HOST:PORT alone, or be left out: then the host stays. The URL alone
    tells the transport by its path. `off` sends nothing; usage reports go into files.
    """
    if kind not in KINDS and url is not None:
        raise click.UsageError(f"{kind!r} is no transport: {', '.join(KINDS)}.", context)
    with opened(context) as device:
        if kind == "off":
            if url is not None:
                raise click.UsageError("`off` takes no URL.", context)
            device.configure(transport_off=True)
            emit({"url": device.settings.url, "transport": "off"}, "Transport off: nothing is sent")
            return
        wanted = kind if kind not in KINDS else destination_url(kind, url, device.settings, device.record)
        destination = device.set_destination(wanted)
    name = kind_of(destination.path)
    emit({"url": destination.url, "transport": name}, f"Transport {name}: {destination.url}")
