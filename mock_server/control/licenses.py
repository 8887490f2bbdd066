"""Licenses of the virtual accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation, Placed
from mock_server.domain import licenses, lots
from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT, LotKind, Pool
from mock_server.domain.words import date
from mock_server.serving import Serving

__all__ = ["OPERATIONS", "in_order"]


class _Add(Placed, kw_only=True):
    tag: str
    name: str
    quantity: int
    overage_allowed: bool = False


class _Transfer(Placed, kw_only=True):
    """`virtual_account`: from; `license`: name or entitlement tag; `kind`: only lots of this kind."""

    license: str
    to: str
    quantity: int
    kind: LotKind | None = None


async def add(serving: Serving, fields: _Add) -> Answer:
    happened = licenses.purchase(
        serving.state,
        fields.account,
        fields.virtual_account,
        fields.tag,
        fields.name,
        fields.quantity,
        overage_allowed=fields.overage_allowed,
    )
    await serving.commit(fields.by, happened)
    return {"name": fields.name, "tag": fields.tag, "purchased": fields.quantity}


async def transfer(serving: Serving, fields: _Transfer) -> Answer:
    way = (fields.virtual_account, fields.to)
    happened = licenses.transfer(
        serving.state,
        fields.account,
        fields.license,
        way,
        fields.quantity,
        kind=fields.kind,
        now=serving.now(),
    )
    await serving.commit(fields.by, happened)
    return {
        "license": fields.license,
        "quantity": fields.quantity,
        "account": fields.account,
        "from": fields.virtual_account,
        "to": fields.to,
    }


async def list_licenses(serving: Serving, _fields: Fields) -> Answer:
    now = serving.now()
    found = [_pool(pool, now) for pool in in_order(serving.state.pools.values())]
    await serving.ledger.settled()
    return {"licenses": found}


def in_order(pools: Iterable[Pool]) -> list[Pool]:
    """By account and virtual account, `Default` first in each, and entitlement."""
    return sorted(pools, key=_order)


def _order(pool: Pool) -> tuple[str, bool, str, str]:
    other = pool.virtual_account != DEFAULT_VIRTUAL_ACCOUNT
    return (pool.account, other, pool.virtual_account, pool.tag)


def _pool(pool: Pool, now: float) -> Answer:
    standing = licenses.standing(pool, now)
    return {
        "license": pool.name,
        "tag": pool.tag,
        "account": pool.account,
        "virtual_account": pool.virtual_account,
        "purchased": standing.purchased,
        "in_use": standing.in_use,
        "balance": standing.balance,
        "overage": standing.overage,
        "overage_allowed": pool.overage_allowed,
        "status": standing.status,
        "lots": [
            {
                "id": lot.id,
                "quantity": lot.quantity,
                "kind": lot.kind,
                "start": date(lot.start),
                "end": date(lot.end),
                "origin": lot.origin,
                "counts_now": lots.covers(lot, now),
            }
            for _, lot in sorted(pool.lots.items())
        ],
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "license.add": Operation(_Add, add),
    "license.list": Operation(Fields, list_licenses),
    "license.transfer": Operation(_Transfer, transfer),
}
