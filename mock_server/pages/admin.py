"""The administration workspace: the server itself, its accounts, users, certificates and clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import Response

from mock_server import issuing
from mock_server.cluster.config import NODES
from mock_server.control.certificates import settled_anchor
from mock_server.domain.state import Schedule, UserRole
from mock_server.pages import eventlog, pictures
from mock_server.pages.tables import Column, arranged
from mock_server.pages.visit import Visit

__all__ = ["PAGES"]

_ACCOUNTS: Final = (
    Column("name", "Local account"),
    Column("status", "Status"),
    Column("smart_account", "Smart account"),
    Column("cssm_virtual_account", "Virtual account in CSSM"),
    Column("email", "E-mail"),
    Column("requested_at", "Requested"),
    Column("last_sync", "Last synchronization"),
)
_SYNC: Final = (
    Column("account", "Local account"),
    Column("last_sync", "Last synchronization"),
    Column("next_sync", "Next"),
    Column("schedule", "Schedule"),
    Column("state", "State"),
)
_USERS: Final = (
    Column("name", "Name"),
    Column("role", "Role"),
    Column("created_at", "Created"),
    Column("created_by", "By"),
    Column("password_changed_at", "Password changed"),
)
_CLIENTS: Final = (
    Column("name", "Name"),
    Column("account", "Local account"),
    Column("client_id", "Client id", sortable=False),
    Column("created_at", "Created"),
    Column("created_by", "By"),
    Column("access_tokens", "Access tokens", number=True),
)
_ALERTS: Final = (
    Column("severity", "Severity"),
    Column("messageType", "Alert"),
    Column("message", "Message"),
    Column("source", "Source"),
    Column("sourceType", "Kind of source"),
    Column("account", "Local account"),
    Column("actionDue", "Action due"),
)


async def overview(visit: Visit) -> Response:
    """The High Availability widget, and what wants somebody's attention."""
    found = (await visit.control("alert.list", limit=-1))["alerts"]
    listing = arranged(visit.asked, _ALERTS, found, caption="Alerts")
    roles = await pictures.stays(visit) if visit.site.context.status()["mode"] == "cluster" else []
    lag = list(visit.site.live.lag)[-10:][::-1]
    return visit.listing("overview.html.j2", listing, "alerts", roles=roles[::-1], lag=lag, nodes=NODES)


async def accounts(visit: Visit) -> Response:
    found = (await visit.control("account.list"))["accounts"]
    listing = arranged(visit.asked, _ACCOUNTS, found, caption="Local accounts", key=lambda row: row["name"])
    requests = [account for account in found if account["status"] == "requested"]
    return visit.listing("admin_accounts.html.j2", listing, "accounts", requests=requests)


async def synchronization(visit: Visit) -> Response:
    found = (await visit.control("sync.status"))["accounts"]
    rows = [{**row, "state": _state(row)} for row in found if row["status"] == "active"]
    listing = arranged(visit.asked, _SYNC, rows, caption="Synchronization", key=lambda row: row["account"])
    return visit.listing("synchronization.html.j2", listing, "synchronization", every=[*Schedule])


def _state(row: Mapping[str, object]) -> str:
    failure = row["failure"]
    if isinstance(failure, Mapping):
        return f"Failed: {failure['sentence']}"
    if row["signed_out"]:
        return "The sign-in to CSSM has expired"
    return "Synchronized" if row["last_sync"] else "Not yet synchronized"


async def certificates(visit: Visit) -> Response:
    shown = await visit.control("certificates")
    return visit.render("certificates.html.j2", shown=shown)


async def api_toolkit(visit: Visit) -> Response:
    found = (await visit.control("api-client.list"))["api_clients"]
    names = [account.name for account in visit.state.accounts.values()]
    listing = arranged(visit.asked, _CLIENTS, found, caption="API clients")
    return visit.listing("api_toolkit.html.j2", listing, "api-clients", names=names)


async def users(visit: Visit) -> Response:
    found = (await visit.control("user.list"))["users"]
    listing = arranged(visit.asked, _USERS, found, caption="Users", key=lambda row: row["name"])
    return visit.listing("users.html.j2", listing, "users", roles=[*UserRole])


async def network(visit: Visit) -> Response:
    config = visit.site.context.config
    name = visit.state.settings.common_name
    await settled_anchor(visit.serving)
    hosts = issuing.served_hosts(visit.serving)
    return visit.render("network.html.j2", config=config, nodes=NODES, name=name, hosts=hosts)


async def event_log(visit: Visit) -> Response:
    listing = await eventlog.whole(visit.serving, visit.asked, csv=visit.wants_csv)
    return visit.listing("admin_events.html.j2", listing, "events")


PAGES: Final[Mapping[str, Callable[[Visit], Awaitable[Response]]]] = {
    "/admin/": overview,
    "/admin/accounts": accounts,
    "/admin/synchronization": synchronization,
    "/admin/certificates": certificates,
    "/admin/api": api_toolkit,
    "/admin/users": users,
    "/admin/network": network,
    "/admin/events": event_log,
}
