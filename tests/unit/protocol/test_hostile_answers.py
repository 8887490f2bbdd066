"""Every field of every answer missing, of another type, too long, or against the others: signed all the same.

Whatever comes, the agent ends in a legal state; either the answer was taken, or there is a code and the
message is still in the outbox, whole. The right answer then still counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smartlic_client.errors import RefusedError, SmartlicError
from smartlic_client.protocol import signing
from smartlic_client.protocol.agent import Outgoing
from tests.unit.domain.world import authorities
from tests.unit.protocol.bench import ONE, TWO
from tests.unit.protocol.life import Life, legal

MISSING = object()
VALUES: list[Any] = [
    MISSING,
    None,
    "",
    "x",
    "x" * 100_000,
    "\x00\ud7ff%s{x}",
    -1,
    0,
    2**31,
    2**63,
    2**64,
    10**400,
    1.5,
    True,
    False,
    [],
    [None],
    [[[[[]]]]],
    {},
    {"type": "acknowledged"},
    "OK_POLL",
    "OK_TRY_AGAIN",
    "FAILED",
    "VERSION_TOO_HIGH",
]


def _registering() -> Life:
    life = Life()
    life.ask()
    return life


def _registered() -> Life:
    life = Life().registered()
    assert isinstance(life, Life)
    return life


def _reporting() -> Life:
    life = _registered()
    life.use(ONE, 2)
    life.use(TWO, 9)
    return life


def _renewing() -> Life:
    life = _registered()
    life.agent.renew(life.time)
    return life


def _deregistering() -> Life:
    life = _registered()
    life.agent.deregister(life.chance.randbytes)
    return life


def _trusting() -> Life:
    life = Life()
    life.agent.use_policy(life.time)
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=life.time)
    return life


def _telling() -> Life:
    life = _trusting()
    life.speak()
    life.use(ONE, 2)
    life.time += 3600
    life.agent.report_usage(life.time)
    return life


def _polling() -> Life:
    """The server has an authorization, and is asked for the answer."""
    life = _reporting()
    sent = life.say()
    error = hear(life, sent, life.later(sent, "OK_POLL", 60))
    assert error is not None
    assert life.record.poll_id is not None
    return life


STARTS: dict[str, Callable[[], Life]] = {
    "REGISTRATION": _registering,
    "AUTHORIZATION": _reporting,
    "ID_CERT_RENEWAL": _renewing,
    "DEREGISTRATION": _deregistering,
    "TRUST": _trusting,
    "LICENSE_USAGE": _telling,
    "POLL": _polling,
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value but the whole."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with one place changed, or taken away."""
    copy = json.loads(json.dumps(value))
    *outer, last = path
    place = copy
    for step in outer:
        place = place[step]
    if new is MISSING:
        del place[last]
    else:
        place[last] = new
    return copy


def layers(body: bytes) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    envelope = json.loads(body)
    inner = json.loads(envelope["response"])
    return envelope, inner, json.loads(inner["response_data"])


def sealed(envelope: Any, inner: Any, data: Any) -> bytes:
    """Put together and signed as a server does."""
    if isinstance(inner, dict) and data is not None:
        inner = inner | {"response_data": json.dumps(data)}
    text = json.dumps(inner)
    key = signing.load_key(authorities().answers.key_pem.decode())
    signature = envelope["signature"] | {"value": signing.sign(key, text.encode())}
    return json.dumps(envelope | {"signature": signature, "response": text}).encode()


def variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The answer with each field of each layer changed in each way."""
    envelope, inner, data = layers(body)
    for path in paths(data):
        for value in VALUES:
            yield f"data{path} {str(value)[:30]}", sealed(envelope, inner, changed(data, path, value))
    inner_fields = [path for path in paths(inner) if path[0] != "response_data"]
    for path in inner_fields:
        for value in VALUES:
            yield f"response{path} {str(value)[:30]}", sealed(envelope, changed(inner, path, value), data)
    for value in VALUES:
        whole = changed(inner, ("response_data",), value)
        yield f"response_data {str(value)[:30]}", sealed(envelope, whole, None)
    for path in paths(envelope):
        for value in VALUES:
            yield f"envelope{path} {str(value)[:30]}", json.dumps(changed(envelope, path, value)).encode()


def hear(life: Life, sent: Outgoing, body: bytes) -> SmartlicError | None:
    """Receive as a shell does. Anything but a SmartlicError is a fault."""
    try:
        life.hear(sent, body)
    except RefusedError as error:
        return error
    except SmartlicError as error:
        life.agent.lost(error, life.time)
        return error
    return None


@pytest.mark.parametrize("start", STARTS)
def test_a_changed_answer_leaves_a_legal_state(start: str) -> None:
    """Each field of each layer, changed in each way: taken, or a code and the message still there."""
    life = STARTS[start]()
    sent = life.say()
    meant = life.record.in_flight
    body = life.answer(sent)
    before = life.record.to_data()
    taken = refused = doubted = 0
    for name, variant in variants(body):
        life.agent = type(life.agent)(type(life.record).from_data(before))
        error = hear(life, sent, variant)
        legal(life.record)
        if error is None:
            taken += 1
        elif isinstance(error, RefusedError):
            refused += 1
            assert life.record.in_flight is None
        else:
            doubted += 1
            assert error.code, name
            assert life.record.in_flight == meant, name
    assert doubted > 500
    assert taken + refused < doubted
    life.agent = type(life.agent)(type(life.record).from_data(before))
    assert hear(life, sent, body) is None
    assert life.record.in_flight is None


@pytest.mark.parametrize("start", STARTS)
def test_the_right_answer_counts_after_a_wrong_one(start: str) -> None:
    """One doubted answer of each layer, then a lost one, then the server's: as if nothing had been."""
    life = STARTS[start]()
    for wrong in (
        lambda body: sealed(*layers(body)[:2], layers(body)[2] | {"status": 7}),
        lambda body: body[:-1],
        lambda _body: b"",
        lambda _body: b"[" * 100_000,
    ):
        sent = life.say()
        assert hear(life, sent, wrong(life.answer(sent))) is not None
        legal(life.record)
    sent = life.say()
    assert hear(life, sent, life.answer(sent)) is None
    assert life.record.in_flight is None
    legal(life.record)


def test_the_answer_of_the_last_message_again_is_none() -> None:
    """A server (or a proxy) that answers the last message again: another nonce, another message id."""
    life = _reporting()
    first = life.say()
    old = life.answer(first)
    life.hear(first, old)
    life.use(ONE, 3)
    second = life.say()
    error = hear(life, second, old)
    assert error is not None
    assert error.code == "answer-mismatch"
    assert life.record.in_flight == second.request
    assert hear(life, life.say(), life.answer(life.say())) is not None  # the answer to another sending
    sent = life.say()
    assert hear(life, sent, life.answer(sent)) is None


CONTRADICTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no mode for a license": lambda data: data["data"] | {"entitlements": data["data"]["entitlements"][1:]},
    "two modes for a license": lambda data: (
        data["data"]
        | {
            "entitlements": [
                *data["data"]["entitlements"],
                {"tag": ONE, "enforcement_mode": "out-of-compliance"},
            ]
        }
    ),
    "a mode that is none": lambda data: (
        data["data"]
        | {"entitlements": [one | {"enforcement_mode": "fine"} for one in data["data"]["entitlements"]]}
    ),
    "a deadline before the renewal": lambda data: data["data"] | {"expiry_interval_seconds": 1},
    "no time at all": lambda data: data["data"] | {"renewal_interval_seconds": 0},
    "time that runs back": lambda data: data["data"] | {"renewal_interval_seconds": -5},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_an_answer_that_contradicts_itself_is_not_believed(name: str) -> None:
    """Nothing of it is taken, not even the part that would be right."""
    life = _reporting()
    sent = life.say()
    body = life.answer(sent)
    envelope, inner, data = layers(body)
    modes = {what: used.enforcement_mode for what, used in life.record.entitlements.items()}
    error = hear(life, sent, sealed(envelope, inner, data | {"data": CONTRADICTIONS[name](data)}))
    assert error is not None
    assert error.code == "answer-unreadable"
    assert {what: used.enforcement_mode for what, used in life.record.entitlements.items()} == modes
    assert life.record.in_flight == sent.request
