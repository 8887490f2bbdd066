"""Local accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation, date
from mock_server.domain import accounts
from mock_server.domain.state import Account
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Create(Fields, kw_only=True):
    name: str
    smart_account: str = "Lab Smart Account"
    cssm_virtual_account: str | None = None
    """The account's own name, if nothing is said: each of CSSM's belongs to one local account."""
    email: str = ""


async def create(serving: Serving, fields: _Create) -> Answer:
    happened = accounts.create_account(
        serving.state,
        fields.name,
        fields.smart_account,
        fields.cssm_virtual_account or fields.name,
        fields.email,
    )
    await serving.commit(fields.by, happened)
    return {"account": fields.name}


async def list_accounts(serving: Serving, _fields: Fields) -> Answer:
    found = [_account(account) for account in serving.state.accounts.values()]
    await serving.ledger.settled()
    return {"accounts": found}


def _account(account: Account) -> Answer:
    return {
        "name": account.name,
        "status": account.status,
        "smart_account": account.smart_account,
        "virtual_accounts": account.virtual_accounts,
        "last_sync": date(account.last_sync),
        "to_synchronize": account.waiting,
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "account.create": Operation(_Create, create),
    "account.list": Operation(Fields, list_accounts),
}
