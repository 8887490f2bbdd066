"""What people ask of the server: accounts, tokens, licenses, the Host Common Name. Decisions only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from mock_server.domain import events, problems
from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT, Account, Pool, State, Token
from smartlic_client.protocol.identity import MAX_COUNT, IdToken, entitlement_tag, new_uuid

__all__ = [
    "create_account",
    "create_token",
    "purchase",
    "revoke_token",
    "set_common_name",
    "synchronize",
    "token_digest",
]

RandomBytes = Callable[[int], bytes]
DAY = 86400


def token_digest(token: IdToken) -> str:
    """What is kept of a token. Its secret is 32 random bytes, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.reveal().encode()).hexdigest()


def _name(text: str, what: str) -> str:
    if not 1 <= len(text) <= 100 or text != text.strip() or not text.isprintable():
        raise problems.BAD_NAME(name=text, what=what)
    return text


def account_of(state: State, name: str, virtual_account: str = DEFAULT_VIRTUAL_ACCOUNT) -> Account:
    account = state.accounts.get(name)
    if account is None:
        raise problems.ACCOUNT_UNKNOWN(account=name)
    if virtual_account not in account.virtual_accounts:
        raise problems.VIRTUAL_ACCOUNT_UNKNOWN(account=name, virtual_account=virtual_account)
    return account


def create_account(state: State, name: str, smart_account: str, virtual_account: str) -> list[events.Event]:
    """A new local account, active at once, with the local virtual account `Default`."""
    if _name(name, "a local account") in state.accounts:
        raise problems.ACCOUNT_EXISTS(account=name)
    account = Account(
        name=name,
        smart_account=_name(smart_account, "a smart account"),
        virtual_account=_name(virtual_account, "a virtual account"),
    )
    return [events.AccountChanged(account=account)]


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
) -> tuple[list[events.Event], IdToken]:
    """A new ID token: shown whole once, here. `days` 1..365; `uses` 1..100000, None for any number."""
    account_of(state, account, virtual_account)
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
    )
    return [events.TokenCreated(digest=token_digest(token), token=kept)], token


def revoke_token(state: State, token_id: str) -> list[events.Event]:
    for digest, token in state.tokens.items():
        if token.token_id == token_id:
            return [] if token.revoked else [events.TokenRevoked(digest=digest)]
    raise problems.TOKEN_NOT_THERE(token=token_id)


def purchase(
    state: State, account: str, virtual_account: str, tag: str, name: str, quantity: int
) -> list[events.Event]:
    """The quantity of one entitlement, as an absolute number."""
    account_of(state, account, virtual_account)
    if not 0 <= quantity <= MAX_COUNT:
        raise problems.BAD_QUANTITY(quantity=quantity)
    pool = Pool(
        account=account,
        virtual_account=virtual_account,
        tag=entitlement_tag(tag),
        name=_name(name, "a license"),
        purchased=quantity,
    )
    return [events.LicensesPurchased(pool=pool)]


def set_common_name(state: State, name: str) -> list[events.Event]:
    """Set the Host Common Name. What is served stays as it is until the accounts are synchronized (B1.5)."""
    return [] if name == state.settings.common_name else [events.CommonNameSet(name=name)]


def synchronize(state: State, names: list[str]) -> list[events.Event]:
    """The accounts `names` have been synchronized with CSSM."""
    return [events.AccountSynchronized(name=account_of(state, name).name) for name in names]


def regeneration_due(state: State, synchronized: list[str]) -> bool:
    """Whether new certificates are due once `synchronized` are: every active account must have been."""
    settings = state.settings
    if settings.common_name == settings.served_name:
        return False
    return all(not account.waiting or account.name in synchronized for account in state.accounts.values())
