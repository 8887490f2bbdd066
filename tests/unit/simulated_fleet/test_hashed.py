"""The keyed hash of a simulation: it holds within it, and is worth nothing outside."""

from __future__ import annotations

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


def test_a_message_under_another_key_and_a_copy_of_bytes_are_not_accepted() -> None:
    """The hash binds a message to its key; bytes that were copied or changed carry no message at all."""
    known = crypto("hash", 1, BEGIN, 1)
    pair = Pair(known, 1, BEGIN)
    agent, sent = registering(known.seals, known.new_key(), pair.token())
    signed = known.seals.decode_request(sent.body)
    other = known.new_key()
    forged = known.seals.encode_request(
        signed.header,
        signed.data,  # type: ignore[arg-type]
        lambda data: known.seals.sign(other, data),
    )
    refused = known.seals.decode_answer(pair.post(forged)).answer.data
    assert refused.code == "signature-not-valid"
    with pytest.raises(smart.Malformed):
        pair.post(bytes(bytearray(sent.body)))
    assert not pair.state.instances
    answer = known.seals.decode_answer(pair.post(sent.body)).answer
    unsigned = known.seals.encode_answer(answer.header, answer.data, lambda _: "0" * 32, known.chain)
    with pytest.raises(SmartlicError) as caught:
        agent.receive(sent, unsigned, b"", BEGIN)
    assert caught.value.code == "answer-signature-not-valid"
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
