"""The options that say where a cluster is."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["address_options", "own_address"]

F = TypeVar("F", bound=Callable[..., Any])


def address_options(
    primary: str | None, secondary: str | None, vip: str | None, *, shown: str = ""
) -> Callable[[F], F]:
    """--primary, --secondary, --vip, the ports, and --allow-remote.

    None: not given; `shown`: what the help says of that."""
    port = click.IntRange(1, 65535)

    def defaults(given: str | None, default: str) -> dict[str, Any]:
        return {"default": given, "show_default": given or shown or default}

    options = [
        click.option("--primary", metavar="ADDRESS", help="The Primary's.", **defaults(primary, "127.0.0.5")),
        click.option(
            "--secondary", metavar="ADDRESS", help="The Secondary's.", **defaults(secondary, "127.0.0.10")
        ),
        click.option("--vip", metavar="ADDRESS", help="The virtual IP.", **defaults(vip, "127.0.0.12")),
        click.option("--device-port", type=port, show_default="4443", help="Where devices are served."),
        click.option("--gui-port", type=port, show_default="8443", help="Where the pages are served."),
        click.option("--peer-port", type=port, show_default="5405", help="Heartbeat and replication."),
        click.option(
            "--allow-remote",
            is_flag=True,
            help="Other machines may reach it: without this option every address is the loopback's.",
        ),
    ]

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def own_address() -> str:
    """The address from which this machine reaches others, as in a container; loopback if it reaches none."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((elsewhere, 9))  # nothing is sent: the kernel chooses the route
                return str(sock.getsockname()[0])
        except OSError:
            continue
    return "127.0.0.1"
