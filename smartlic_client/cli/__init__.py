"""`smartlic`: a file per verb, loaded when the verb is used."""

from __future__ import annotations

import click

from smartlic_client import __version__
from smartlic_client.cli.lazy import LazyGroup, format_option, shared

__all__ = ["cli", "main"]

_VERBS = {
    "init": ("smartlic_client.cli.init", "Make a device (a product instance)."),
    "transport": ("smartlic_client.cli.transport", "Set the destination URL: the cluster's VIP or FQDN."),
    "trust": ("smartlic_client.cli.trust", "Trust the server's licensing root, or get a trust code."),
    "register": ("smartlic_client.cli.register", "Register with an ID token."),
    "request": ("smartlic_client.cli.request", "Use a count of licenses."),
    "release": ("smartlic_client.cli.release", "Use a license no more."),
    "renew": ("smartlic_client.cli.renew", "Renew the ID certificate or the authorization now."),
    "report": ("smartlic_client.cli.report", "Tell the server the counts now; finish what is under way."),
    "deregister": ("smartlic_client.cli.deregister", "End the registration."),
    "policy": ("smartlic_client.cli.policy", "Report usage by a policy instead of registering."),
    "privacy": ("smartlic_client.cli.privacy", "Withhold hostname or version from messages."),
    "custom-id": ("smartlic_client.cli.custom_id", "Set a text of your own that the server is told."),
    "sync": ("smartlic_client.cli.sync", "Send the usage reports now."),
    "reservation": ("smartlic_client.cli.reservation", "Not offered; says what is in its place."),
    "run": ("smartlic_client.cli.run", "Honour the timers of one device or several, as a service."),
    "shell": ("smartlic_client.cli.shell", "Take the words that devices take: license smart …"),
    "fleet": ("smartlic_client.cli.fleet", "Run many devices at once, from an inventory."),
    "check": ("smartlic_client.cli.check", "Check whether products will register by a destination URL."),
    "show": ("smartlic_client.cli.show", "Show the device as IOS XE would."),
    "config": ("smartlic_client.cli.config", "Show the settings, and where each came from."),
    "clean": ("smartlic_client.cli.clean", "Remove a device's data from this machine."),
    "factory-reset": ("smartlic_client.cli.factory_reset", "Forget all that licensing has brought."),
    "support": ("smartlic_client.cli.support", "Collect what helps to find a fault, without secrets."),
    "completion": ("smartlic_client.cli.completion", "Print the completion for bash, zsh or fish."),
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
    shared(
        "--proxy",
        key="smartlic.proxy",
        envvar="SMARTLIC_PROXY",
        metavar="URL",
        help="Go through this proxy (SMARTLIC_PROXY): http://[USER:PASSWORD@]HOST:PORT.",
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
@click.pass_context
def cli(context: click.Context) -> None:
    """A Smart Licensing product instance: registers with an SSM On-Prem cluster and reports its licenses."""
    from smartlic_client.cli import configuration

    configuration.apply(context)


def main() -> None:
    """The console script `smartlic`."""
    from smartlic_client.cli.output import run

    run(cli, "smartlic")
