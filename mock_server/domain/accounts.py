"""Local accounts: their life as a table. Decisions only.

Until an account is active nothing else can be done with it. An inactive one can only be cleared out and
deleted, or activated again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from mock_server.domain import events, problems
from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT, Account, AccountStatus, State
from smartlic_client.protocol.rum import Policy

__all__ = [
    "LIFE",
    "AccountEvent",
    "account_of",
    "activate",
    "active",
    "approve",
    "create_account",
    "deactivate",
    "delete",
    "name_for",
    "refuse",
    "request",
    "set_policy",
]


class AccountEvent(StrEnum):
    APPROVED = "approved"
    REFUSED = "refused"
    DEACTIVATED = "deactivated"
    ACTIVATED = "activated"
    DELETED = "deleted"


_S, _E = AccountStatus, AccountEvent

LIFE: Final[Mapping[tuple[AccountStatus, AccountEvent], AccountStatus]] = {
    (_S.REQUESTED, _E.APPROVED): _S.ACTIVE,
    (_S.REQUESTED, _E.REFUSED): _S.DELETED,
    (_S.ACTIVE, _E.DEACTIVATED): _S.INACTIVE,
    (_S.INACTIVE, _E.ACTIVATED): _S.ACTIVE,
    (_S.INACTIVE, _E.DELETED): _S.DELETED,
}
"""A step that is not here is refused, and the refusal names the states from which it can be made."""


def name_for(text: str, what: str) -> str:
    """The text, if it can be a name. `what`: whose name it would be, for the refusal."""
    if not 1 <= len(text) <= 100 or text != text.strip() or not text.isprintable():
        raise problems.BAD_NAME(name=text, what=what)
    return text


def account_of(state: State, name: str, virtual_account: str = DEFAULT_VIRTUAL_ACCOUNT) -> Account:
    """The account, whatever its state; it must have the virtual account."""
    account = state.accounts.get(name)
    if account is None:
        raise problems.ACCOUNT_UNKNOWN(account=name)
    if virtual_account not in account.virtual_accounts:
        raise problems.VIRTUAL_ACCOUNT_UNKNOWN(account=name, virtual_account=virtual_account)
    return account


def active(state: State, name: str, virtual_account: str = DEFAULT_VIRTUAL_ACCOUNT) -> Account:
    """The account, if something can be done with it."""
    account = account_of(state, name, virtual_account)
    if account.status is not AccountStatus.ACTIVE:
        raise problems.ACCOUNT_NOT_ACTIVE(account=name, status=account.status)
    return account


# ---- life -------------------------------------------------------------------------------------------------
def request(
    state: State, name: str, smart_account: str, virtual_account: str, email: str = ""
) -> list[events.Event]:
    """Ask for a local account that is bound to a virtual account of a smart account in CSSM."""
    return [events.AccountChanged(account=_new(state, name, smart_account, virtual_account, email))]


def create_account(
    state: State, name: str, smart_account: str, virtual_account: str, email: str = ""
) -> list[events.Event]:
    """A new local account, requested and approved at once."""
    made = _new(state, name, smart_account, virtual_account, email)
    made.status = LIFE[made.status, AccountEvent.APPROVED]
    return [events.AccountChanged(account=made)]


def _new(state: State, name: str, smart_account: str, virtual_account: str, email: str) -> Account:
    if name_for(name, "a local account") in state.accounts:
        raise problems.ACCOUNT_EXISTS(account=name)
    if email and (len(email) > 254 or "@" not in email or not email.isprintable() or " " in email):
        raise problems.BAD_EMAIL(email=email)
    made = Account(
        name=name,
        smart_account=name_for(smart_account, "a smart account"),
        virtual_account=name_for(virtual_account, "a virtual account"),
        status=AccountStatus.REQUESTED,
        email=email,
    )
    for other in state.accounts.values():
        if (other.smart_account, other.virtual_account) == (smart_account, virtual_account):
            raise problems.VIRTUAL_ACCOUNT_TAKEN(
                smart_account=smart_account, virtual_account=virtual_account, account=other.name
            )
    return made


def approve(state: State, name: str) -> list[events.Event]:
    return _changed(state, name, AccountEvent.APPROVED)


def refuse(state: State, name: str) -> list[events.Event]:
    """Refuse a request: it is gone, and its name free."""
    _step(account_of(state, name), AccountEvent.REFUSED)
    return [events.AccountDeleted(name=name, why="refused")]


def deactivate(state: State, name: str, reason: str) -> list[events.Event]:
    """`reason`: shown with the account until it is activated again."""
    if len(reason) > 255 or not reason.strip() or not reason.isprintable():
        raise problems.BAD_REASON()
    return _changed(state, name, AccountEvent.DEACTIVATED, reason.strip())


def activate(state: State, name: str) -> list[events.Event]:
    return _changed(state, name, AccountEvent.ACTIVATED)


def set_policy(state: State, name: str, policy: Policy | None) -> list[events.Event]:
    """What its instances of Smart Licensing Using Policy have to report; each is told with its next report.

    None: no policy is told any more. A device keeps the one that it has.
    """
    account = active(state, name)
    if account.policy == policy:
        return []
    return [events.AccountChanged(account=msgspec.structs.replace(account, policy=policy))]


def delete(state: State, name: str) -> list[events.Event]:
    """With it go its virtual accounts, tokens and licenses; product instances have to be gone before."""
    _step(account_of(state, name), AccountEvent.DELETED)
    count = sum(instance.account == name for instance in state.instances.values())
    if count:
        raise problems.ACCOUNT_IN_USE(account=name, count=count)
    return [events.AccountDeleted(name=name, why="deleted")]


def _changed(state: State, name: str, step: AccountEvent, reason: str = "") -> list[events.Event]:
    account = account_of(state, name)
    status = _step(account, step)
    return [events.AccountChanged(account=msgspec.structs.replace(account, status=status, reason=reason))]


def _step(account: Account, step: AccountEvent) -> AccountStatus:
    then = LIFE.get((account.status, step))
    if then is None:
        allowed = " or ".join(state for state, possible in LIFE if possible is step)
        raise problems.ACCOUNT_STEP(account=account.name, status=account.status, step=step, allowed=allowed)
    return then
