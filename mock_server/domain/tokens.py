"""ID tokens: made, revoked, and whether products can register with one now. Decisions only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import StrEnum

from mock_server.domain import accounts, events, problems
from mock_server.domain.state import State, Token
from smartlic_client.protocol.identity import IdToken, new_uuid

__all__ = ["TokenState", "create_token", "revoke_token", "token_digest", "token_state"]

RandomBytes = Callable[[int], bytes]
DAY = 86400


class TokenState(StrEnum):
    USABLE = "usable"
    REVOKED = "revoked"
    EXPIRED = "expired"
    USED_UP = "used up"


def token_state(token: Token, now: float) -> TokenState:
    """Whether products can register with the token at `now`, and if not, why."""
    if token.revoked:
        return TokenState.REVOKED
    if now >= token.expires_at:
        return TokenState.EXPIRED
    if token.uses is not None and token.used >= token.uses:
        return TokenState.USED_UP
    return TokenState.USABLE


def token_digest(token: IdToken) -> str:
    """What is kept of a token. Its secret is 32 random bytes, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.reveal().encode()).hexdigest()


def create_token(
    state: State,
    account: str,
    virtual_account: str,
    *,
    days: float,
    uses: int | None,
    description: str,
    export_controlled: bool,
    now: float,
    random: RandomBytes,
    by: str = "",
) -> tuple[list[events.Event], IdToken]:
    """A new ID token: shown whole once, here. `days` 1..365; `uses` 1..100000, None for any number."""
    accounts.active(state, account, virtual_account)
    if not 1 <= days <= 365:
        raise problems.BAD_DAYS(days=days)
    if uses is not None and not 1 <= uses <= 100_000:
        raise problems.BAD_USES(uses=uses)
    expires_at = now + days * DAY
    token = IdToken.make(new_uuid(random), int(expires_at * 1000), random(32))
    kept = Token(
        token_id=token.token_id,
        account=account,
        virtual_account=virtual_account,
        description=description[:255],
        created_at=now,
        expires_at=expires_at,
        uses=uses,
        export_controlled=export_controlled,
        created_by=by,
    )
    return [events.TokenCreated(digest=token_digest(token), token=kept)], token


def revoke_token(state: State, token_id: str) -> list[events.Event]:
    for digest, token in state.tokens.items():
        if token.token_id == token_id:
            return [] if token.revoked else [events.TokenRevoked(digest=digest, token_id=token_id)]
    raise problems.TOKEN_NOT_THERE(token=token_id)
