"""API clients of the local accounts, and the access tokens of the REST API. Decisions only.

An access token belongs to an API client, whose local account is its scope, or to a local user. Client ids,
secrets and access tokens are 64 hexadecimal characters of 32 random bytes, so one round of SHA-256 is enough
for what is kept of them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from typing import Final

from mock_server.domain import accounts, events, problems
from mock_server.domain.state import AccessToken, ApiClient, State, User

__all__ = [
    "LIFE",
    "MOST_TOKENS",
    "access",
    "authenticated",
    "client_of",
    "configure",
    "create",
    "delete",
    "issue",
    "renew",
]

RandomBytes = Callable[[int], bytes]

LIFE: Final = 3600
"""Seconds that an access token can be used for."""
KEPT: Final = 86400.0
"""Seconds for which an expired one is remembered, so that its bearer is told that it has expired."""
MOST_TOKENS: Final = 1000
"""So many access tokens has one bearer at most; another one ends the oldest."""
MOST_CALLS: Final = 1_000_000


def create(
    state: State, account: str, name: str, *, now: float, random: RandomBytes, by: str
) -> tuple[list[events.Event], str, str]:
    """A new API client of an active account: what happened, its id, and its secret, which is shown once."""
    accounts.active(state, account)
    client = ApiClient(
        client_id=random(32).hex(),
        account=account,
        name=accounts.name_for(name, "an API client"),
        digest="",
        created_at=now,
        created_by=by,
    )
    if any((other.account, other.name) == (account, name) for other in state.api_clients.values()):
        raise problems.API_CLIENT_EXISTS(account=account, name=name)
    secret = random(32).hex()
    client.digest = _digest(secret)
    return [events.ApiClientCreated(client=client)], client.client_id, secret


def client_of(state: State, client_id: str) -> ApiClient:
    client = state.api_clients.get(client_id)
    if client is None:
        raise problems.API_CLIENT_UNKNOWN(client_id=client_id[:100])
    return client


def renew(state: State, client_id: str, *, random: RandomBytes) -> tuple[list[events.Event], str]:
    """A new secret. The former one and the access tokens that it got end."""
    client = client_of(state, client_id)
    secret = random(32).hex()
    renewed = events.ApiClientRenewed(client_id=client_id, name=client.name, digest=_digest(secret))
    return [renewed], secret


def delete(state: State, client_id: str) -> list[events.Event]:
    """With its access tokens."""
    client = client_of(state, client_id)
    return [events.ApiClientDeleted(client_id=client_id, name=client.name)]


def authenticated(state: State, client_id: str, secret: str) -> ApiClient | None:
    """The client, if this is its secret."""
    client = state.api_clients.get(client_id)
    given = _digest(secret)
    if client is None or not hmac.compare_digest(client.digest, given):
        return None
    return client


def issue(
    state: State, client: ApiClient | None, user: User | None, *, now: float, random: RandomBytes
) -> tuple[list[events.Event], str]:
    """A new access token of a client, of a user, or of a user by a client; old ones are cleared away."""
    text = random(32).hex()
    token = AccessToken(
        client_id=client.client_id if client else "",
        user=user.name if user else "",
        account=client.account if client else None,
        issued_at=now,
        expires_at=now + LIFE,
    )
    who = token.user or (client.name if client else "")
    gone = list(_outlived(state, token, now))
    return [events.AccessTokenIssued(digest=_digest(text), token=token, who=who, gone=gone)], text


def _outlived(state: State, new: AccessToken, now: float) -> Iterator[str]:
    """Digests of those that nobody needs to be told about any more, and of those that are too many."""
    bearer = (new.client_id, new.user)
    own: list[tuple[float, str]] = []
    for digest, token in state.access_tokens.items():
        if now >= token.expires_at + KEPT:
            yield digest
        elif (token.client_id, token.user) == bearer:
            own.append((token.issued_at, digest))
    for _, digest in sorted(own)[: max(0, len(own) - MOST_TOKENS + 1)]:
        yield digest


def access(state: State, text: str) -> AccessToken | None:
    """The access token of this text. Whether it has expired is for the caller to see."""
    return state.access_tokens.get(_digest(text))


def configure(
    state: State, *, rate_limit: int | None = None, whole_tokens: bool | None = None
) -> list[events.Event]:
    """Set how the REST API behaves; None leaves it. `rate_limit`: calls of a bearer a minute, 0: any number.

    `whole_tokens`: keep new ID tokens readable, so that the listing shows them whole.
    """
    settings = state.settings
    limit = settings.rate_limit if rate_limit is None else rate_limit
    whole = settings.whole_tokens if whole_tokens is None else whole_tokens
    if not 0 <= limit <= MOST_CALLS:
        raise problems.BAD_RATE_LIMIT(limit=limit)
    if (limit, whole) == (settings.rate_limit, settings.whole_tokens):
        return []
    return [events.RestApiConfigured(rate_limit=limit, whole_tokens=whole)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
