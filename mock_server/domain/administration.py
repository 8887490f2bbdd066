"""The Host Common Name, and when certificates bear it. Decisions only."""

from __future__ import annotations

from mock_server.domain import events
from mock_server.domain.state import AccountStatus, State

__all__ = ["behind", "regeneration_due", "set_common_name"]


def set_common_name(state: State, name: str) -> list[events.Event]:
    """Set the Host Common Name. What is served stays as it is until the accounts are synchronized (B1.5)."""
    return [] if name == state.settings.common_name else [events.CommonNameSet(name=name)]


def behind(state: State) -> list[str]:
    """The active accounts that have not been synchronized since the Host Common Name was set."""
    if state.settings.common_name == state.settings.served_name:
        return []
    return [
        account.name
        for account in state.accounts.values()
        if account.status is AccountStatus.ACTIVE and (account.waiting or account.last_sync is None)
    ]


def regeneration_due(state: State) -> bool:
    """Whether certificates with the name that was set are due: every active account is synchronized.

    Who is requested or inactive cannot be, and is not waited for; one at least has to be active.
    """
    settings = state.settings
    active = any(account.status is AccountStatus.ACTIVE for account in state.accounts.values())
    return settings.common_name != settings.served_name and active and not behind(state)
