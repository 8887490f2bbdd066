"""The local users: who is verified, what is kept of a password, and that an administrator always stays."""

from __future__ import annotations

import contextlib
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.domain import users
from mock_server.domain.state import State, UserRole
from mock_server.domain.words import describe
from smartlic_client.errors import CallerError
from tests.unit.domain.world import NOW, Server, loaded, rows

PASSWORD = "correct horse — Zürich"


def added(
    server: Server, name: str, role: UserRole = UserRole.USER, password: str = PASSWORD, made: bool = True
) -> None:
    kept = users.hashed(password, random.Random(name).randbytes, made_here=made)
    server.commit(users.add(server.state, name, role, kept, by="admin", now=NOW))


def test_only_the_right_password_of_a_user_is_verified() -> None:
    """Of either cost; not another's, not a part of it, and no password for a name that is not there."""
    server = Server(lambda: NOW, random.Random(1))
    added(server, "anna", made=False)
    added(server, "Jörg / B", password="another one")
    state = server.state
    assert users.verified(state, "anna", PASSWORD) is state.users["anna"]
    assert users.verified(state, "Jörg / B", "another one") is state.users["Jörg / B"]
    for name, password in (
        ("anna", "another one"),
        ("anna", PASSWORD[:-1]),
        ("anna", PASSWORD + " "),
        ("anna", ""),
        ("anna", "x" * 1_000_000),
        ("anna", "\udcff"),
        ("Anna", PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
    ):
        assert users.verified(state, name, password) is None


def test_a_password_changes_and_a_user_goes() -> None:
    """The new password counts and the old one does not; the stamp of sessions is another; gone is gone."""
    server = Server(lambda: NOW, random.Random(1))
    added(server, "anna")
    before = users.stamp(server.state.users["anna"])
    other = users.hashed("something else", random.Random(9).randbytes, made_here=True)
    server.commit(users.change_password(server.state, "anna", other))
    assert users.verified(server.state, "anna", PASSWORD) is None
    assert users.verified(server.state, "anna", "something else") is not None
    assert users.stamp(server.state.users["anna"]) != before
    assert server.state.users["anna"].changed_at == NOW
    server.commit(users.remove(server.state, "anna"))
    assert users.verified(server.state, "anna", "something else") is None
    assert rows(loaded(server.machine)) == rows(server.machine)


@pytest.mark.parametrize(
    "password", ["", "short", "seven77", "x" * 257, "tab\there too", "line\nline line", "nul\0nul nul"]
)
def test_what_is_no_password_is_refused(password: str) -> None:
    """Too short, too long, more than one line: the sentence does not repeat it."""
    with pytest.raises(CallerError) as refused:
        users.hashed(password, random.Random(1).randbytes)
    assert refused.value.code == "bad-password"
    assert not password or password not in str(refused.value.as_dict())


def test_names_are_taken_once_and_some_are_the_systems_own() -> None:
    """A second user of a name, and who the event log calls system or console, are refused."""
    server = Server(lambda: NOW, random.Random(1))
    added(server, "anna")
    for name in ("anna", "system", "console"):
        with pytest.raises(CallerError, match="already"):
            added(server, name)
    for name in ("", " anna", "a\nb", "x" * 101):
        with pytest.raises(CallerError) as refused:
            added(server, name)
        assert refused.value.code == "bad-name"
    for step in (users.remove, users.user_of):
        with pytest.raises(CallerError, match="no user"):
            step(server.state, "berta")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from(UserRole)), max_size=12))
def test_an_administrator_always_stays(steps: list[tuple[bool, str, UserRole]]) -> None:
    """Whatever is added and removed in any order, who could sign in as administrator still can."""
    server = Server(lambda: NOW, random.Random(1))
    added(server, users.FIRST, UserRole.ADMINISTRATOR)
    for adds, name, role in [(False, users.FIRST, UserRole.USER), *steps]:
        with contextlib.suppress(CallerError):
            added(server, name, role) if adds else server.commit(users.remove(server.state, name))
        assert any(user.role is UserRole.ADMINISTRATOR for user in server.state.users.values())


def test_no_password_is_in_what_is_kept_or_said() -> None:
    """Neither the journal's bytes nor the event log's words hold a password."""
    server = Server(lambda: NOW, random.Random(1))
    added(server, "anna")
    kept = msgspec.msgpack.encode(server.ledger.changes)
    assert PASSWORD.encode() not in kept
    said = [describe(event) for change in server.ledger.changes for event in change.events]
    assert said[-1] == "User anna created as user"
    assert PASSWORD not in "".join(said)


def test_a_state_without_users_verifies_nobody() -> None:
    """A journal of before there were users lets nobody in."""
    assert users.verified(State(), users.FIRST, "whatever it is") is None
    assert {len(users.generated(random.Random(n).randbytes)) for n in range(9)} == {40}
