"""Local accounts and their virtual accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from mock_server.control.forms import Answer, Fields, Operation, Placed
from mock_server.domain import accounts, events, virtual_accounts
from mock_server.domain.state import (
    DEFAULT_SMART_ACCOUNT,
    DEFAULT_VIRTUAL_ACCOUNT,
    Account,
    AccountStatus,
    State,
)
from mock_server.domain.words import date
from mock_server.serving import Serving
from smartlic_client.protocol.rum import Policy

__all__ = ["OPERATIONS"]


class _Request(Fields, kw_only=True):
    """`cssm_virtual_account`: the account's own name, if nothing is said: each belongs to one account."""

    name: str
    smart_account: str = DEFAULT_SMART_ACCOUNT
    cssm_virtual_account: str | None = None
    email: str = ""


class _Step(Fields, kw_only=True):
    name: str


class _Deactivate(_Step, kw_only=True):
    reason: str


class _Policy(_Step, kw_only=True):
    policy: Policy | None


class _VirtualAccount(Placed, kw_only=True):
    name: str
    description: str = ""


class _List(Fields, kw_only=True):
    """`account`: only this one."""

    account: str | None = None


# ---- local accounts ---------------------------------------------------------------------------------------
async def request(serving: Serving, fields: _Request) -> Answer:
    return await _new(serving, fields, accounts.request, AccountStatus.REQUESTED)


async def create(serving: Serving, fields: _Request) -> Answer:
    return await _new(serving, fields, accounts.create_account, AccountStatus.ACTIVE)


async def _new(
    serving: Serving,
    fields: _Request,
    make: Callable[[State, str, str, str, str], list[events.Event]],
    becomes: AccountStatus,
) -> Answer:
    bound_to = fields.cssm_virtual_account or fields.name
    happened = make(serving.state, fields.name, fields.smart_account, bound_to, fields.email)
    await serving.commit(fields.by, happened)
    return _is(fields.name, becomes)


def _is(name: str, status: AccountStatus) -> Answer:
    """What this step made of it: once that is safe somebody else may have deleted it."""
    return {"account": name, "status": status}


async def approve(serving: Serving, fields: _Step) -> Answer:
    await serving.commit(fields.by, accounts.approve(serving.state, fields.name))
    return _is(fields.name, AccountStatus.ACTIVE)


async def refuse(serving: Serving, fields: _Step) -> Answer:
    await serving.commit(fields.by, accounts.refuse(serving.state, fields.name))
    return {"account": fields.name}


async def deactivate(serving: Serving, fields: _Deactivate) -> Answer:
    await serving.commit(fields.by, accounts.deactivate(serving.state, fields.name, fields.reason))
    return {**_is(fields.name, AccountStatus.INACTIVE), "reason": fields.reason.strip()}


async def activate(serving: Serving, fields: _Step) -> Answer:
    await serving.commit(fields.by, accounts.activate(serving.state, fields.name))
    return _is(fields.name, AccountStatus.ACTIVE)


async def set_policy(serving: Serving, fields: _Policy) -> Answer:
    await serving.commit(fields.by, accounts.set_policy(serving.state, fields.name, fields.policy))
    return {"account": fields.name, "policy": msgspec.to_builtins(fields.policy)}


async def delete(serving: Serving, fields: _Step) -> Answer:
    await serving.commit(fields.by, accounts.delete(serving.state, fields.name))
    return {"account": fields.name}


async def list_accounts(serving: Serving, _fields: Fields) -> Answer:
    found = [_account(account) for account in serving.state.accounts.values()]
    await serving.ledger.settled()
    return {"accounts": found}


def _account(account: Account) -> Answer:
    failure = account.sync_failure
    return {
        "name": account.name,
        "status": account.status,
        "reason": account.reason,
        "smart_account": account.smart_account,
        "cssm_virtual_account": account.virtual_account,
        "email": account.email,
        "virtual_accounts": account.virtual_accounts,
        "requested_at": date(account.requested_at),
        "last_sync": date(account.last_sync),
        "next_sync": date(account.next_sync),
        "schedule": account.schedule,
        "signed_in_at": date(account.signed_in_at),
        "sync_failure": failure
        and {"code": failure.code, "sentence": failure.sentence, "at": date(failure.at)},
        "to_synchronize": account.waiting,
        "policy": msgspec.to_builtins(account.policy),
    }


# ---- virtual accounts -------------------------------------------------------------------------------------
async def create_virtual(serving: Serving, fields: _VirtualAccount) -> Answer:
    happened = virtual_accounts.create(serving.state, fields.account, fields.name, fields.description)
    await serving.commit(fields.by, happened)
    return {"account": fields.account, "virtual_account": fields.name}


async def delete_virtual(serving: Serving, fields: _VirtualAccount) -> Answer:
    happened = virtual_accounts.delete(serving.state, fields.account, fields.name, serving.now())
    await serving.commit(fields.by, happened)
    return {"account": fields.account, "virtual_account": fields.name}


async def list_virtual(serving: Serving, fields: _List) -> Answer:
    state = serving.state
    wanted = (
        state.accounts.values() if fields.account is None else [accounts.account_of(state, fields.account)]
    )
    found = [
        {
            "account": account.name,
            "name": name,
            "description": account.descriptions.get(name, ""),
            "default": name == DEFAULT_VIRTUAL_ACCOUNT,
            "product_instances": sum(
                (one.account, one.virtual_account) == (account.name, name) for one in state.instances.values()
            ),
        }
        for account in wanted
        for name in account.virtual_accounts
    ]
    await serving.ledger.settled()
    return {"virtual_accounts": found}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "account.request": Operation(_Request, request),
    "account.create": Operation(_Request, create),
    "account.approve": Operation(_Step, approve),
    "account.refuse": Operation(_Step, refuse),
    "account.deactivate": Operation(_Deactivate, deactivate),
    "account.activate": Operation(_Step, activate),
    "account.policy": Operation(_Policy, set_policy),
    "account.delete": Operation(_Step, delete),
    "account.list": Operation(Fields, list_accounts),
    "virtual-account.create": Operation(_VirtualAccount, create_virtual),
    "virtual-account.delete": Operation(_VirtualAccount, delete_virtual),
    "virtual-account.list": Operation(_List, list_virtual),
}
