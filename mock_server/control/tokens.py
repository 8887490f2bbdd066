"""ID tokens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation, Placed
from mock_server.domain import tokens
from mock_server.domain.words import date
from mock_server.serving import Serving

__all__ = ["OPERATIONS", "kept_name"]


def kept_name(token_id: str) -> str:
    """Where the key store keeps a token whole, if the server is set to do so."""
    return f"id-token-{token_id}"


class _Create(Placed, kw_only=True):
    description: str = ""
    days: float = 30.0
    uses: int | None = None
    export_controlled: bool = False


class _Revoke(Fields, kw_only=True):
    token_id: str


async def create(serving: Serving, fields: _Create) -> Answer:
    happened, token = tokens.create_token(
        serving.state,
        fields.account,
        fields.virtual_account,
        days=fields.days,
        uses=fields.uses,
        description=fields.description,
        export_controlled=fields.export_controlled,
        now=serving.now(),
        random=os.urandom,
        by=fields.by,
    )
    keys = {}
    if serving.state.settings.whole_tokens:
        keys[kept_name(token.token_id)] = token.reveal().encode()
    await serving.commit(fields.by, happened, keys)
    return {
        "token": token.reveal(),
        "token_id": token.token_id,
        "expires_at": date(token.expires_at),
        "uses": fields.uses,
        "account": fields.account,
        "virtual_account": fields.virtual_account,
    }


async def list_tokens(serving: Serving, _fields: Fields) -> Answer:
    now = serving.now()
    found = [
        {
            "token_id": token.token_id,
            "account": token.account,
            "virtual_account": token.virtual_account,
            "description": token.description,
            "expires_at": date(token.expires_at),
            "uses": token.uses,
            "used": token.used,
            "revoked": token.revoked,
            "state": tokens.token_state(token, now),
            "export_controlled": token.export_controlled,
            "created_at": date(token.created_at),
            "created_by": token.created_by,
        }
        for token in serving.state.tokens.values()
    ]
    await serving.ledger.settled()
    return {"tokens": found}


async def revoke(serving: Serving, fields: _Revoke) -> Answer:
    happened = tokens.revoke_token(serving.state, fields.token_id)
    await serving.commit(fields.by, happened)
    return {"token_id": fields.token_id, "changed": bool(happened)}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "token.create": Operation(_Create, create),
    "token.list": Operation(Fields, list_tokens),
    "token.revoke": Operation(_Revoke, revoke),
}
