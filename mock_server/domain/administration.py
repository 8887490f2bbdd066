"""The Host Common Name, and that accounts have been synchronized with CSSM. Decisions only."""

from __future__ import annotations

from mock_server.domain import events
from mock_server.domain.accounts import account_of, active, create_account
from mock_server.domain.state import AccountStatus, State

__all__ = ["account_of", "create_account", "regeneration_due", "set_common_name", "synchronize"]


def set_common_name(state: State, name: str) -> list[events.Event]:
    """Set the Host Common Name. What is served stays as it is until the accounts are synchronized (B1.5)."""
    return [] if name == state.settings.common_name else [events.CommonNameSet(name=name)]


def synchronize(state: State, names: list[str]) -> list[events.Event]:
    """The accounts `names` have been synchronized with CSSM."""
    return [events.AccountSynchronized(name=active(state, name).name) for name in names]


def regeneration_due(state: State, synchronized: list[str]) -> bool:
    """Whether new certificates are due once `synchronized` are: every active account must have been."""
    settings = state.settings
    if settings.common_name == settings.served_name:
        return False
    return not any(
        account.waiting and account.status is AccountStatus.ACTIVE and account.name not in synchronized
        for account in state.accounts.values()
    )
