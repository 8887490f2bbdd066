"""API clients of the local accounts, and the settings of the REST API."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain import accounts, api_clients
from mock_server.domain.state import DEFAULT_ACCOUNT, ApiClient
from mock_server.domain.words import date
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Create(Fields, kw_only=True):
    account: str = DEFAULT_ACCOUNT
    name: str = "automation"


class _List(Fields, kw_only=True):
    """`account`: only this one's."""

    account: str | None = None


class _Of(Fields, kw_only=True):
    client_id: str


class _Configure(Fields, kw_only=True):
    """None leaves it as it is. `rate_limit`: calls of a bearer a minute, 0 for any number."""

    rate_limit: int | None = None
    whole_tokens: bool | None = None


async def create(serving: Serving, fields: _Create) -> Answer:
    happened, client_id, secret = api_clients.create(
        serving.state, fields.account, fields.name, now=serving.now(), random=os.urandom, by=fields.by
    )
    await serving.commit(fields.by, happened)
    return {"client_id": client_id, "client_secret": secret, "account": fields.account, "name": fields.name}


async def renew(serving: Serving, fields: _Of) -> Answer:
    client = api_clients.client_of(serving.state, fields.client_id)
    account, name = client.account, client.name
    happened, secret = api_clients.renew(serving.state, fields.client_id, random=os.urandom)
    await serving.commit(fields.by, happened)
    return {"client_id": fields.client_id, "client_secret": secret, "account": account, "name": name}


async def delete(serving: Serving, fields: _Of) -> Answer:
    name = api_clients.client_of(serving.state, fields.client_id).name
    await serving.commit(fields.by, api_clients.delete(serving.state, fields.client_id))
    return {"client_id": fields.client_id, "name": name}


async def list_clients(serving: Serving, fields: _List) -> Answer:
    state, now = serving.state, serving.now()
    if fields.account is not None:
        accounts.account_of(state, fields.account)
    live: dict[str, int] = {}
    for token in state.access_tokens.values():
        if now < token.expires_at:
            live[token.client_id] = live.get(token.client_id, 0) + 1
    found = [
        _client(client, live.get(client.client_id, 0))
        for client in sorted(state.api_clients.values(), key=lambda one: (one.account, one.name))
        if fields.account in (None, client.account)
    ]
    await serving.ledger.settled()
    return {"api_clients": found}


def _client(client: ApiClient, live: int) -> Answer:
    return {
        "client_id": client.client_id,
        "account": client.account,
        "name": client.name,
        "created_at": date(client.created_at),
        "created_by": client.created_by,
        "renewed_at": date(client.renewed_at),
        "access_tokens": live,
    }


async def configure(serving: Serving, fields: _Configure) -> Answer:
    """With nothing to set it only tells what is set."""
    happened = api_clients.configure(
        serving.state, rate_limit=fields.rate_limit, whole_tokens=fields.whole_tokens
    )
    await serving.commit(fields.by, happened)
    settings = serving.state.settings
    return {
        "rate_limit": settings.rate_limit,
        "whole_tokens": settings.whole_tokens,
        "changed": bool(happened),
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "api-client.create": Operation(_Create, create),
    "api-client.list": Operation(_List, list_clients),
    "api-client.renew": Operation(_Of, renew),
    "api-client.delete": Operation(_Of, delete),
    "rest-api": Operation(_Configure, configure),
}
