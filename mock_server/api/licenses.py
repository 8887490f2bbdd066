"""Licenses of a local account, what was bought for a term, and transfers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from mock_server.api.calls import Call, Listing, Route, page
from mock_server.api.shapes import (
    Done,
    License,
    LicenseDetail,
    Licenses,
    LicensesToTransfer,
    Subscription,
    Subscriptions,
    VirtualAccountsPage,
)
from mock_server.control.licenses import in_order
from mock_server.domain import events, licenses, lots
from mock_server.domain.accounts import account_of
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import Account, Lot, LotKind, Pool, State
from mock_server.domain.words import date

__all__ = ["ROUTES"]


async def list_licenses(call: Call, asked: VirtualAccountsPage) -> Listing:
    now = call.serving.now()
    found = _pools(call.state, _places(call, asked.virtual_accounts), call.account)
    return Listing(
        "licenses", len(found), page(asked, found), lambda pools: [_license(pool, now) for pool in pools]
    )


def _places(call: Call, names: Sequence[str]) -> set[str]:
    """The virtual accounts that are named, all where none is. Raises virtual-account-unknown."""
    for name in names:
        account_of(call.state, call.account, name)
    return set(names or account_of(call.state, call.account).virtual_accounts)


def _pools(state: State, places: set[str], account: str) -> list[Pool]:
    return in_order(
        pool for pool in state.pools.values() if pool.account == account and pool.virtual_account in places
    )


def _license(pool: Pool, now: float) -> License:
    standing = licenses.standing(pool, now)
    return License(
        license=pool.name,
        virtual_account=pool.virtual_account,
        quantity=standing.purchased,
        in_use=standing.in_use,
        available=max(0, standing.balance),
        reserved=0,
        pending_quantity=0,
        status="Out Of Compliance" if standing.overage else "In Compliance",
        billing_type="PREPAID",
        is_portable=False,
        aha_apps=False,
        license_details=[_detail(lot, now) for _, lot in sorted(pool.lots.items())],
        license_substitutions=[],
        entitlement_tag=pool.tag,
    )


def _detail(lot: Lot, now: float) -> LicenseDetail:
    return LicenseDetail(
        license_type=lot.kind.value,
        quantity=lot.quantity,
        start_date=date(lot.start),
        end_date=date(lot.end),
        subscription_id=lot.id,
        status=_status(lot, now),
    )


def _status(lot: Lot, now: float) -> Literal["ACTIVE", "FUTURE", "EXPIRED"]:
    if lots.ended(lot, now):
        return "EXPIRED"
    return "ACTIVE" if lots.covers(lot, now) else "FUTURE"


async def list_subscriptions(call: Call, asked: VirtualAccountsPage) -> Listing:
    now = call.serving.now()
    found = [
        (pool, lot)
        for pool in _pools(call.state, _places(call, asked.virtual_accounts), call.account)
        for _, lot in sorted(pool.lots.items())
        if lot.kind is LotKind.TERM
    ]

    def shown(rows: Iterable[tuple[Pool, Lot]]) -> list[Subscription]:
        return [
            Subscription(
                license=pool.name,
                virtual_account=pool.virtual_account,
                **msgspec.structs.asdict(_detail(lot, now)),
            )
            for pool, lot in rows
        ]

    return Listing("licenseSubscriptions", len(found), page(asked, found), shown)


async def transfer(call: Call, asked: LicensesToTransfer) -> Done:
    """All of them, or none: each is tried on a copy of the pools on which those before it have been done."""
    account = account_of(call.state, call.account, call.virtual_account)
    tried, now = _copy(call.state, account), call.serving.now()
    happened: list[events.Event] = []
    for one in asked.licenses:
        moved = licenses.transfer(
            tried.state,
            call.account,
            one.license,
            (call.virtual_account, one.target_virtual_account),
            one.quantity,
            kind=LotKind(one.license_type) if one.license_type else None,
            now=now,
        )
        tried.apply_change(events.Change(at=now, by="", node="", events=moved))
        happened += moved
    await call.serving.commit(call.caller.name, happened)
    return Done(status_message=f"Licenses transferred: {sum(one.quantity for one in asked.licenses)}.")


def _copy(state: State, account: Account) -> LicensingMachine:
    """A machine that has the account's pools for itself."""
    copy = LicensingMachine()
    copy.state.accounts = {account.name: account}
    copy.state.pools = {
        key: msgspec.structs.replace(pool, lots=dict(pool.lots))
        for key, pool in state.pools.items()
        if pool.account == account.name
    }
    return copy


_ACCOUNT = "/api/v1/accounts/{account}"

ROUTES = (
    Route(
        "POST",
        f"{_ACCOUNT}/licenses",
        "licenses",
        "The licenses of a local account, by virtual account.",
        Licenses,
        list_licenses,
        VirtualAccountsPage,
    ),
    Route(
        "POST",
        f"{_ACCOUNT}/license-subscriptions",
        "licenseSubscriptions",
        "What was bought for a term.",
        Subscriptions,
        list_subscriptions,
        VirtualAccountsPage,
    ),
    Route(
        "POST",
        f"{_ACCOUNT}/virtual-accounts/{{virtual_account}}/licenses/transfer",
        "transferLicenses",
        "Move licenses to other virtual accounts of the local account: all that are named, or none.",
        Done,
        transfer,
        LicensesToTransfer,
    ),
)
