"""`smartlic`: a file per verb, loaded when the verb is used."""

from __future__ import annotations

import click

from smartlic_client import __version__
from smartlic_client.cli.lazy import LazyGroup, format_option, shared

__all__ = ["cli", "main"]

_VERBS = {
    "init": ("smartlic_client.cli.init", "Make a device (a product instance)."),
    "transport": ("smartlic_client.cli.transport", "Set the destination URL: the cluster's VIP or FQDN."),
    "trust": ("smartlic_client.cli.trust", "Trust the server's licensing root."),
    "register": ("smartlic_client.cli.register", "Register with an ID token."),
    "request": ("smartlic_client.cli.request", "Use a count of licenses."),
    "release": ("smartlic_client.cli.release", "Use a license no more."),
    "report": ("smartlic_client.cli.report", "Tell the server the counts now; finish what is under way."),
    "deregister": ("smartlic_client.cli.deregister", "End the registration."),
    "check": ("smartlic_client.cli.check", "Check whether products will register by a destination URL."),
    "show": ("smartlic_client.cli.show", "Show the device as IOS XE would."),
}

_EPILOG = """\b
Exit codes:
  0    done
  1    refused: by the server, or because the device's state does not allow it
  2    no answer that counts; the same call later may work, nothing is lost
  3    the server is not the one that was named; nothing was sent to it
  64   wrong usage
  70   a defect of this program
  75   another process holds the device
  130  interrupted

The device's folder is under SMARTLIC_HOME. This client can register with SSM On-Prem mocks of this project
only; it authorizes no real product and is not affiliated with Cisco."""


_SHARED = (
    shared(
        "--home",
        key="smartlic.home",
        envvar="SMARTLIC_HOME",
        type=click.Path(file_okay=False),
        help="Folder of all devices (SMARTLIC_HOME; by default the user's data folder).",
    ),
    shared(
        "-d",
        "--device",
        key="smartlic.device",
        envvar="SMARTLIC_DEVICE",
        metavar="NAME",
        help="Which device (SMARTLIC_DEVICE); not needed where there is one only.",
    ),
    format_option,
)


@click.group(
    cls=LazyGroup,
    verbs=_VERBS,
    shared_options=_SHARED,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="smartlic")
def cli() -> None:
    """A Smart Licensing product instance: registers with an SSM On-Prem cluster and reports its licenses."""


def main() -> None:
    """The console script `smartlic`."""
    from smartlic_client.cli.output import run

    run(cli, "smartlic")
