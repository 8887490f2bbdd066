"""ID tokens of a virtual account."""

from __future__ import annotations

from mock_server.api import permissions
from mock_server.api.calls import Call, Route
from mock_server.api.problems import ID_TOKEN_UNKNOWN
from mock_server.api.reading import one_line
from mock_server.api.shapes import (
    Done,
    IdToken,
    IdTokens,
    NewIdToken,
    NewIdTokenRequest,
    Nothing,
    TokensToRevoke,
)
from mock_server.control.tokens import kept_name
from mock_server.domain import events, tokens
from mock_server.domain.accounts import account_of
from mock_server.domain.state import Token
from mock_server.domain.words import date
from mock_server.errors import SmartlicError
from mock_server.serving import Serving
from smartlic_client.protocol.identity import IdToken as WholeToken

__all__ = ["ROUTES"]


async def list_tokens(call: Call, _asked: Nothing) -> IdTokens:
    state, now = call.state, call.serving.now()
    account_of(state, call.account, call.virtual_account)
    found = [
        _token(token, now, _whole(call.serving, token))
        for token in state.tokens.values()
        if permissions.token_there(token, call.account, call.virtual_account)
    ]
    return IdTokens(tokens=found)


def _whole(serving: Serving, token: Token) -> str:
    """The token's text, where the server was told to keep it."""
    if not serving.state.settings.whole_tokens:
        return ""
    try:
        return serving.ledger.key(kept_name(token.token_id)).decode()
    except KeyError:
        return ""  # it was made before that


def _token(token: Token, now: float, text: str) -> IdToken:
    return IdToken(
        token=text,
        token_id=token.token_id,
        description=token.description,
        expiration_date=date(token.expires_at) or "",
        export_controlled="Allowed" if token.export_controlled else "Not Allowed",
        used_count=token.used,
        number_of_uses=token.uses,
        created_by=token.created_by,
        status=tokens.token_state(token, now).capitalize(),
    )


async def create(call: Call, asked: NewIdTokenRequest) -> NewIdToken:
    made = await call.perform(
        "token.create",
        account=call.account,
        virtual_account=call.virtual_account,
        description=one_line(asked.description),
        days=asked.expires_after_days,
        uses=asked.number_of_uses,
        export_controlled=asked.export_controlled == "Allowed",
    )
    info = IdToken(
        token=made["token"],
        token_id=made["token_id"],
        description=one_line(asked.description),
        expiration_date=made["expires_at"],
        export_controlled=asked.export_controlled,
        used_count=0,
        number_of_uses=asked.number_of_uses,
        created_by=call.caller.name,
        status=tokens.TokenState.USABLE.capitalize(),
    )
    return NewIdToken(status_message="The ID token is created.", token_info=info)


async def revoke(call: Call, asked: TokensToRevoke) -> Done:
    """All of them, or none: one that is not there is told by its place, so that no error repeats a secret."""
    state = call.state
    account_of(state, call.account, call.virtual_account)
    there = {
        token.token_id: (digest, token)
        for digest, token in state.tokens.items()
        if permissions.token_there(token, call.account, call.virtual_account)
    }
    happened: dict[str, events.Event] = {}
    for place, text in enumerate(asked.tokens, 1):
        found = there.get(_id(text))
        if found is None:
            raise ID_TOKEN_UNKNOWN(virtual_account=call.virtual_account, place=place)
        digest, token = found
        if not token.revoked:
            happened[digest] = events.TokenRevoked(digest=digest, token_id=token.token_id)
    await call.serving.commit(call.caller.name, list(happened.values()))
    return Done(status_message=f"ID tokens revoked: {len(happened)}.")


def _id(text: str) -> str:
    try:
        return WholeToken(text).token_id
    except SmartlicError:
        return text.strip()


_TOKENS = "/api/v1/accounts/{account}/virtual-accounts/{virtual_account}/tokens"

ROUTES = (
    Route("GET", _TOKENS, "idTokens", "The ID tokens of a virtual account.", IdTokens, list_tokens),
    Route(
        "POST",
        _TOKENS,
        "createIdToken",
        "Make an ID token, with which products register. It is shown whole once, here.",
        NewIdToken,
        create,
        NewIdTokenRequest,
    ),
    Route(
        "POST",
        f"{_TOKENS}/revoke",
        "revokeIdTokens",
        "Revoke ID tokens: all that are named, or none.",
        Done,
        revoke,
        TokensToRevoke,
    ),
)
