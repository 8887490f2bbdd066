"""POST /oauth/token: an access token for a client's secret, or for a user's password (RFC 6749)."""

from __future__ import annotations

import asyncio
import os
import time

from mock_server.api import permissions
from mock_server.api.calls import Call, Route
from mock_server.api.problems import TOO_MANY_ATTEMPTS, WRONG_GRANT, WRONG_PASSWORD
from mock_server.api.shapes import AccessTokenRequest, Bearer
from mock_server.domain import api_clients
from mock_server.domain.state import ApiClient, PasswordHash, State, User

__all__ = ["ROUTES"]


async def token(call: Call, asked: AccessTokenRequest) -> Bearer:
    if asked.grant_type == "client_credentials":
        client = permissions.right_secret(call.state, asked.client_id, asked.client_secret)
        return await _issued(call, client, None)
    if asked.grant_type == "password":
        return await _for_password(call, asked)
    raise WRONG_GRANT(grant=asked.grant_type[:100])


async def _for_password(call: Call, asked: AccessTokenRequest) -> Bearer:
    """A client that comes with it has to be right too, and its account is the scope then."""
    state, name, password = call.state, asked.username, asked.password
    before = _password(state, name)
    attempts, now = call.serving.attempts, time.monotonic()
    if wait := attempts.wait(call.address, name, now):
        raise TOO_MANY_ATTEMPTS(user=name[:100], retry_after=wait)
    attempts.failed(call.address, name, now)  # before the check, so that many at once are counted
    user = await asyncio.to_thread(permissions.right_password, state, name, password)
    attempts.succeeded(call.address, name)
    client = None
    if asked.client_id:
        client = permissions.right_secret(call.state, asked.client_id, asked.client_secret)
    if _password(call.state, name) != before:
        raise WRONG_PASSWORD()  # another one came, or the user went, while this one was looked at
    return await _issued(call, client, user)


def _password(state: State, name: str) -> PasswordHash | None:
    user = state.users.get(name)
    return user.password if user else None


async def _issued(call: Call, client: ApiClient | None, user: User | None) -> Bearer:
    now = call.serving.now()
    happened, text = api_clients.issue(call.state, client, user, now=now, random=os.urandom)
    by = permissions.name_of(client, user.name if user else "")
    await call.serving.commit(by, happened)
    return Bearer(access_token=text, expires_in=api_clients.LIFE)


ROUTES = (
    Route(
        "POST",
        "/oauth/token",
        "accessToken",
        "Get an access token, for the id and secret of an API client or for a user's name and password.",
        Bearer,
        token,
        AccessTokenRequest,
        errors=(400,),
        public=True,
    ),
)
