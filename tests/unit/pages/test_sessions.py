"""Sessions and sign-in attempts: pure, at times that the test sets."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.domain import users
from mock_server.domain.attempts import Attempts
from mock_server.domain.state import UserRole
from mock_server.pages.forms import is_local
from mock_server.pages.sessions import IDLE, LONGEST, Sessions, digest
from tests.unit.domain.world import NOW, Server

KEY, OTHER = b"k" * 32, b"o" * 32


def server_with(name: str = "anna") -> Server:
    server = Server(lambda: NOW, random.Random(1))
    kept = users.hashed("a good password", random.Random(1).randbytes, made_here=True)
    server.commit(users.add(server.state, name, UserRole.USER, kept, by="admin", now=NOW))
    return server


def test_a_session_is_its_users_until_the_password_changes_or_the_user_goes() -> None:
    """Also for somebody else who gets the name."""
    server, sessions = server_with(), Sessions(KEY, "c" * 16)
    text = sessions.text(sessions.begin(server.state.users["anna"], NOW))
    session = sessions.read(text, NOW + 1)
    assert session is not None
    assert sessions.user(session, server.state) is server.state.users["anna"]
    other = users.hashed("another password", random.Random(2).randbytes, made_here=True)
    server.commit(users.change_password(server.state, "anna", other))
    assert sessions.user(session, server.state) is None
    server.commit(users.remove(server.state, "anna"))
    assert sessions.user(session, server.state) is None
    assert sessions.user(session, server_with("berta").state) is None


def test_who_signs_out_ends_one_session_and_all_copies_of_its_cookie() -> None:
    """Also one that was renewed; another session of the same user goes on. It is forgotten when it is old."""
    server, sessions = server_with(), Sessions(KEY, "c" * 16)
    user = server.state.users["anna"]
    one, other = sessions.begin(user, NOW), sessions.begin(user, NOW)
    renewed = sessions.renewed(one, NOW + 120)
    assert renewed is not None
    until = one.began + LONGEST
    server.commit(users.sign_out(server.state, "anna", digest(one), now=NOW, until=until))
    assert [sessions.user(session, server.state) for session in (one, renewed, other)] == [None, None, user]
    assert users.sign_out(server.state, "anna", digest(one), now=NOW, until=until) == []
    assert users.sign_out(server.state, "berta", digest(one), now=NOW, until=until) == []
    server.commit(users.sign_out(server.state, "anna", digest(other), now=until + 1, until=until + 2))
    assert list(user.ended) == [digest(other)]


@pytest.mark.parametrize(
    ("after", "idle", "there"),
    [
        (0, 0, True),
        (IDLE - 1, IDLE - 1, True),
        (IDLE, IDLE, False),
        (LONGEST - 61, 1, True),
        (LONGEST + 61, 1, False),
    ],
)
def test_a_session_ends_by_its_age(after: int, idle: int, there: bool) -> None:
    """30 minutes without a request, or 12 hours in all."""
    sessions = Sessions(KEY, "c")
    begun = sessions.begin(server_with().state.users["anna"], NOW)
    used = sessions.renewed(begun, NOW + after - idle) or begun
    assert (sessions.read(sessions.text(used), NOW + after) is not None) == there


@given(st.text(max_size=60), st.integers(0, 200), st.characters(codec="ascii"))
def test_what_is_no_cookie_of_ours_is_nobodys(text: str, place: int, other: str) -> None:
    """Any text, a cookie of another cluster's key, and one with a changed character."""
    sessions = Sessions(KEY, "c")
    session = sessions.begin(server_with().state.users["anna"], NOW)
    good = sessions.text(session)
    place %= len(good)
    changed = good[:place] + other + good[place + 1 :]
    assert sessions.read(text, NOW) is None
    assert sessions.read(Sessions(OTHER, "c").text(session), NOW) is None
    assert sessions.read(None, NOW) is None
    # The last character of base64 holds bits that do not count: the same bytes may be spelled in two ways.
    assert changed == good or sessions.read(changed, NOW) in (None, session)


def test_a_form_token_is_of_one_session() -> None:
    """Not of another session of the same user, and nothing else is one."""
    sessions = Sessions(KEY, "c")
    user = server_with().state.users["anna"]
    one, two = sessions.begin(user, NOW), sessions.begin(user, NOW)
    token = sessions.form_token(one)
    assert sessions.is_form_token(one, token)
    for session, given_token in (
        (two, token),
        (one, ""),
        (one, token[:-1]),
        (one, "\udcff"),
        (one, "é" * 64),
    ):
        assert not sessions.is_form_token(session, given_token)


def test_five_failures_a_minute_are_enough() -> None:
    """The sixth waits; another name does not, until the address has failed twenty times; a minute later all
    is forgotten, and what succeeded never counted."""
    attempts = Attempts()
    for second in range(5):
        assert attempts.wait("10.0.0.1", "anna", second) == 0
        attempts.failed("10.0.0.1", "anna", second)
    assert attempts.wait("10.0.0.1", "anna", 5) == 55
    assert attempts.wait("10.0.0.2", "anna", 5) == attempts.wait("10.0.0.1", "berta", 5) == 0
    for number in range(15):
        attempts.failed("10.0.0.1", f"user {number}", 6)
    assert attempts.wait("10.0.0.1", "berta", 7) > 0
    assert attempts.wait("10.0.0.1", "anna", 70) == 0
    for second in range(100, 160):
        attempts.failed("10.0.0.3", "anna", second)
        attempts.succeeded("10.0.0.3", "anna")
    assert attempts.wait("10.0.0.3", "anna", 160) == 0


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/", True),
        ("/licensing?account=B%C3%BCro", True),
        ("", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example/", False),
        ("/a\nSet-Cookie: x", False),
        ("javascript:alert(1)", False),
        ("/" + "x" * 3000, False),
    ],
)
def test_only_pages_of_this_server_are_gone_to(path: str, local: bool) -> None:
    """What a form says where to go on is a path here, or nothing."""
    assert is_local(path) == local
