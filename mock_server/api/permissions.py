"""Who may do what. Each function is one check; it raises, or gives what is allowed.

1. Every call but the one for an access token bears a token (`bearer_of`) that this server has given out and
   not revoked (`known`), and that has not expired (`fresh`). One whose client or user is gone, or has another
   secret or password, is revoked by that.
2. A client sees its own local account and no other (`own_account`, `visible`); a user sees all, since either
   role of users is for all accounts (`domain.state.UserRole`).
3. What is done in a virtual account is done to what lies in it (`device_there`, `token_there`).
4. An access token is given for a client's secret (`right_secret`) or a user's password (`right_password`).

Whether another account is there is not told: its paths are forbidden either way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mock_server.api import problems
from mock_server.domain import api_clients, users
from mock_server.domain.state import AccessToken, Account, ApiClient, Instance, State, Token, User

__all__ = [
    "Caller",
    "bearer_of",
    "caller_of",
    "device_there",
    "fresh",
    "known",
    "name_of",
    "own_account",
    "right_password",
    "right_secret",
    "token_there",
    "visible",
]


@dataclass(frozen=True)
class Caller:
    """`bearer`: what a rate limit counts by. `name`: for the event log. `account`: its only one, or None."""

    bearer: str
    name: str
    account: str | None


def bearer_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The access token that a call bears (RFC 6750, section 2.1)."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, text = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer" and text.strip():
                return text.strip()
    raise problems.TOKEN_MISSING()


def caller_of(state: State, text: str, now: float) -> Caller:
    """Whoever bears the access token, if they may still come in."""
    token = known(state, text)
    fresh(token, now)
    client = state.api_clients.get(token.client_id)
    return Caller(f"{token.client_id} {token.user}", name_of(client, token.user), token.account)


def name_of(client: ApiClient | None, user: str) -> str:
    """Who does something, for the event log."""
    return user or (f"API client {client.name}" if client else "API client")


def known(state: State, text: str) -> AccessToken:
    token = api_clients.access(state, text)
    if token is None:
        raise problems.TOKEN_UNKNOWN()
    return token


def fresh(token: AccessToken, now: float) -> None:
    if now >= token.expires_at:
        raise problems.TOKEN_EXPIRED()


def own_account(caller: Caller, account: str) -> None:
    if caller.account not in (None, account):
        raise problems.OTHER_ACCOUNT(account=account[:100])


def visible(caller: Caller, accounts: Iterable[Account]) -> list[Account]:
    """Those of the accounts that the caller may see."""
    return [account for account in accounts if caller.account in (None, account.name)]


def device_there(instance: Instance, account: str, virtual_account: str) -> bool:
    return (instance.account, instance.virtual_account) == (account, virtual_account)


def token_there(token: Token, account: str, virtual_account: str) -> bool:
    return (token.account, token.virtual_account) == (account, virtual_account)


def right_secret(state: State, client_id: str, secret: str) -> ApiClient:
    client = api_clients.authenticated(state, client_id, secret)
    if client is None:
        raise problems.WRONG_CLIENT()
    return client


def right_password(state: State, name: str, password: str) -> User:
    """It takes long, on purpose: call it beside the loop that serves."""
    user = users.verified(state, name, password)
    if user is None:
        raise problems.WRONG_PASSWORD()
    return user
