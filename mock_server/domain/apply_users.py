"""How the events of local users change the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mock_server.domain import events
from mock_server.domain.places import forget
from mock_server.domain.pools import Touched
from mock_server.domain.state import State

__all__ = ["APPLY"]


def _user_created(state: State, event: events.UserCreated, _at: float, touched: Touched) -> None:
    state.users[event.user.name] = event.user
    touched.add(("user", event.user.name))


def _password_changed(state: State, event: events.PasswordChanged, at: float, touched: Touched) -> None:
    user = state.users[event.name]
    user.password, user.changed_at = event.password, at
    touched.add(("user", event.name))
    _end_access(state, event.name, touched)


def _signed_out(state: State, event: events.SignedOut, _at: float, touched: Touched) -> None:
    user = state.users[event.name]
    kept = {session: until for session, until in user.ended.items() if until > event.now}
    user.ended = {**kept, event.session: event.until}
    touched.add(("user", event.name))


def _user_removed(state: State, event: events.UserRemoved, _at: float, touched: Touched) -> None:
    del state.users[event.name]
    touched.add(("user", event.name))
    _end_access(state, event.name, touched)


def _end_access(state: State, name: str, touched: Touched) -> None:
    forget(state.access_tokens, "access_token", lambda token: token.user == name, touched)


APPLY: Final[dict[type[Any], Callable[[State, Any, float, Touched], None]]] = {
    events.UserCreated: _user_created,
    events.PasswordChanged: _password_changed,
    events.UserRemoved: _user_removed,
    events.SignedOut: _signed_out,
}
