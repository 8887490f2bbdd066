"""The lists of a server elsewhere, asked by its REST API: of a real SSM On-Prem as well.

They have the fields that the verb shows, of those that the control socket of a mock gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mock_server.errors import CallerError, problem
from smartlic_client.cli.api_client import CLIENT_HELP, SECRET_HELP, client_of

if TYPE_CHECKING:
    from smartlic_client import OnPremApi
    from smartlic_client.onprem import Account

__all__ = ["elsewhere_options", "instances", "licenses"]

F = TypeVar("F", bound=Callable[..., Any])
_WAIT = 10.0

ANCHOR_UNREADABLE = problem(
    "anchor-unreadable",
    CallerError,
    "The trust anchor cannot be read from {path}: {why}.",
    "Give the CA certificate that the browser certificate of the server leads to, in PEM.",
)


def elsewhere_options(command: F) -> F:
    url = click.option(
        "--url",
        metavar="URL",
        help="Ask the server at https://HOST:8443 by its REST API, in place of the cluster on this machine.",
    )
    client = click.option("--api-client", metavar="ID|@FILE", help=f"With --url. {CLIENT_HELP}")
    secret = click.option("--api-secret", metavar="-|FILE", help=f"With --url. {SECRET_HELP}")
    anchor = click.option("--ca", metavar="FILE", help="With --url. Its trust anchor, in PEM.")
    return url(client(secret(anchor(command))))


def licenses(given: dict[str, str | None]) -> dict[str, Any] | None:
    """As `license.list`; None where no URL is given."""
    api = _opened(given)
    if api is None:
        return None
    with api:
        found = [
            {
                "license": each.license,
                "account": account.name,
                "virtual_account": each.virtual_account,
                "purchased": each.quantity,
                "in_use": each.in_use,
                "balance": each.quantity - each.in_use,
                "status": each.status,
            }
            for account in api.accounts()
            for each in api.licenses(_path(account))
        ]
    return {"licenses": found}


def instances(given: dict[str, str | None], limit: int, offset: int) -> dict[str, Any] | None:
    """As `instance.list`; None where no URL is given."""
    api = _opened(given)
    if api is None:
        return None
    with api:
        found = [
            {
                "name": each.instance_name or each.host_name or each.display_name,
                "product_type": each.product_type,
                "last_contact": each.last_contact_date,
                "account": account.name,
                "virtual_account": virtual_account.name,
                "licenses": [
                    {"license": used.license, "count": used.quantity} for used in each.license_usage
                ],
            }
            for account in api.accounts()
            for virtual_account in account.virtual_accounts or api.virtual_accounts(_path(account))
            for each in api.devices(_path(account), virtual_account.name)
        ]
    return {"instances": found[offset : offset + limit], "total": len(found)}


def _path(account: Account) -> str:
    return account.domain or account.name


def _opened(given: dict[str, str | None]) -> OnPremApi | None:
    url, client, anchor = given["url"], given["api_client"], given["ca"]
    if url is None:
        if needless := [name for name, value in given.items() if value is not None]:
            raise click.UsageError(f"--{needless[0].replace('_', '-')} is for --url, which is not given.")
        return None
    if client is None or anchor is None:
        raise click.UsageError("--url needs --api-client and --ca.")
    from smartlic_client import OnPremApi

    client_id, secret = client_of(client, given["api_secret"])
    try:
        trust = Path(anchor).read_bytes()
    except OSError as error:
        raise ANCHOR_UNREADABLE(path=anchor, why=error.strerror) from None
    return OnPremApi(url, trust=trust, client_id=client_id, client_secret=secret, wait=_WAIT)
