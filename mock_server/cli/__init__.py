"""`smartlic-mock`: the mock cluster's command line, a file per room, loaded when it is used."""

from __future__ import annotations

import click

from mock_server import extra
from smartlic_client import __version__
from smartlic_client.cli.lazy import LazyGroup, format_option, shared

__all__ = ["cli", "main"]

_VERBS = {
    "up": ("mock_server.cli.up", "Start the cluster in the foreground; Ctrl-C stops all of it."),
    "down": ("mock_server.cli.down", "Stop a cluster that runs elsewhere."),
    "status": ("mock_server.cli.status", "Both servers side by side."),
    "console": (
        "mock_server.cli.console",
        "A server's console: a prompt, or one command, such as ha_cluster_stop.",
    ),
    "token": ("mock_server.cli.token", "ID tokens: create, list, revoke."),
    "api-client": ("mock_server.cli.api_client", "Clients of the REST API: create, list, renew, delete."),
    "rest-api": (
        "mock_server.cli.rest_api",
        "The REST API: rate limit, and whether tokens are listed whole.",
    ),
    "license": ("mock_server.cli.license", "Purchased licenses: add, transfer."),
    "licenses": ("mock_server.cli.licenses", "What is purchased and what is in use."),
    "instances": ("mock_server.cli.instances", "The product instances and what they use."),
    "instance": ("mock_server.cli.instance", "A product instance: rename, transfer, remove."),
    "accounts": ("mock_server.cli.accounts", "The local accounts."),
    "account": ("mock_server.cli.account", "A local account: request, approve, deactivate, policy, delete."),
    "virtual-account": ("mock_server.cli.virtual_account", "Virtual accounts: create, list, delete."),
    "user": ("mock_server.cli.user", "Who may sign in: add, list, password, remove."),
    "alerts": ("mock_server.cli.alerts", "What wants somebody's attention."),
    "host-common-name": ("mock_server.cli.common_name", "Set the Host Common Name."),
    "sync": (
        "mock_server.cli.sync",
        "Synchronize local accounts with CSSM: now, by schedule, by file.",
    ),
    "cssm": ("mock_server.cli.cssm", "The mock CSSM: purchases, accounts, its process, faults."),
    "certificates": (
        "mock_server.cli.certificates",
        "Names that are served, trust anchor, browser certificate.",
    ),
    "clock": ("mock_server.cli.clock", "The clock of licensing: show, advance, set, reset."),
    "fault": ("mock_server.cli.fault", "Faults on purpose, and the journal of requests."),
    "postpone": ("mock_server.cli.postpone", "Answer the next messages of devices later (OK_POLL)."),
    "events": ("mock_server.cli.events", "The event log."),
    "simulate": (
        "mock_server.cli.simulate",
        "A fleet and its cluster in virtual time: a year of it in minutes.",
    ),
    "demo": ("mock_server.cli.demo", "Play registration through failover and fallback, and check each step."),
}

_EPILOG = """\b
Exit codes:
  0    done
  1    refused, or a step of the demo does not hold
  2    no server could do it now; the same call later may work
  64   wrong usage
  70   a defect of this program
  75   something else holds the folder, an address or a port
  130  interrupted

It stands in for SSM On-Prem in tests. It authorizes no real product and is not affiliated with Cisco."""


_SHARED = (
    shared(
        "-f",
        "--folder",
        key="smartlic.folder",
        envvar="SMARTLIC_MOCK_FOLDER",
        type=click.Path(file_okay=False),
        help="The cluster's folder (SMARTLIC_MOCK_FOLDER; by default in the user's data folder).",
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
@click.version_option(__version__, prog_name="smartlic-mock")
def cli() -> None:
    """A mock SSM On-Prem cluster of two servers and a VIP, to test devices and automation against."""
    extra.require()


def main() -> None:
    """The console script `smartlic-mock`."""
    from smartlic_client.cli.output import run

    run(cli, "smartlic-mock")
