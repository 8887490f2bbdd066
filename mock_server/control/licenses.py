"""Licenses of the virtual accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain import administration
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Add(Fields, kw_only=True):
    tag: str
    name: str
    quantity: int


async def add(serving: Serving, fields: _Add) -> Answer:
    happened = administration.purchase(
        serving.state, fields.account, fields.virtual_account, fields.tag, fields.name, fields.quantity
    )
    await serving.commit(fields.by, happened)
    return {"name": fields.name, "tag": fields.tag, "purchased": fields.quantity}


async def list_licenses(serving: Serving, _fields: Fields) -> Answer:
    found = [
        {
            "license": pool.name,
            "tag": pool.tag,
            "account": pool.account,
            "virtual_account": pool.virtual_account,
            "purchased": pool.purchased,
            "in_use": pool.in_use,
            "balance": pool.purchased - pool.in_use,
            "status": "In Compliance" if pool.in_use <= pool.purchased else "Out Of Compliance",
        }
        for _, pool in sorted(serving.state.pools.items())
    ]
    await serving.ledger.settled()
    return {"licenses": found}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "license.add": Operation(_Add, add),
    "license.list": Operation(Fields, list_licenses),
}
