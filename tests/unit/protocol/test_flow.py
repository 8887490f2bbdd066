"""The flow: what is saved, sent and waited for, in which order."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.errors import (
    AnswerError,
    CommunicationError,
    RefusedError,
    SmartlicError,
    TrustError,
    problem,
)
from smartlic_client.protocol import callhome, signing, smart
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Persist, Send, Wait, deliver, pack, unpack
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import RegistrationRequest
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.states import Registration
from smartlic_client.protocol.timers import back_off
from smartlic_client.protocol.transports import TransportKind
from tests.unit.domain.world import NOW, SOFTWARE, Server, tag

LOST = problem("test-lost", CommunicationError, "Nothing came back.", "Try again.")
UNTRUSTED = problem("test-untrusted", TrustError, "Another server.", "Look.")


class Environment:
    """A clock that stands until it is moved, and a seeded chance."""

    def __init__(self, seed: int = 1) -> None:
        self.time = NOW
        self.chance = random.Random(seed)

    def now(self) -> float:
        return self.time

    def random(self, count: int, /) -> bytes:
        return self.chance.randbytes(count)

    def new_key(self) -> signing.PrivateKey:
        return signing.new_key()


class Bench:
    """A device that means to register, its server, and the running flow."""

    def __init__(self, kind: TransportKind = TransportKind.SMART, until: float | None = None) -> None:
        self.environment = Environment()
        self.server = Server(self.environment.now, random.Random(2))
        self.agent = Agent(Record(udi=Udi(pid="C9300-24T", sn="FOC1"), software_id=SOFTWARE))
        self.agent.register(self.server.token(), signing.new_key(), self.environment.random)
        self.kind = kind
        self.until = until

    def flow(self) -> Generator[Any, Any, None]:
        anchors = self.server.anchors
        return deliver(self.agent, self.environment, self.kind, anchors, to="https://vip/x", until=self.until)

    def answer(self, step: Send) -> bytes:
        raw = step.body if self.kind is TransportKind.SMART else callhome.unwrap(step.body)
        _, body = self.server.post(raw)
        if self.kind is TransportKind.CALLHOME:
            body = callhome.wrap(body, serial="s", now=NOW, number=1, to="d", sender="SSM")
        return body


# ---- the order of steps -----------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", TransportKind)
def test_each_message_is_saved_sent_and_saved(kind: TransportKind) -> None:
    """Registration and the report after it: save before each sending, save after each answer, no waits."""
    bench = Bench(kind)
    bench.agent.request(tag(1), 2, NOW)
    flow, steps, outcome = bench.flow(), [], None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration:
            break
        steps.append(type(step))
        outcome = bench.answer(step) if isinstance(step, Send) else None
    assert steps == [Persist, Send, Persist] * 2
    assert bench.agent.record.registration is Registration.COMPLETE
    assert bench.agent.record.in_flight is None


def test_nothing_to_say_is_no_step() -> None:
    """An agent with nothing to say lets the flow end at once."""
    agent = Agent(Record(udi=Udi(pid="A"), software_id=SOFTWARE))
    flow = deliver(agent, Environment(), TransportKind.SMART, b"", to="https://vip/x")
    assert list(flow) == []


def test_without_until_a_lost_answer_is_raised_at_once() -> None:
    """No time to retry: the failure is saved, then raised, and the message stays in the record."""
    bench = Bench()
    flow = bench.flow()
    assert isinstance(next(flow), Persist)
    assert isinstance(flow.send(None), Send)
    assert isinstance(flow.send(LOST()), Persist)
    with pytest.raises(CommunicationError) as caught:
        flow.send(None)
    assert caught.value.code == "test-lost"
    record = bench.agent.record
    assert isinstance(record.in_flight, RegistrationRequest)
    assert record.registration is Registration.RETRY
    assert record.registering.failure is not None
    assert record.registering.failure["code"] == "test-lost"


def test_communication_is_retried_until_the_time_is_over() -> None:
    """Retries go on with the same message while the next one fits before `until`, and not longer."""
    bench = Bench(until=NOW + 10)
    flow, waits, sent = bench.flow(), 0.0, []
    step = next(flow)
    with pytest.raises(CommunicationError):
        while True:
            if isinstance(step, Send):
                sent.append(smart.decode_request(step.body).data)
                step = flow.send(LOST())
            else:
                if isinstance(step, Wait):
                    assert step.error.code == "test-lost"
                    bench.environment.time += step.seconds
                    waits += step.seconds
                step = flow.send(None)
    assert len({message.message_id for message in sent}) == 1
    assert len({message.sequence for message in sent}) == 1
    assert len({message.nonce for message in sent}) == len(sent)
    assert 10 - 2 <= waits <= 10
    assert 7 <= len(sent) <= 20


def test_the_retry_succeeds_after_the_network_is_back() -> None:
    """After two losses the third sending is answered, and the device is registered once."""
    bench = Bench(until=NOW + 60)
    flow, losses, step = bench.flow(), 2, None
    step = next(flow)
    with pytest.raises(StopIteration):
        while True:
            if isinstance(step, Send):
                losses -= 1
                step = flow.send(LOST() if losses >= 0 else bench.answer(step))
            else:
                step = flow.send(None)
    assert losses == -1
    assert bench.agent.record.registration is Registration.COMPLETE
    assert len(bench.server.state.instances) == 1


def test_retry_after_is_believed() -> None:
    """A server that says when to come again is asked then, with a spread of at most a quarter on top."""
    bench = Bench(until=NOW + 600)
    flow = bench.flow()
    next(flow), flow.send(None)
    assert isinstance(flow.send(LOST(retry_after=7)), Persist)
    step = flow.send(None)
    assert isinstance(step, Wait)
    assert 7 <= step.seconds < 8.75


def test_retry_after_beyond_until_is_not_waited_for() -> None:
    """If the server's own time is past `until`, the error is raised instead of waiting for nothing."""
    bench = Bench(until=NOW + 5)
    flow = bench.flow()
    next(flow), flow.send(None), flow.send(LOST(retry_after=30))
    with pytest.raises(CommunicationError):
        flow.send(None)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (UNTRUSTED(), TrustError),
        (b"<html>", AnswerError),
        (b"{}", AnswerError),
        (b"", AnswerError),
        (b'{"request":["cannot be read"]}', AnswerError),
    ],
)
def test_only_communication_is_retried(outcome: bytes | SmartlicError, kind: type[SmartlicError]) -> None:
    """Distrust and unbelievable answers end the flow at once, with the failure and the message saved."""
    bench = Bench(until=NOW + 3600)
    flow = bench.flow()
    next(flow), flow.send(None)
    assert isinstance(flow.send(outcome), Persist)
    with pytest.raises(kind) as caught:
        flow.send(None)
    record = bench.agent.record
    assert isinstance(record.in_flight, RegistrationRequest)
    assert record.registration is Registration.RETRY
    assert record.registering.failure is not None
    assert record.registering.failure["code"] == caught.value.code


def test_a_refusal_ends_the_flow_and_is_saved() -> None:
    """The server's no is saved before it is raised, and no message is left."""
    bench = Bench(until=NOW + 3600)
    for token in list(bench.server.state.tokens.values()):
        token.revoked = True
    flow = bench.flow()
    next(flow)
    send = flow.send(None)
    assert isinstance(flow.send(bench.answer(send)), Persist)
    assert bench.agent.record.in_flight is None
    with pytest.raises(RefusedError) as caught:
        flow.send(None)
    assert caught.value.code == "token-revoked"
    assert bench.agent.record.registration is Registration.FAILED


def test_a_driver_that_answers_nothing_is_told() -> None:
    """Send needs bytes or an error; a driver's mistake is a TypeError, not a lost message."""
    bench = Bench()
    flow = bench.flow()
    next(flow), flow.send(None)
    with pytest.raises(TypeError):
        flow.send(None)
    assert isinstance(bench.agent.record.in_flight, RegistrationRequest)


# ---- packing ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", TransportKind)
def test_what_is_packed_is_what_was_signed(kind: TransportKind) -> None:
    """Both transports carry the same bytes of the message, under their own content type."""
    bench = Bench()
    sent = bench.agent.next_request(NOW, bench.environment.random)
    assert sent is not None
    content_type, body = pack(kind, sent, now=NOW, serial="S", to="https://vip/x")
    assert content_type == {"smart": "application/json", "callhome": "text/xml; charset=utf-8"}[kind]
    assert (body if kind is TransportKind.SMART else callhome.unwrap(body)) == sent.body
    assert unpack(kind, body) == sent.body


def test_the_error_form_is_read_without_an_envelope() -> None:
    """The public error form comes bare on either transport, and is passed on as it is."""
    text = b' {"product_instance_identifier":["x"]}'
    assert unpack(TransportKind.CALLHOME, text) == unpack(TransportKind.SMART, text) == text
    with pytest.raises(AnswerError) as caught:
        unpack(TransportKind.CALLHOME, b"<html/>")
    assert caught.value.code == "answer-unreadable"


def test_a_step_shows_no_body() -> None:
    """What a log shows of a step is its size: the body holds the ID token."""
    assert repr(Send("text/xml", b"secret")) == "Send(text/xml, 6 bytes)"


# ---- back-off ---------------------------------------------------------------------------------------------
chances = st.floats(0, 1, exclude_max=True)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**6), chances)
def test_back_off_grows_and_stays_bounded(attempt: int, chance: float) -> None:
    """Each wait lies in the upper half of a ceiling that doubles from 0.1 s up to 2 s, and never over it."""
    ceiling = min(2.0, 0.1 * 2 ** min(attempt, 20))
    delay = back_off(attempt, chance, None)
    assert ceiling / 2 <= delay < ceiling + 1e-9
    assert back_off(attempt, 0, None) <= back_off(attempt + 1, 0, None)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 100), chances, st.floats(-1e9, 1e9))
def test_back_off_believes_the_server_within_reason(attempt: int, chance: float, after: float) -> None:
    """Retry-After counts from 0.1 s to a minute, never earlier than said, with up to a quarter on top."""
    told = min(max(after, 0.1), 60)
    assert told <= back_off(attempt, chance, after) <= told * 1.25
