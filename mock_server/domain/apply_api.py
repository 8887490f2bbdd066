"""How events change API clients, access tokens and the settings of the REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mock_server.domain import events
from mock_server.domain.places import forget
from mock_server.domain.pools import Touched
from mock_server.domain.state import State

__all__ = ["APPLY"]


def _api_client_created(state: State, event: events.ApiClientCreated, _at: float, touched: Touched) -> None:
    state.api_clients[event.client.client_id] = event.client
    touched.add(("api_client", event.client.client_id))


def _api_client_renewed(state: State, event: events.ApiClientRenewed, at: float, touched: Touched) -> None:
    client = state.api_clients[event.client_id]
    client.digest, client.renewed_at = event.digest, at
    touched.add(("api_client", event.client_id))
    _end_access(state, event.client_id, touched)


def _api_client_deleted(state: State, event: events.ApiClientDeleted, _at: float, touched: Touched) -> None:
    del state.api_clients[event.client_id]
    touched.add(("api_client", event.client_id))
    _end_access(state, event.client_id, touched)


def _end_access(state: State, client_id: str, touched: Touched) -> None:
    forget(state.access_tokens, "access_token", lambda token: token.client_id == client_id, touched)


def _access_token_issued(state: State, event: events.AccessTokenIssued, _at: float, touched: Touched) -> None:
    for digest in event.gone:
        state.access_tokens.pop(digest, None)
    state.access_tokens[event.digest] = event.token
    touched.update(("access_token", digest) for digest in (event.digest, *event.gone))


def _rest_api_configured(state: State, event: events.RestApiConfigured, _at: float, touched: Touched) -> None:
    settings = state.settings
    settings.rate_limit, settings.whole_tokens = event.rate_limit, event.whole_tokens
    touched.add(("settings", ""))


APPLY: Final[Mapping[type[Any], Callable[[State, Any, float, Touched], None]]] = {
    events.ApiClientCreated: _api_client_created,
    events.ApiClientRenewed: _api_client_renewed,
    events.ApiClientDeleted: _api_client_deleted,
    events.AccessTokenIssued: _access_token_issued,
    events.RestApiConfigured: _rest_api_configured,
}
