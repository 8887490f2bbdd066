"""API clients, their access tokens, and the order of instances that listings rest on."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.domain import accounts, api_clients, events, instances, virtual_accounts
from mock_server.domain.words import describe
from mock_server.errors import SmartlicError
from tests.unit.domain.world import NOW, Server, Speaker, loaded

chance = random.Random(11)


def fresh() -> Server:
    return Server(lambda: NOW, chance)


def made(server: Server, account: str = "Lab", name: str = "automation") -> tuple[str, str]:
    happened, client_id, secret = api_clients.create(
        server.state, account, name, now=NOW, random=chance.randbytes, by="test"
    )
    server.commit(happened)
    return client_id, secret


def issued(server: Server, client_id: str, now: float = NOW) -> str:
    client = api_clients.client_of(server.state, client_id)
    happened, text = api_clients.issue(server.state, client, None, now=now, random=chance.randbytes)
    server.commit(happened)
    return text


def test_a_client_signs_in_with_its_secret_only() -> None:
    """Id and secret have 64 characters; another secret, another client's, and an unknown id are refused."""
    server = fresh()
    (one, secret), (other, other_secret) = made(server), made(server, name="second")
    assert {len(text) for text in (one, secret, other, other_secret)} == {64}
    assert api_clients.authenticated(server.state, one, secret) is server.state.api_clients[one]
    for wrong in (other_secret, "", secret[:-1], secret.upper() + " ", "\udcff"):
        assert api_clients.authenticated(server.state, one, wrong) is None
    assert api_clients.authenticated(server.state, "nobody", secret) is None


def test_no_secret_is_in_the_journal() -> None:
    """Neither secrets nor access tokens are in an event or in the event log's words."""
    server = fresh()
    client_id, secret = made(server)
    text = issued(server, client_id)
    happened, again = api_clients.renew(server.state, client_id, random=chance.randbytes)
    server.commit(happened)
    written = b"".join(events.encode(change) for change in server.ledger.changes)
    words = "".join(describe(event) for change in server.ledger.changes for event in change.events)
    for hidden in (secret, text, again):
        assert hidden.encode() not in written
        assert hidden not in words


def test_access_ends_with_a_new_secret_and_with_the_client() -> None:
    """Renewing ends the former secret and its access tokens, deleting ends all; other clients go on."""
    server = fresh()
    (one, secret), (other, _) = made(server), made(server, name="second")
    texts = issued(server, one), issued(server, other)
    happened, again = api_clients.renew(server.state, one, random=chance.randbytes)
    server.commit(happened)
    assert api_clients.authenticated(server.state, one, secret) is None
    assert api_clients.authenticated(server.state, one, again) is not None
    assert [api_clients.access(server.state, text) is None for text in texts] == [True, False]
    text = issued(server, one)
    server.commit(api_clients.delete(server.state, one))
    assert api_clients.access(server.state, text) is None
    assert api_clients.authenticated(server.state, one, again) is None
    assert api_clients.access(server.state, texts[1]) is not None


def test_access_ends_with_the_account() -> None:
    """A deleted account takes its clients and their access tokens with it."""
    server = fresh()
    server.commit(accounts.create_account(server.state, "Other", "S", "V"))
    text = issued(server, made(server, "Other")[0])
    server.commit(accounts.deactivate(server.state, "Other", "gone"))
    server.commit(accounts.delete(server.state, "Other"))
    assert api_clients.access(server.state, text) is None
    assert not server.state.api_clients


def test_tokens_that_nobody_needs_are_cleared_away() -> None:
    """An expired one is remembered for a day; of one client a thousand are kept, the newest."""
    server = fresh()
    client_id, _ = made(server)
    old = issued(server, client_id, NOW - api_clients.LIFE - 86401)
    expired = issued(server, client_id, NOW - api_clients.LIFE - 1)
    texts = [issued(server, client_id) for _ in range(3)]
    assert api_clients.access(server.state, old) is None
    assert api_clients.access(server.state, expired) is not None
    for place in range(api_clients.MOST_TOKENS):
        issued(server, client_id, NOW + 1 + place / 1000)
    assert len(server.state.access_tokens) == api_clients.MOST_TOKENS
    assert all(api_clients.access(server.state, text) is None for text in texts)


def test_what_cannot_be_made_says_why() -> None:
    """A second client of the name, one of an account that is not active, of none; a limit that is none."""
    server = fresh()
    made(server)
    server.commit(accounts.request(server.state, "Asked", "S", "V"))
    for account, name, code in (
        ("Lab", "automation", "api-client-exists"),
        ("Asked", "automation", "account-not-active"),
        ("Nowhere", "automation", "account-unknown"),
        ("Lab", " ", "bad-name"),
    ):
        with pytest.raises(SmartlicError) as caught:
            made(server, account, name)
        assert caught.value.code == code
    for limit in (-1, api_clients.MOST_CALLS + 1):
        with pytest.raises(SmartlicError) as caught:
            api_clients.configure(server.state, rate_limit=limit)
        assert caught.value.code == "bad-rate-limit"
    with pytest.raises(SmartlicError) as caught:
        api_clients.delete(server.state, "nobody")
    assert caught.value.code == "api-client-unknown"


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("+r>x"), st.integers(0, 5), st.sampled_from("abc")), max_size=14))
def test_instances_are_in_order_whatever_happens(steps: list[tuple[str, int, str]]) -> None:
    """Registered, renamed, transferred, removed in any order: each place lists its own by name."""
    server = Server(lambda: NOW, random.Random(3))
    server.commit(virtual_accounts.create(server.state, "Lab", "b"))
    token = server.token()
    for step, number, letter in steps:
        known = list(server.state.instances)
        if step == "+":
            speaker = Speaker(sn=f"{letter}{number}")
            server.decide(speaker.say(speaker.registration(token.reveal())))
        elif not known:
            continue
        elif step == "r":
            server.commit(instances.rename(server.state, known[number % len(known)], letter))
        elif step == ">":
            instance = server.state.instances[known[number % len(known)]]
            target = "b" if instance.virtual_account == "Default" else "Default"
            server.commit(instances.transfer(server.state, instance.piid, target))
        else:
            server.commit(instances.remove(server.state, known[number % len(known)]))
    expected: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in server.state.instances.values():
        expected.setdefault((one.account, one.virtual_account), []).append((one.name, one.piid))
    expected = {where: sorted(place) for where, place in expected.items()}
    assert server.state.by_place == expected
    assert loaded(server.machine).state.by_place == expected
