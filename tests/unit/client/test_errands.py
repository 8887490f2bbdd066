"""Errands as what they are: steps, carried out here by a script instead of a disk, a network and a clock."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from typing import TypeVar

import pytest

from mock_server.domain.tokens import token_digest
from smartlic_client.errands import (
    Answer,
    Errand,
    Errands,
    HangUp,
    Outcome,
    Persist,
    Send,
    Settings,
    Step,
    Wait,
)
from smartlic_client.errors import (
    CallerError,
    CommunicationError,
    RefusedError,
    SmartlicError,
    TrustError,
    problem,
)
from smartlic_client.protocol import signing, smart
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import DeregistrationRequest, RegistrationRequest
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.states import Registration
from smartlic_client.protocol.transports import TransportKind
from tests.unit.client.tls_servers import Authority
from tests.unit.domain.world import NOW, SOFTWARE, Server, tag

T = TypeVar("T")
Reply = Callable[[Send], Answer]

GONE = problem("test-gone", CommunicationError, "Nobody there.", "Try again.")
STRANGER = problem("test-stranger", TrustError, "Another server.", "Look.")


class Bench:
    """A device's errands, the server in memory, and a driver that writes down what it was told to do."""

    def __init__(self) -> None:
        self.time = NOW
        self.chance = random.Random(1)
        self.server = Server(self.now, random.Random(2))
        anchors = self.server.anchors.decode()
        settings = Settings(url="https://vip/SmartTransport", transport=TransportKind.SMART, anchors=anchors)
        record = Record(udi=Udi(pid="C9300-24T", sn="FOC1"), software_id=SOFTWARE)
        self.errands = Errands(Agent(record), settings, self)
        self.steps: list[type[Step]] = []
        self.sent: list[smart.SignedRequest] = []
        self.disk = b""

    def now(self) -> float:
        return self.time

    def random(self, count: int, /) -> bytes:
        return self.chance.randbytes(count)

    def new_key(self) -> signing.PrivateKey:
        return signing.new_key()

    @property
    def record(self) -> Record:
        return self.errands.record

    def reply(self, step: Send) -> Answer:
        return self.server.post(step.body)[1]

    def drive(self, errand: Errand[T], *replies: Reply) -> T:
        """Carry out an errand; messages get `replies` in turn, and then those of the server."""
        waiting, answer = list(replies), None
        self.steps.clear()
        while True:
            try:
                step = errand.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            self.steps.append(type(step))
            answer = None
            if isinstance(step, Send):
                self.sent.append(smart.decode_request(step.body))
                assert self.record.in_flight is not None, "what is sent is meant"
                assert self.disk == repr(self.record.to_data()).encode(), "what is sent is on disk"
                answer = waiting.pop(0)(step) if waiting else self.reply(step)
            elif isinstance(step, Wait):
                self.time += step.seconds
            elif isinstance(step, Persist):
                self.disk = repr(self.record.to_data()).encode()

    @property
    def told(self) -> list[str]:
        """The message ids that were sent, in their order."""
        return [one.data.message_id for one in self.sent]

    def register(self) -> Outcome:
        return self.drive(self.errands.register(self.server.token()))


def lost(_step: Send) -> Answer:
    """The network's reply: none."""
    return GONE()


@pytest.fixture
def bench() -> Bench:
    return Bench()


SAID = [Persist, Send, Persist]


def test_an_errand_does_nothing_before_its_first_step(bench: Bench) -> None:
    """Making an errand means nothing: only a driver that begins with it changes the record."""
    before = repr(bench.record.to_data())
    errands = bench.errands
    for errand in (
        errands.register(bench.server.token()),
        errands.request(tag(1), 2),
        errands.report(),
        errands.deregister(),
    ):
        errand.close()
    assert repr(bench.record.to_data()) == before


def test_a_registration_is_saved_sent_and_saved(bench: Bench) -> None:
    """The plain case: three steps, a change, nothing pending."""
    assert bench.register() == Outcome(changed=True)
    assert bench.steps == SAID
    assert bench.record.registration is Registration.COMPLETE


def test_a_second_registration_is_refused_before_any_step(bench: Bench) -> None:
    """A registered device says so itself, and `force` registers it anew."""
    bench.register()
    with pytest.raises(CallerError) as caught:
        bench.register()
    assert caught.value.code == "registered-already"
    assert bench.steps == []
    bench.drive(bench.errands.register(bench.server.token(), force=True))
    assert len(bench.server.state.instances) == 1


def test_a_count_is_saved_before_it_is_told(bench: Bench) -> None:
    """Not registered: saved and no more. Registered: saved, told, saved. The same again: no change."""
    use = bench.errands.request
    assert bench.drive(use(tag(1), 2)) == Outcome(changed=True)
    assert bench.steps == [Persist]
    bench.register()
    assert bench.steps == SAID * 2
    assert bench.drive(use(tag(1), 3)) == Outcome(changed=True)
    assert bench.steps == [Persist, *SAID]
    assert bench.drive(use(tag(1), 3)) == Outcome(changed=False)
    assert bench.steps == [Persist]
    assert bench.drive(bench.errands.report()) == Outcome(changed=False)
    assert bench.steps == [Persist, *SAID]


def test_a_device_is_registered_though_its_counts_could_not_be_told(bench: Bench) -> None:
    """The failure of the report after the registration is pending, and the next report tells it."""
    bench.drive(bench.errands.request(tag(1), 2))
    outcome = bench.drive(bench.errands.register(bench.server.token()), bench.reply, lost)
    assert outcome.changed
    assert outcome.pending is not None
    assert outcome.pending.code == "test-gone"
    bench.drive(bench.errands.report())
    assert bench.told[1] == bench.told[2]
    assert bench.record.in_flight is None


@pytest.mark.parametrize("reply", [lost, lambda _step: STRANGER(), lambda _step: b"<html>"])
def test_a_registration_that_fails_stays_meant(bench: Bench, reply: Reply) -> None:
    """Without an answer the error is raised; the next errand finishes the same message, not its own."""
    with pytest.raises(SmartlicError):
        bench.drive(bench.errands.register(bench.server.token()), reply)
    meant = bench.record.in_flight
    assert isinstance(meant, RegistrationRequest)
    outcome = bench.register()
    assert (outcome.changed, outcome.pending) == (True, None)
    assert bench.told[-1] == meant.message_id
    assert len(bench.server.registrations()) == 1


def test_a_refused_token_is_replaced_by_the_next_one(bench: Bench) -> None:
    """A registration in flight that the server refuses gives way to one with the new token, in one errand."""
    spent = bench.server.token()
    with pytest.raises(CommunicationError):
        bench.drive(bench.errands.register(spent), lost)
    for known in bench.server.state.tokens.values():
        known.revoked = True
    assert bench.drive(bench.errands.register(bench.server.token())) == Outcome(changed=True)
    assert bench.steps == SAID * 2
    with pytest.raises(CallerError):
        bench.register()


def test_a_refusal_is_raised_and_nothing_stays_meant(bench: Bench) -> None:
    """The server's no to the only token there is ends the errand."""
    token = bench.server.token()
    for known in bench.server.state.tokens.values():
        known.revoked = True
    with pytest.raises(RefusedError) as caught:
        bench.drive(bench.errands.register(token))
    assert caught.value.code == "token-revoked"
    assert bench.record.in_flight is None


def test_a_refused_replacement_is_raised_though_the_registration_stands(bench: Bench) -> None:
    """With `force` and a token that is refused the device stays what it was, and the caller hears why."""
    bench.register()
    before = bench.record.identity
    token = bench.server.token()
    for known in bench.server.state.tokens.values():
        known.revoked = True
    with pytest.raises(RefusedError):
        bench.drive(bench.errands.register(token, force=True))
    assert bench.record.identity == before


def test_waiting_is_bounded_by_wait(bench: Bench) -> None:
    """With `wait`, lost messages are sent again, the same one each time, and not longer than that."""
    with pytest.raises(CommunicationError):
        bench.drive(bench.errands.register(bench.server.token(), wait=5), *[lost] * 99)
    assert 3 <= bench.time - NOW <= 5
    assert Wait in bench.steps
    assert len(set(bench.told)) == 1


def test_deregistering_is_saved_told_and_wiped(bench: Bench) -> None:
    """The server knows the instance no more, and so does the device."""
    bench.register()
    assert bench.drive(bench.errands.deregister()) == Outcome(changed=True)
    assert bench.steps == [Persist, *SAID]
    assert bench.record.identity is None
    assert not bench.server.state.instances


def test_deregistering_wipes_though_the_server_cannot_be_told(bench: Bench) -> None:
    """Local data goes, on disk too, and the outcome says what the server has not heard."""
    bench.register()
    outcome = bench.drive(bench.errands.deregister(), lost)
    assert bench.steps == [Persist, *SAID, Persist]
    assert outcome.changed
    assert outcome.pending is not None
    assert outcome.pending.code == "test-gone"
    assert bench.record.identity is None
    assert bench.record.in_flight is None
    assert len(bench.server.state.instances) == 1


@pytest.mark.parametrize("reached", [True, False])
def test_deregistering_asks_what_became_of_a_registration(bench: Bench, reached: bool) -> None:
    """A registration in flight may have been accepted: it is finished first, so that no instance is left."""
    with pytest.raises(CommunicationError):
        bench.drive(bench.errands.register(bench.server.token()), lambda step: (bench.reply(step), GONE())[1])
    assert len(bench.server.state.instances) == 1
    outcome = bench.drive(bench.errands.deregister(), *([] if reached else [lost]))
    assert (outcome.pending is None) == reached
    assert bench.record.in_flight is None
    assert bench.record.identity is None
    assert len(bench.server.state.instances) == (0 if reached else 1)


def test_registering_finishes_a_deregistration_that_was_left(bench: Bench) -> None:
    """An errand that was left while it de-registered is finished by the registration after it."""
    bench.register()
    errand = bench.errands.deregister()
    for kind in (Persist, Persist, Send):
        assert isinstance(next(errand), kind)
    errand.close()
    assert isinstance(bench.record.in_flight, DeregistrationRequest)
    bench.register()
    assert len(bench.server.state.instances) == 1
    assert len(bench.server.registrations()) == 2


def test_an_errand_that_is_left_at_its_sending_is_gone_on_with(bench: Bench) -> None:
    """What a driver did not finish is in the record: the next errand sends the same message."""
    bench.register()
    errand = bench.errands.request(tag(1), 5)
    for kind in (Persist, Persist, Send):
        assert isinstance(next(errand), kind)
    errand.close()
    meant = bench.record.in_flight
    assert meant is not None
    bench.drive(bench.errands.report())
    assert bench.told[1] == meant.message_id
    assert bench.record.in_flight is None


@pytest.mark.parametrize("errand", ["report", "deregister"])
def test_what_wants_a_registration_says_so(bench: Bench, errand: str) -> None:
    """Without one nothing is saved and nothing is sent."""
    with pytest.raises(CallerError) as caught:
        bench.drive(getattr(bench.errands, errand)())
    assert caught.value.code == "not-registered"
    assert bench.steps == []


@pytest.mark.parametrize(("field", "code"), [("url", "no-destination"), ("anchors", "no-trust-anchor")])
def test_nothing_is_sent_without_a_destination_and_an_anchor(bench: Bench, field: str, code: str) -> None:
    """Each is missed by its name before anything is sent."""
    setattr(bench.errands.settings, field, None)
    with pytest.raises(CallerError) as caught:
        bench.register()
    assert caught.value.code == code
    assert bench.steps == []


def test_settings_hang_up_before_they_are_saved(bench: Bench) -> None:
    """A new destination and new anchors never meet the old connection."""
    url = "https://192.0.2.10/Transportgateway/services/DeviceRequestHandler"
    assert bench.drive(bench.errands.set_destination(url)).url == url
    assert bench.steps == [HangUp, Persist]
    assert bench.errands.settings.transport is TransportKind.CALLHOME
    assert len(bench.drive(bench.errands.trust(bench.server.anchors * 2))) == 2
    assert bench.steps == [HangUp, Persist]


@pytest.mark.parametrize(
    ("pem", "why"), [(b"", "no certificate"), (b"key", "private key"), (b"leaf", "no CA certificate")]
)
def test_what_is_no_anchor_changes_nothing(bench: Bench, pem: bytes, why: str) -> None:
    """A file that holds no anchor, more than anchors, or another certificate, is refused before any step."""
    before = bench.errands.settings.anchors
    given = {
        b"": pem,
        b"key": bench.server.anchors + b"-----BEGIN PRIVATE KEY-----",
        b"leaf": ssl.DER_cert_to_PEM_cert(Authority().issue("ssm.example.com").der).encode(),
    }[pem]
    with pytest.raises(CallerError) as caught:
        bench.drive(bench.errands.trust(given))
    assert caught.value.code == "bad-trust-anchor"
    assert why in caught.value.sentence
    assert bench.steps == []
    assert bench.errands.settings.anchors == before


@pytest.mark.parametrize("same", [True, False])
def test_a_registration_under_way_is_finished_with_its_own_token(bench: Bench, same: bool) -> None:
    """What was meant is finished first; whether that used the token given now is told."""
    first, second = bench.server.token(), bench.server.token()
    with pytest.raises(CommunicationError):
        bench.drive(bench.errands.register(first), lambda _step: GONE())
    outcome = bench.drive(bench.errands.register(first if same else second))
    assert outcome == Outcome(changed=True, resumed=True, token_used=same)
    (registered,) = bench.server.registrations()
    assert registered.token_digest == token_digest(first)
