"""Talks driven step by step, with a clock of the test's own: what no server can bring about in time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.errors import SmartlicError
from smartlic_client.onprem.secret import Secret
from smartlic_client.onprem.talk import (
    Alone,
    Base,
    Call,
    Credentials,
    Send,
    Surroundings,
    Talk,
    Talker,
    Wait,
)
from smartlic_client.transport import HttpAnswer

CREDENTIALS = Credentials("me", Secret("secret"))
BASE = Base.parse("https://ssm.example.com:8443", "/backend")
READ = Call("/api/v1/x", "look")


def talker(clock: list[float], wait: float = 10.0, chance: float = 0.5) -> Talker:
    return Talker(BASE, CREDENTIALS, wait, Surroundings(lambda: clock[0], lambda: chance))


def answer(status: int = 200, retry_after: float | None = None, **body: Any) -> HttpAnswer:
    return HttpAnswer(status, "application/json", retry_after, json.dumps(body).encode())


def bearer(step: object) -> str:
    assert isinstance(step, Send)
    return step.request.header["Authorization"].removeprefix("Bearer ")


def alone(step: object, token: str) -> None:
    """Carry out an `Alone`, with this access token as the answer if one is asked for."""
    assert isinstance(step, Alone)
    for inner in (talk := step.talk):
        assert isinstance(inner, Send)
        with pytest.raises(StopIteration):
            talk.send(answer(access_token=token, expires_in=3600))


def ended(talk: Talk[Any], last: HttpAnswer) -> Any:
    with pytest.raises(StopIteration) as end:
        talk.send(last)
    return end.value.value


def test_a_late_refusal_of_a_former_token_does_not_end_the_new_one() -> None:
    """Two calls bear the same token. The first is refused and gets a new one; when the second is refused, it
    takes that as well."""
    ours = talker([0.0])
    alone(next(before := ours.ask(READ)), "t1")
    before.close()
    first, second = ours.ask(READ), ours.ask(READ)
    assert bearer(next(first)) == bearer(next(second)) == "t1"
    alone(first.send(answer(401)), "t2")
    assert bearer(next(first)) == "t2"
    assert bearer(second.send(answer(401))) == "t2"
    assert ended(first, answer(a=1)) == ended(second, answer(a=1)) == {"a": 1}


def test_who_waits_for_the_token_of_another_asks_for_none() -> None:
    """Both calls find no token; the second one's turn comes when the first has got it."""
    ours = talker([0.0])
    first, second = ours.ask(READ), ours.ask(READ)
    one, other = next(first), next(second)
    alone(one, "t1")
    assert isinstance(other, Alone)
    assert list(other.talk) == []
    assert bearer(next(first)) == bearer(next(second)) == "t1"


@settings(deadline=None)
@given(
    wait=st.floats(0, 30),
    chance=st.floats(0, 0.99),
    told=st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=20),
)
def test_all_pauses_together_are_no_longer_than_the_wait(
    wait: float, chance: float, told: list[float | None]
) -> None:
    """From the first failure on, whatever the server says; each is as long as it says, or the call ends."""
    clock = [0.0]
    talk = talker(clock, wait, chance).ask(READ)
    alone(next(talk), "t1")
    step, pauses, number = next(talk), 0.0, 0
    with pytest.raises(SmartlicError) as caught:
        while True:
            asked = told[number % len(told)]
            number += 1
            pause = talk.send(answer(503, asked)) if isinstance(step, Send) else step
            assert isinstance(pause, Wait)
            assert pause.seconds >= (asked or 0.0)
            clock[0] += pause.seconds
            pauses += pause.seconds
            step = next(talk)
    assert caught.value.code == "server-unavailable"
    assert pauses <= wait


def test_a_long_call_is_waited_for_from_its_first_failure_on() -> None:
    """What an answer took before it failed is not taken off the wait."""
    clock = [0.0]
    talk = talker(clock, 10.0).ask(READ)
    alone(next(talk), "t1")
    next(talk)
    clock[0] = 500.0
    assert isinstance(talk.send(answer(503)), Wait)
    clock[0] = 509.0
    assert isinstance(next(talk), Send)
    assert isinstance(talk.send(answer(503)), Wait)
    clock[0] = 511.0
    next(talk)
    with pytest.raises(SmartlicError):
        talk.send(answer(503))


@pytest.mark.parametrize(("life", "used"), [(3600, 3589.0), (10, 8.9), (1, 0.89)])
def test_a_token_is_not_used_in_its_last_seconds(life: float, used: float) -> None:
    """Ten seconds before its end, or a tenth of a short life, there is another: it could end on the way."""
    clock = [0.0]
    ours = talker(clock)
    talk = ours.ask(READ)
    step = next(talk)
    assert isinstance(step, Alone)
    next(step.talk)
    with pytest.raises(StopIteration):
        step.talk.send(answer(access_token="t1", expires_in=life))
    clock[0] = used
    assert bearer(next(talk)) == "t1"
    assert bearer(next(ours.ask(READ))) == "t1"
    clock[0] = life - min(10.0, life / 10)
    assert isinstance(next(ours.ask(READ)), Alone)


def test_nothing_of_a_step_shows_a_secret() -> None:
    """A log of the steps is none of the token and none of the body."""
    talk = talker([0.0]).ask(READ)
    step = next(talk)
    assert isinstance(step, Alone)
    assert "secret" not in repr(next(step.talk))
    with pytest.raises(StopIteration):
        step.talk.send(answer(access_token="t1"))
    assert "t1" not in repr(next(talk))
