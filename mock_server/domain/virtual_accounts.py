"""Local virtual accounts: `Default`, and others as people make them. Decisions only."""

from __future__ import annotations

from mock_server.domain import accounts, events, problems
from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT, State
from mock_server.domain.tokens import TokenState, token_state

__all__ = ["create", "delete"]


def create(state: State, account: str, name: str, description: str = "") -> list[events.Event]:
    """A new local virtual account; `description` up to 255 characters."""
    if accounts.name_for(name, "a virtual account") in accounts.active(state, account).virtual_accounts:
        raise problems.VIRTUAL_ACCOUNT_EXISTS(account=account, virtual_account=name)
    if len(description) > 255 or (description and not description.isprintable()):
        raise problems.BAD_DESCRIPTION()
    return [events.VirtualAccountCreated(account=account, name=name, description=description)]


def delete(state: State, account: str, name: str, now: float) -> list[events.Event]:
    """Its licenses, of which none may be in use, go back to `Default`; its tokens must be unusable."""
    accounts.active(state, account, name)
    if name == DEFAULT_VIRTUAL_ACCOUNT:
        raise problems.DEFAULT_STAYS(account=account)
    here = (account, name)
    instances = sum((one.account, one.virtual_account) == here for one in state.instances.values())
    licenses = sum(
        pool.in_use for pool in state.pools.values() if (pool.account, pool.virtual_account) == here
    )
    tokens = sum(
        (token.account, token.virtual_account) == here and token_state(token, now) is TokenState.USABLE
        for token in state.tokens.values()
    )
    holds = {"product instances": instances, "licenses in use": licenses, "usable ID tokens": tokens}
    if any(holds.values()):
        what = ", ".join(f"{count} {thing}" for thing, count in holds.items() if count)
        raise problems.VIRTUAL_ACCOUNT_IN_USE(account=account, virtual_account=name, what=what)
    return [events.VirtualAccountDeleted(account=account, name=name)]
