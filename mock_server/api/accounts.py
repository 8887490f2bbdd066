"""Local accounts and their virtual accounts."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from mock_server.api import permissions
from mock_server.api.calls import Call, Route
from mock_server.api.reading import one_line
from mock_server.api.shapes import (
    Accounts,
    Done,
    LocalAccount,
    NewVirtualAccount,
    Nothing,
    Search,
    VirtualAccount,
    VirtualAccounts,
)
from mock_server.domain.accounts import account_of
from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT, Account
from mock_server.domain.words import date
from mock_server.serving import Serving
from smartlic_client.protocol.transports import CSLU_PATH

__all__ = ["ROUTES"]


async def accounts(call: Call, _asked: Nothing) -> Accounts:
    return _shown(call, "")


async def search(call: Call, asked: Search) -> Accounts:
    return _shown(call, asked.domain)


def _shown(call: Call, part: str) -> Accounts:
    seen = permissions.visible(call.caller, call.state.accounts.values())
    found = [account for account in seen if part.strip().casefold() in account.name.casefold()]
    return Accounts(accounts=[_account(call.serving, account) for account in found])


def _account(serving: Serving, account: Account) -> LocalAccount:
    return LocalAccount(
        name=account.name,
        domain=account.name,
        account_id=_id(account.name),
        cslu_tenant_url=f"{_device_url(serving)}{CSLU_PATH}{quote(account.name, safe='')}-1",
        cssm_smart_account_id=_id(account.smart_account),
        cssm_smart_account_name=account.smart_account,
        cssm_virtual_account_name=account.virtual_account,
        virtual_accounts=_virtual(account),
        status=account.status.capitalize(),
        last_synchronization=date(account.last_sync),
    )


def _device_url(serving: Serving) -> str:
    config = serving.context.config
    name = serving.state.settings.served_name or config.vip.host
    return f"https://{f'[{name}]' if ':' in name else name}:{config.vip.device_port}"


def _id(name: str) -> str:
    """A number for a name, the same on both servers and for good."""
    return str(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))


def _virtual(account: Account) -> list[VirtualAccount]:
    return [
        VirtualAccount(
            name=name,
            description=account.descriptions.get(name, ""),
            is_default="true" if name == DEFAULT_VIRTUAL_ACCOUNT else "false",
            commerce_access_level="Public",
        )
        for name in account.virtual_accounts
    ]


async def virtual_accounts(call: Call, _asked: Nothing) -> VirtualAccounts:
    return VirtualAccounts(virtual_accounts=_virtual(account_of(call.state, call.account)))


async def create_virtual(call: Call, asked: NewVirtualAccount) -> Done:
    description = one_line(asked.description)
    await call.perform(
        "virtual-account.create", account=call.account, name=asked.name, description=description
    )
    return Done(status_message=f"The virtual account {asked.name} is created.")


async def delete_virtual(call: Call, _asked: Nothing) -> Done:
    await call.perform("virtual-account.delete", account=call.account, name=call.virtual_account)
    return Done(status_message=f"The virtual account {call.virtual_account} is deleted.")


_ACCOUNT = "/api/v1/accounts/{account}"

ROUTES = (
    Route(
        "POST",
        "/api/v1/upstream_satellites/accounts",
        "accounts",
        "The local accounts that the caller may see.",
        Accounts,
        accounts,
    ),
    Route(
        "GET",
        "/api/v1/accounts/search",
        "searchAccounts",
        "Those of them whose domain has the text in it.",
        Accounts,
        search,
        Search,
    ),
    *(
        Route(
            "GET",
            f"{_ACCOUNT}{infix}/virtual-accounts",
            f"virtualAccounts{suffix}",
            "The virtual accounts of a local account.",
            VirtualAccounts,
            virtual_accounts,
        )
        for infix, suffix in (("", ""), ("/customer", "OfCustomer"))
    ),
    *(
        Route(
            "POST",
            f"{_ACCOUNT}{infix}/virtual-accounts",
            f"createVirtualAccount{suffix}",
            "Make a virtual account.",
            Done,
            create_virtual,
            NewVirtualAccount,
        )
        for infix, suffix in (("", ""), ("/customer", "OfCustomer"))
    ),
    Route(
        "POST",
        f"{_ACCOUNT}/virtual-accounts/{{virtual_account}}/delete",
        "deleteVirtualAccount",
        "Delete a virtual account: its licenses go back to Default, and nothing may be left in use.",
        Done,
        delete_virtual,
    ),
)
