"""The licensing workspace: local accounts, and for each virtual account its tabs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from mock_server.control.instances import described
from mock_server.domain import licenses, lots
from mock_server.domain.alerts import Alert, alerts, of_instance
from mock_server.domain.instances import instance_of
from mock_server.domain.state import Account, Instance, Pool, pool_key
from mock_server.domain.tokens import TokenState
from mock_server.domain.words import date
from mock_server.pages import eventlog
from mock_server.pages.index import Found, Sort, product_type
from mock_server.pages.tables import PAGE, Asked, Column, Listing, arranged
from mock_server.pages.visit import Visit
from smartlic_client.protocol.transports import CSLU_PATH

__all__ = ["PAGES", "home"]

_ACCOUNTS: Final = (
    Column("name", "Local account"),
    Column("status", "Status"),
    Column("virtual_accounts", "Virtual accounts", sortable=False),
    Column("instances", "Product instances", number=True),
    Column("alerts", "Alerts", number=True),
    Column("last_sync", "Last synchronization"),
)
_TOKENS: Final = (
    Column("token_id", "Token"),
    Column("description", "Description"),
    Column("state", "State"),
    Column("expires_at", "Expires"),
    Column("uses", "Uses", number=True),
    Column("export_controlled", "Export-controlled"),
    Column("created_by", "Created by"),
)
_LICENSES: Final = (
    Column("license", "License"),
    Column("billing", "Billing"),
    Column("purchased", "Purchased", number=True),
    Column("in_use", "In Use", number=True),
    Column("balance", "Balance", number=True),
    Column("alerts", "Alerts"),
)
_INSTANCES: Final = (
    Column("name", "Name"),
    Column("type", "Product Type"),
    Column("contact", "Last Contact"),
    Column("alerts", "Alerts", sortable=False),
)
_POLICY: Final = (
    Column("name", "Name"),
    Column("type", "Product Type"),
    Column("last_report", "Last Report", sortable=False),
    Column("reports", "Reports", sortable=False, number=True),
    Column("policy", "Policy", sortable=False),
    Column("alerts", "Alerts", sortable=False),
)
_SORTS: Final[Mapping[str, Sort]] = {"name": "name", "type": "type", "contact": "contact"}


async def home(visit: Visit) -> Response:
    return visit.go("/licensing")


async def overview(visit: Visit) -> Response:
    """The local accounts."""
    state, counts = visit.state, _alerts_by_account(visit)
    rows = [
        {
            "name": account.name,
            "status": account.status.value,
            "virtual_accounts": list(account.virtual_accounts),
            "instances": sum(
                len(state.by_place.get((account.name, place), ())) for place in account.virtual_accounts
            ),
            "alerts": counts.get(account.name, 0),
            "last_sync": date(account.last_sync),
        }
        for account in state.accounts.values()
    ]
    await visit.serving.ledger.settled()
    listing = arranged(visit.asked, _ACCOUNTS, rows, caption="Local accounts", key=lambda row: row["name"])
    return visit.listing("accounts.html.j2", listing, "accounts")


def _alerts_by_account(visit: Visit) -> dict[str, int]:
    counts: dict[str, int] = {}
    for alert in alerts(visit.state, visit.serving.now()):
        if alert.account is not None:
            counts[alert.account] = counts.get(alert.account, 0) + 1
    return counts


# ---- general ----------------------------------------------------------------------------------------------
async def general(visit: Visit) -> Response:
    """What products need: the URLs and the ID tokens."""
    account, place = visit.account()
    found = (await visit.control("token.list"))["tokens"]
    here = (account.name, place)
    rows = [token for token in found if (token["account"], token["virtual_account"]) == here]
    listing = arranged(
        visit.asked, _TOKENS, rows, caption="ID tokens", key=lambda row: (row["state"] != TokenState.USABLE,)
    )
    values = {"description": account.descriptions.get(place, ""), "urls": _urls(visit, account)}
    return visit.listing("general.html.j2", listing, "tokens", **_tab(account, place, "general"), **values)


def _urls(visit: Visit, account: Account) -> dict[str, str]:
    config = visit.site.context.config
    host = visit.state.settings.common_name
    server = f"https://{f'[{host}]' if ':' in host else host}:{config.vip.device_port}"
    return {
        "Transport Gateway": f"{server}/Transportgateway/services/DeviceRequestHandler",
        "Smart transport": f"{server}/SmartTransport",
        "CSLU": f"{server}{CSLU_PATH}{quote(account.name, safe='')}-1",
    }


def _tab(account: Account, place: str, tab: str) -> dict[str, Any]:
    return {"account": account, "place": place, "tab": tab}


# ---- licenses ---------------------------------------------------------------------------------------------
async def licenses_tab(visit: Visit) -> Response:
    account, place = visit.account()
    now = visit.serving.now()
    rows = [_license(pool, now) for pool in _pools(visit, account, place)]
    await visit.serving.ledger.settled()
    listing = arranged(visit.asked, _LICENSES, rows, caption="Licenses", key=lambda row: row["license"])
    return visit.listing("licenses.html.j2", listing, "licenses", **_tab(account, place, "licenses"))


def _pools(visit: Visit, account: Account, place: str) -> Iterator[Pool]:
    where = (account.name, place)
    return (pool for pool in visit.state.pools.values() if (pool.account, pool.virtual_account) == where)


def _license(pool: Pool, now: float) -> dict[str, Any]:
    standing = licenses.standing(pool, now)
    return {
        "license": pool.name,
        "tag": pool.tag,
        "billing": "Usage" if pool.overage_allowed else "Prepaid",
        "purchased": standing.purchased,
        "in_use": standing.in_use,
        "balance": standing.balance,
        "alerts": f"Insufficient Licenses: {standing.overage} short" if standing.overage else "",
        "status": standing.status,
    }


async def license_page(visit: Visit) -> Response:
    """One license: its lots, its use over time, and its transfer."""
    account, place = visit.account()
    pool = licenses.find(visit.state, account, place, visit.query.get("license", ""))
    now = visit.serving.now()
    points = visit.serving.machine.use.of(_key(pool), pool, now)
    lot_rows = [
        {
            "id": lot.id,
            "quantity": lot.quantity,
            "kind": lot.kind.value,
            "start": date(lot.start),
            "end": date(lot.end),
            "origin": lot.origin.value,
            "counts": lots.covers(lot, now),
        }
        for _, lot in sorted(pool.lots.items())
    ]
    users = _users_of(visit, account, place, pool.tag)
    row = _license(pool, now)
    await visit.serving.ledger.settled()
    values: dict[str, Any] = {"pool": row, "lots": lot_rows, "points": points[-20:][::-1], "users": users}
    return visit.render("license.html.j2", **_tab(account, place, "licenses"), **values)


def _key(pool: Pool) -> str:
    return pool_key(pool.account, pool.virtual_account, pool.tag)


def _users_of(visit: Visit, account: Account, place: str, tag: str) -> list[dict[str, Any]]:
    """The first instances, by name, that use the license."""
    found: list[dict[str, Any]] = []
    instances = visit.state.instances
    for name, piid in visit.state.by_place.get((account.name, place), ()):
        count = instances[piid].usage.get(tag, 0)
        if count:
            found.append({"name": name, "piid": piid, "count": count})
        if len(found) >= PAGE:
            break
    return found


# ---- product instances ------------------------------------------------------------------------------------
async def instances_tab(visit: Visit) -> Response:
    account, place = visit.account()
    row = _instance_row
    return await _instances(visit, account, place, "instances.html.j2", _INSTANCES, row, policy=False)


async def policy_tab(visit: Visit) -> Response:
    """Those of Smart Licensing Using Policy: what they reported, and by which policy."""
    account, place = visit.account()
    return await _instances(visit, account, place, "policy.html.j2", _POLICY, _policy_row, policy=True)


Row = Callable[[Visit, Instance, float], dict[str, Any]]


async def _instances(
    visit: Visit,
    account: Account,
    place: str,
    template: str,
    columns: Sequence[Column],
    row: Row,
    *,
    policy: bool,
) -> Response:
    asked, now = visit.asked, visit.serving.now()
    found = visit.site.index.find(
        visit.state,
        (account.name, place),
        search=asked.search,
        sort=_SORTS.get(asked.sort, "name"),
        descending=asked.descending,
        policy=policy,
        now=now,
    )
    tab = "policy" if policy else "instances"
    listing = Listing(asked, columns, (), len(found), caption="Product instances")
    if visit.wants_csv:
        await visit.serving.ledger.settled()
        return visit.csv(listing, _every(visit, found, row, now), tab)
    piids = found.page(listing.first - 1 if found else 0, PAGE)
    rows = [row(visit, visit.state.instances[piid], now) for piid in piids]
    await visit.serving.ledger.settled()
    listing = Listing(asked, columns, rows, len(found), caption="Product instances")
    return visit.render(template, listing=listing, **_tab(account, place, tab))


def _every(visit: Visit, found: Found, row: Row, now: float) -> Iterator[dict[str, Any]]:
    """One that goes while the list is sent is left out."""
    for piid in found.page(0, len(found)):
        if (instance := visit.state.instances.get(piid)) is not None:
            yield row(visit, instance, now)


def _instance_row(_visit: Visit, instance: Instance, now: float) -> dict[str, Any]:
    return {
        "name": instance.name,
        "piid": instance.piid,
        "type": product_type(instance),
        "contact": date(instance.last_contact),
        "alerts": _words(of_instance(instance, now)),
    }


def _policy_row(visit: Visit, instance: Instance, now: float) -> dict[str, Any]:
    return {
        **_instance_row(visit, instance, now),
        "last_report": date(instance.last_report),
        "reports": len(visit.state.reports_of.get(instance.piid, ())),
        "policy": instance.policy.name if instance.policy is not None else "",
    }


def _words(found: Iterator[Alert]) -> str:
    return ", ".join(alert.message_type for alert in found)


async def instance_page(visit: Visit) -> Response:
    """One product instance: what it is, what it uses, what can be done with it."""
    instance = instance_of(visit.state, visit.query.get("instance", ""))
    account = visit.state.accounts[instance.account]
    names = {pool.tag: pool.name for pool in visit.state.pools.values() if pool.account == account.name}
    shown = described(visit.state, names, instance, visit.serving.now())
    await visit.serving.ledger.settled()
    return visit.render(
        "instance.html.j2", instance=shown, **_tab(account, instance.virtual_account, "instances")
    )


# ---- event log --------------------------------------------------------------------------------------------
async def events_tab(visit: Visit) -> Response:
    account, place = visit.account()
    asked = visit.asked
    text = visit.query.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 15 else 10**15
    limit = 5_000 if visit.wants_csv else PAGE
    rows, older = await eventlog.of_account(visit.serving, account.name, before, limit)
    listing = Listing(asked, eventlog.COLUMNS, rows, len(rows), searchable=False, caption="Event log")
    older_url = _older(asked, older)
    tab = _tab(account, place, "events")
    return visit.listing("events.html.j2", listing, "events", older=older_url, **tab)


def _older(asked: Asked, before: int | None) -> str:
    return asked.url(before=before) if before is not None else ""


PAGES: Final[Mapping[str, Callable[[Visit], Awaitable[Response]]]] = {
    "/licensing": overview,
    "/licensing/general": general,
    "/licensing/licenses": licenses_tab,
    "/licensing/license": license_page,
    "/licensing/instances": instances_tab,
    "/licensing/instance": instance_page,
    "/licensing/policy": policy_tab,
    "/licensing/events": events_tab,
}
