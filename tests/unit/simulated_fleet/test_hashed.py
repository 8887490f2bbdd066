"""The keyed hash of a simulation: it holds within it, and is worth nothing outside."""

from __future__ import annotations

import contextlib
import random

import pytest

from mock_server.simulated_fleet.crypto import crypto
from mock_server.simulated_fleet.fleet import BEGIN
from mock_server.simulated_fleet.hashed import HashSeals
from mock_server.simulated_fleet.pair import Pair
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import seals, smart
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.answers import Outgoing
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.record import Record
from tests.unit.domain.world import SOFTWARE, Server


def registering(kind: seals.Seals, key: object, token: object, now: float = BEGIN) -> tuple[Agent, Outgoing]:
    agent = Agent(Record(udi=Udi(pid="C9300-24T", sn="FOC1"), software_id=SOFTWARE), kind)
    agent.register(token, key, random.Random(1).randbytes, now=now)  # type: ignore[arg-type]
    sent = agent.next_request(now, random.Random(2).randbytes)
    assert sent is not None
    return agent, sent


def test_a_message_and_its_answer_hold_within_a_simulation() -> None:
    """A registration by the hash is accepted, and its answer believed."""
    known = crypto("hash", 1, BEGIN, 1)
    pair = Pair(known, 1, BEGIN)
    agent, sent = registering(known.seals, known.new_key(), pair.token())
    agent.receive(sent, pair.post(sent.body), b"", BEGIN)
    assert agent.record.identity is not None
    assert agent.record.identity.piid in pair.state.instances


def test_a_real_server_and_a_real_device_take_nothing_of_it() -> None:
    """To a node the message is none, and a device does not believe the answer."""
    known = crypto("hash", 1, BEGIN, 1)
    pair, real = Pair(known, 1, BEGIN), Server(lambda: BEGIN, random.Random(1))
    _, sent = registering(known.seals, known.new_key(), pair.token())
    with pytest.raises(smart.Malformed):
        real.post(sent.body)
    answer = pair.post(sent.body)
    agent, mine = registering(seals.REAL, crypto("real", 1, BEGIN, 1).new_key(), real.token())
    with pytest.raises(SmartlicError) as caught:
        agent.receive(mine, answer, real.anchors, BEGIN)
    assert caught.value.code == "answer-unreadable"


def test_a_simulation_takes_nothing_real() -> None:
    """Its server reads no JSON."""
    known = crypto("hash", 1, BEGIN, 1)
    pair = Pair(known, 1, BEGIN)
    _, sent = registering(seals.REAL, crypto("real", 1, BEGIN, 1).new_key(), pair.token())
    with pytest.raises(smart.Malformed):
        pair.post(sent.body)


@pytest.mark.parametrize("at", [1, 20, 40, -1])
def test_a_bit_more_or_less_is_seen(at: int) -> None:
    """A message that was changed is not accepted, an answer that was changed not believed."""
    known = crypto("hash", 1, BEGIN, 1)
    pair = Pair(known, 1, BEGIN)
    agent, sent = registering(known.seals, known.new_key(), pair.token())

    def changed(data: bytes) -> bytes:
        made = bytearray(data)
        made[at] ^= 1
        return bytes(made)

    with contextlib.suppress(smart.Malformed):
        pair.post(changed(sent.body))
    assert not pair.state.instances
    with pytest.raises(SmartlicError):
        agent.receive(sent, changed(pair.post(sent.body)), b"", BEGIN)
    assert agent.record.identity is None


def test_another_simulations_certificates_and_answers_are_not_its_own() -> None:
    """Each has secrets of its own."""
    one, other = (HashSeals(random.Random(seed)) for seed in (1, 2))
    key = one.new_key()
    issued = one.issue(key, "piid", BEGIN)  # type: ignore[arg-type]
    assert one.certified(issued.certificate, key).fits
    assert not one.certified(issued.certificate, other.new_key()).fits
    with pytest.raises(ValueError, match="simulation"):
        other.certified(issued.certificate, key)
    with pytest.raises(ValueError, match="simulation"):
        other.verify_answer_chain(one.chain, b"", BEGIN)
