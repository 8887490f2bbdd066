"""Every cell of the trust code's table, walked by a real agent: it does what the row says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import signing
from smartlic_client.protocol.messages import TrustRequest, request_type
from smartlic_client.protocol.states import TRUST, Says, Timer, Trust, TrustEvent
from tests.unit.domain.world import NOW
from tests.unit.protocol.bench import ONE, refusing
from tests.unit.protocol.life import LOST, Life
from tests.unit.protocol.test_hostile_answers import hear

T, TE = Trust, TrustEvent
HOUR = 3600.0


def asking(life: Life) -> None:
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, force=True, now=life.time)


def begun(state: Trust, event: TrustEvent) -> Life:
    """A device with a policy, in the state; with a former trust code where the event has one."""
    life = Life()
    life.agent.use_policy(NOW)
    life.use(ONE, 2)
    life.time += HOUR
    life.agent.report_usage(life.time)
    if state is T.INSTALLED or event is TE.REFUSED_BUT_INSTALLED:
        asking(life)
        life.speak()
    if state is T.ASKED:
        asking(life)
    life.agent.take_logs()
    return life


def answered(answer: Callable[[Life, bytes], bytes]) -> Callable[[Life], None]:
    """What comes for the message in flight, as a shell takes it."""

    def happen(life: Life) -> None:
        sent = life.say()
        hear(life, sent, answer(life, life.answer(sent)))

    return happen


def later(status: str) -> Callable[[Life], None]:
    def happen(life: Life) -> None:
        sent = life.say()
        hear(life, sent, life.later(sent, status, 600))

    return happen


def lost(life: Life) -> None:
    life.say()
    life.agent.lost(LOST(), life.time, 0.5)


def forgotten(life: Life) -> None:
    life.time += HOUR
    life.agent.report_usage(life.time)
    sent = life.say()
    hear(life, sent, b'{"product_instance_identifier": ["The identity is not valid."]}')


HAPPEN: dict[TrustEvent, Callable[[Life], None]] = {
    TE.ASKED: asking,
    TE.GRANTED: answered(lambda _life, body: body),
    TE.REFUSED: answered(lambda _life, body: refusing(body, "token-expired")),
    TE.REFUSED_BUT_INSTALLED: answered(lambda _life, body: refusing(body, "token-expired")),
    TE.LOST: lost,
    TE.DOUBTED: answered(lambda _life, _body: b"<html>"),
    TE.POSTPONED: later("OK_TRY_AGAIN"),
    TE.POLLED: later("OK_POLL"),
    TE.FORGOTTEN: forgotten,
}
RANGES = {Timer.NOW: (0, 0), Timer.BACK_OFF: (15, 30), Timer.TOLD: (600, 750)}


@pytest.mark.parametrize(("state", "event"), TRUST, ids=lambda part: part.name)
def test_trust(state: Trust, event: TrustEvent) -> None:
    """A device in the row's state, to which the row's event happens, does what the row says."""
    step, life = TRUST[state, event], begun(state, event)
    meant = life.record.in_flight
    HAPPEN[event](life)
    usage = life.record.usage
    assert usage is not None
    asked = isinstance(life.record.in_flight, TrustRequest)
    now = T.ASKED if asked else T.INSTALLED if usage.identity is not None else T.NONE
    assert now is step.state
    logged = [log.name for log in life.agent.take_logs() if log.name.startswith("TRUST_CODE")]
    assert tuple(logged) == step.logs
    if step.timer is Timer.STOPPED:
        assert usage.trusting.next is None
    else:
        low, high = RANGES[step.timer]
        assert usage.trusting.next is not None
        assert low <= usage.trusting.next - life.time <= high
    if step.says is Says.NOTHING:
        assert life.record.in_flight is None
        return
    said = life.say()
    if step.says is Says.SAME:
        assert said.request == meant
    elif step.says is Says.REPORTS:
        assert request_type(said.request) == "LICENSE_USAGE"
    else:
        assert request_type(said.request) == step.says.value


def test_every_event_of_the_trust_code_has_a_way_to_happen() -> None:
    """The walk knows each event, and each is in the table."""
    assert set(HAPPEN) == set(TE) == {event for _, event in TRUST}
    with pytest.raises(SmartlicError) as caught:
        life = begun(T.INSTALLED, TE.ASKED)
        life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=life.time)
    assert caught.value.code == "trusted-already"
