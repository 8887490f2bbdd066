"""The agent's rules one by one, against real answers and against answers that were tampered with."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.errors import AnswerError, CallerError, RefusedError, SmartlicError
from smartlic_client.protocol import errors, signing, smart
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.identity import MAX_COUNT, IdToken, Udi
from smartlic_client.protocol.messages import (
    MAX_ENTITLEMENTS,
    VERSIONS,
    Acknowledged,
    AuthorizationRequest,
    DeregistrationRequest,
    RegistrationRequest,
    RegistrationResult,
)
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.states import Authorization, Registration
from tests.unit.domain.world import NOW, SOFTWARE, authorities, new_authorities, tag
from tests.unit.protocol.bench import DAY, ONE, TWO, Bench, forged, refusing

FOREIGN = new_authorities()


# ---- rule 5: which answers count --------------------------------------------------------------------------
def _registering() -> Bench:
    bench = Bench()
    bench.ask()
    return bench


def _reporting() -> Bench:
    bench = Bench().registered()
    bench.use(ONE, 2)
    return bench


def _deregistering() -> Bench:
    bench = Bench().registered()
    bench.agent.deregister(bench.chance.randbytes)
    return bench


START = {"REGISTRATION": _registering, "AUTHORIZATION": _reporting, "DEREGISTRATION": _deregistering}

Forge = Callable[[bytes], bytes]
UNBELIEVABLE: dict[str, tuple[str, str | None, Forge]] = {
    "another nonce": (
        "answer-mismatch",
        "nonce",
        lambda body: forged(body, header={"nonce": "7"}, data={"nonce": "7"}),
    ),
    "another request type": (
        "answer-mismatch",
        "request type",
        lambda body: forged(body, header={"request_type": "HELLO"}),
    ),
    "another message id": (
        "answer-mismatch",
        "message id",
        lambda body: forged(body, data={"message_id": "other"}),
    ),
    "another instance": (
        "answer-mismatch",
        "product instance identifier",
        lambda body: forged(body, header={"product_instance_identifier": "other"}),
    ),
    "no instance": (
        "answer-mismatch",
        "product instance identifier",
        lambda body: forged(body, header={"product_instance_identifier": ""}),
    ),
    "a foreign server": (
        "answer-signature-not-valid",
        None,
        lambda body: forged(body, world=FOREIGN),
    ),
    "tampered text": (
        "answer-signature-not-valid",
        None,
        lambda body: forged(body, text=lambda text: text.replace(b"COMPLETE", b"complete")),
    ),
    "a blank more": (
        "answer-signature-not-valid",
        None,
        lambda body: forged(body, text=lambda text: text + b" "),
    ),
    "no certificates": (
        "answer-signature-not-valid",
        None,
        lambda body: json.dumps(
            json.loads(body)
            | {"signature": {"type": "SHA-256", "value": json.loads(body)["signature"]["value"]}}
        ).encode(),
    ),
    "no signature": (
        "answer-signature-not-valid",
        None,
        lambda body: json.dumps(
            json.loads(body) | {"signature": json.loads(body)["signature"] | {"value": ""}}
        ).encode(),
    ),
    "a page": ("answer-unreadable", None, lambda _body: b"<html>504</html>"),
    "nothing": ("answer-unreadable", None, lambda _body: b""),
    "half of it": ("answer-unreadable", None, lambda body: body[: len(body) // 2]),
    "an unknown status": ("answer-unreadable", None, lambda body: forged(body, data={"status": "MAYBE"})),
    "no data": ("answer-unreadable", None, lambda body: forged(body, data={"data": None})),
}


@pytest.mark.parametrize(
    ("name", "start"),
    [
        (name, start)
        for name, (_, field, _) in UNBELIEVABLE.items()
        for start in START
        if not (start == "REGISTRATION" and field == "product instance identifier")  # it has none yet
    ],
)
def test_rule_5_an_answer_that_cannot_be_believed_changes_nothing(name: str, start: str) -> None:
    """Each wrong part of an answer has its code, the message stays, and the right answer still counts."""
    code, field, forge = UNBELIEVABLE[name]
    bench = START[start]()
    sent = bench.say()
    before = bench.record.to_data()
    body = bench.answer(sent)
    with pytest.raises(AnswerError) as caught:
        bench.hear(sent, forge(body))
    assert caught.value.code == code
    assert caught.value.context.get("field") == field
    assert bench.record.to_data() == before
    bench.hear(sent, body)
    assert bench.record.in_flight is None


def test_rule_5_the_nonce_is_that_of_this_sending() -> None:
    """The answer to an earlier sending of the same message is not taken for that of the last one."""
    bench = _reporting()
    first = bench.say()
    late = bench.answer(first)
    second = bench.say()
    with pytest.raises(AnswerError) as caught:
        bench.hear(second, late)
    assert caught.value.context == {"field": "nonce"}
    bench.hear(second, bench.answer(second))
    assert bench.record.in_flight is None


def test_rule_5_an_expired_answer_certificate_is_refused() -> None:
    """When the server's answer certificate has ended, its answers do not count any more."""
    bench = _reporting()
    sent = bench.say()
    body = bench.answer(sent)
    bench.time += 731 * DAY
    with pytest.raises(AnswerError) as caught:
        bench.hear(sent, body)
    assert caught.value.code == "answer-signature-not-valid"
    assert bench.record.in_flight is not None


def _with_certificate(body: bytes, certificate: str) -> bytes:
    result = smart.decode_answer(body).answer.data.data
    assert isinstance(result, RegistrationResult)
    return forged(body, data={"data": msgspec.structs.replace(result, id_certificate=certificate)})


def test_a_certificate_for_another_key_is_no_registration() -> None:
    """An ID certificate that certifies another key, or is none, leaves the registration in flight."""
    bench = _registering()
    sent = bench.say()
    body = bench.answer(sent)
    other = authorities().answers.der_chain[0]
    der = base64.b64decode(other)
    odd = base64.b64encode(der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a00302010f"), 1)).decode()
    oid = bytes.fromhex("06072a8648ce3d0201")
    unknown = base64.b64encode(der.replace(oid, oid[:-1] + b"\x7f", 1)).decode()
    for certificate, code in (
        (other, "answer-mismatch"),
        ("AAAA", "answer-unreadable"),
        ("!", "answer-unreadable"),
        ("", "answer-unreadable"),
        (odd, "answer-unreadable"),
        (unknown, "answer-unreadable"),
    ):
        with pytest.raises(AnswerError) as caught:
            bench.hear(sent, _with_certificate(body, certificate))
        assert caught.value.code == code
        assert isinstance(bench.record.in_flight, RegistrationRequest)
        assert bench.record.new_key is not None
    bench.hear(sent, body)
    assert bench.record.identity is not None


@pytest.mark.parametrize("start", START)
def test_another_kind_of_result_is_no_answer(start: str) -> None:
    """A signed answer whose data belongs to another request type is unreadable."""
    bench = START[start]()
    sent = bench.say()
    body = bench.answer(sent)
    wrong: Any = Acknowledged()
    if start == "DEREGISTRATION":
        wrong = RegistrationResult(
            product_instance_identifier="x",
            id_certificate="",
            id_certificate_chain=[],
            smart_account="",
            virtual_account="",
            export_controlled_allowed=False,
        )
    with pytest.raises(AnswerError) as caught:
        bench.hear(sent, forged(body, data={"data": wrong}))
    assert caught.value.code == "answer-unreadable"
    assert bench.record.in_flight is not None


# ---- rules 1 to 3 -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("start", START)
def test_rule_2_a_repeat_is_the_same_message_with_a_new_nonce(start: str) -> None:
    """Sent again, also after a restart: the same id, sequence and meaning; another nonce and time."""
    bench = START[start]()
    first = bench.say()
    bench.time += 5
    second = bench.say()
    bench.restart()
    third = bench.say()
    read = [smart.decode_request(sent.body).data for sent in (first, second, third)]
    assert len({(data.message_id, data.sequence) for data in read}) == 1
    assert len({data.nonce for data in read}) == 3
    assert [data.timestamp for data in read] == [int(NOW * 1000), *[int((NOW + 5) * 1000)] * 2]
    assert first.request == second.request == third.request == bench.record.in_flight
    assert first.number < second.number < third.number


def test_rule_3_each_new_message_has_a_higher_sequence() -> None:
    """Registration, report, report, de-registration, registration: strictly rising, over a restart too."""
    bench = Bench()
    sequences = []

    def turn() -> None:
        sent = bench.say()
        sequences.append(sent.request.sequence)
        bench.hear(sent, bench.answer(sent))

    bench.ask()
    turn()
    bench.use(ONE, 1)
    turn()
    bench.restart()
    bench.agent.report()
    turn()
    bench.agent.deregister(bench.chance.randbytes)
    turn()
    bench.ask()
    turn()
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 5


@pytest.mark.parametrize("start", START)
def test_rule_1_what_was_meant_survives_a_restart(start: str) -> None:
    """The whole record, with the message in flight, is the same after JSON."""
    bench = START[start]()
    bench.say()
    before = bench.record.to_data()
    bench.restart()
    assert bench.record.to_data() == before
    assert bench.record.in_flight is not None


def test_a_record_that_is_none_is_refused() -> None:
    """Data with a wrong type, an impossible count or a missing field raises ValidationError."""
    good = _reporting().record.to_data()
    for wrong in (
        {},
        good | {"sequence": -1},
        good | {"udi": None},
        good | {"entitlements": {ONE: {"count": -1}}},
        good | {"registration": "married"},
        good | {"in_flight": {"request_type": "PAY"}},
    ):
        with pytest.raises(msgspec.ValidationError):
            Record.from_data(wrong)


# ---- registration -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_registration_brings_an_identity_and_forgets_the_token(kind: str) -> None:
    """After the answer the record has PIID, certificate and accounts, and neither the token nor a new key."""
    bench = Bench()
    bench.ask(kind=kind)
    assert bench.token.reveal() in json.dumps(bench.record.to_data())
    assert bench.registration() is Registration.IN_PROGRESS
    bench.turn()
    record = bench.record
    assert record.registration is Registration.COMPLETE
    identity = record.identity
    assert identity is not None
    assert identity.piid in bench.server.state.instances
    assert (identity.smart_account, identity.virtual_account) == ("Lab Smart Account", "Default")
    assert identity.export_controlled_allowed is True
    assert identity.valid_from <= NOW < identity.valid_until
    assert identity.valid_until == NOW + 365 * DAY
    assert record.registering.succeeded == NOW
    assert record.registering.failure is None
    assert record.new_key is None
    assert record.in_flight is None
    assert bench.token.reveal() not in json.dumps(record.to_data())


def test_later_messages_are_signed_with_the_identitys_key() -> None:
    """A registration names no PIID; what follows carries PIID, certificate serial and the key's signature."""
    bench = Bench()
    bench.ask()
    first = bench.say()
    assert smart.decode_request(first.body).header.product_instance_identifier == ""
    assert smart.decode_request(first.body).header.id_cert_serial_number is None
    bench.hear(first, bench.answer(first))
    bench.use(ONE, 1)
    later = smart.decode_request(bench.say().body)
    identity = bench.record.identity
    assert identity is not None
    assert later.header.product_instance_identifier == identity.piid
    assert later.header.id_cert_serial_number == identity.serial_number
    key = signing.load_key(identity.key).public_key()
    assert signing.verify(key, later.signed, later.signature)


def test_a_second_registration_needs_force() -> None:
    """Registered already is an error of the caller and changes nothing; with force it replaces."""
    bench = Bench().registered()
    before = bench.record.to_data()
    with pytest.raises(CallerError) as caught:
        bench.ask()
    assert caught.value.code == "registered-already"
    assert bench.record.to_data() == before
    former = bench.record.identity
    bench.ask(force=True)
    bench.turn()
    assert former is not None
    assert bench.record.identity is not None
    assert bench.record.identity.piid != former.piid
    assert set(bench.server.state.instances) == {bench.record.identity.piid}


def test_a_registration_in_flight_is_not_replaced() -> None:
    """While a registration is unanswered another one is a programming error: it may have been accepted."""
    bench = _registering()
    message = bench.record.in_flight
    for force in (False, True):
        with pytest.raises(RuntimeError):
            bench.ask(force=force)
    assert bench.record.in_flight is message


@pytest.mark.parametrize("code", sorted(errors.REFUSALS))
@pytest.mark.parametrize("start", ["REGISTRATION", "AUTHORIZATION", "DEREGISTRATION"])
def test_a_refusal_removes_the_message_and_is_kept(code: str, start: str) -> None:
    """Each code that a server can refuse with is raised as itself, ends the message and stands as failure."""
    bench = START[start]()
    sent = bench.say()
    with pytest.raises(RefusedError) as caught:
        bench.hear(sent, refusing(bench.answer(sent), code))
    assert caught.value.code == code
    record = bench.record
    assert record.in_flight is None
    assert record.new_key is None
    attempts = record.authorizing
    if start == "REGISTRATION" or code == "identity-not-valid":
        attempts = record.registering
    assert attempts.failure is not None
    assert (attempts.failure["code"], attempts.last) == (code, NOW)
    if start == "REGISTRATION":
        assert record.registration is Registration.FAILED
        assert record.identity is None
    elif code == "identity-not-valid":
        assert record.registration is Registration.NOT_REGISTERED
        assert record.identity is None
    else:
        assert record.registration is Registration.COMPLETE
        assert record.identity is not None
        assert record.to_report == (start == "AUTHORIZATION")
    bench.restart()


def test_an_unknown_refusal_is_shown_with_the_servers_words() -> None:
    """A code of a newer server, one that is no refusal, or none, gives server-failed and its message."""
    for code in ("brand-new", "bad-udi", "server-failed", None):
        bench = _registering()
        sent = bench.say()
        with pytest.raises(RefusedError, match="too late") as caught:
            bench.hear(sent, refusing(bench.answer(sent), code, "too late {x}"))
        assert caught.value.code == "server-failed"
        assert bench.registration() is Registration.FAILED


def test_a_version_that_is_too_high_is_stepped_down_and_then_a_refusal() -> None:
    """VERSION_TOO_HIGH: the same message in the next lower version; below the lowest it ends the message."""
    bench = _reporting()
    asked = []
    for _ in VERSIONS[1:]:
        sent = bench.say()
        asked.append(sent)
        bench.hear(sent, forged(bench.answer(sent), data={"status": "VERSION_TOO_HIGH", "data": None}))
        assert bench.record.in_flight == sent.request
    sent = bench.say()
    asked.append(sent)
    assert [smart.decode_request(one.body).header.version for one in asked] == list(VERSIONS)
    with pytest.raises(RefusedError) as caught:
        bench.hear(sent, forged(bench.answer(sent), data={"status": "VERSION_TOO_HIGH", "data": None}))
    assert caught.value.code == "version-too-high"
    assert bench.record.in_flight is None
    bench.ask(force=True)
    assert smart.decode_request(bench.say().body).header.version == VERSIONS[0]


def test_a_refused_device_can_register_again() -> None:
    """After FAILED the next registration is a new message with a new key, and it can succeed."""
    bench = Bench()
    bench.ask(token=IdToken.make("727af1d9-6c39-4444-b301-863f81445b72", 1_800_000_000_000, bytes(32)))
    with pytest.raises(RefusedError) as caught:
        bench.turn()
    assert caught.value.code == "token-unknown"
    bench.restart()
    bench.registered()
    assert bench.registration() is Registration.COMPLETE
    assert bench.record.registering.failure is None


def test_a_refused_forced_registration_keeps_the_former_identity() -> None:
    """The former registration stands, with its failure noted, and the counts are told with the old key."""
    bench = Bench().registered()
    bench.use(ONE, 2)
    former = bench.record.identity
    bench.say()  # a report is in flight, and the registration replaces it
    bench.ask(force=True, token=IdToken.make("727af1d9-6c39-4444-b301-863f81445b72", 10**12, bytes(32)))
    with pytest.raises(RefusedError):
        bench.turn()
    record = bench.record
    assert record.registration is Registration.COMPLETE
    assert record.identity == former
    assert record.registering.failure is not None
    bench.turn()
    assert former is not None
    assert bench.server.state.instances[former.piid].usage == {ONE: 2}
    assert record.authorization is Authorization.AUTHORIZED


def test_a_lost_registration_is_a_retry() -> None:
    """Communication lost: `retry`, with the failure; sent again: `in-progress`; answered: `complete`."""
    bench = _registering()
    bench.say()
    bench.agent.lost(errors.ANSWER_UNREADABLE(why="x"), NOW + 1)
    assert bench.registration() is Registration.RETRY
    assert bench.record.registering.last == NOW + 1
    sent = bench.say()
    assert bench.registration() is Registration.IN_PROGRESS
    bench.hear(sent, bench.answer(sent))
    assert bench.registration() is Registration.COMPLETE
    assert bench.record.registering.failure is None


# ---- the public error form --------------------------------------------------------------------------------
MAP = smart.encode_error_map({"product_instance_identifier": ["The identity is not valid."]})


def test_the_error_form_leads_to_a_new_registration() -> None:
    """A forgotten device is not registered, says so with identity-not-valid, and keeps what it uses."""
    bench = _reporting()
    with pytest.raises(RefusedError) as caught:
        bench.hear(bench.say(), MAP)
    assert caught.value.code == "identity-not-valid"
    record = bench.record
    assert record.registration is Registration.NOT_REGISTERED
    assert record.identity is None
    assert record.in_flight is None
    assert record.registering.failure is not None
    assert record.registering.failure["code"] == "identity-not-valid"
    assert bench.agent.next_request(NOW, bench.chance.randbytes) is None
    assert record.authorization is Authorization.EVAL
    bench.ask(force=True)
    bench.turn()
    bench.turn()
    assert [i.usage for i in bench.server.state.instances.values()] == [{ONE: 2}]


def test_a_replaced_device_hears_it_from_the_real_server() -> None:
    """When another device took its place, the server's own answer is the error form."""
    bench = _reporting()
    twin = Agent(Record(udi=bench.record.udi, software_id=SOFTWARE))
    twin.register(bench.token, signing.new_key(), bench.chance.randbytes, force=True)
    sent = twin.next_request(NOW, bench.chance.randbytes)
    assert sent is not None
    twin.receive(sent, bench.answer(sent), bench.server.anchors, NOW)
    with pytest.raises(RefusedError) as caught:
        bench.turn()
    assert caught.value.code == "identity-not-valid"


def test_the_error_form_answers_a_deregistration() -> None:
    """A server that has forgotten the device has nothing to de-register: that is success."""
    bench = _deregistering()
    assert bench.hear(bench.say(), MAP) is None
    assert bench.registration() is Registration.NOT_REGISTERED
    assert bench.record.in_flight is None


@pytest.mark.parametrize("fields", [{"request": ["cannot be read"]}, {}, {"path": []}])
@pytest.mark.parametrize("start", START)
def test_an_error_form_about_something_else_is_no_answer(start: str, fields: dict[str, list[str]]) -> None:
    """Other fields mean that the server did not read the message: it stays."""
    bench = START[start]()
    before = bench.say(), bench.record.to_data()
    with pytest.raises(AnswerError) as caught:
        bench.hear(before[0], smart.encode_error_map(fields))
    assert caught.value.code == "message-rejected"
    assert bench.record.to_data() == before[1]


def test_a_registration_cannot_be_forgotten_by_the_error_form() -> None:
    """A registration names no instance, so the error form about one does not end it."""
    bench = _registering()
    with pytest.raises(AnswerError) as caught:
        bench.hear(bench.say(), MAP)
    assert caught.value.code == "message-rejected"
    assert isinstance(bench.record.in_flight, RegistrationRequest)


# ---- counts -----------------------------------------------------------------------------------------------
def test_a_report_tells_absolute_counts() -> None:
    """Each report carries every license in use with its count, and the answer gives each its mode."""
    bench = Bench().registered()
    for what, count in ((ONE, 2), (TWO, 9), (ONE, 3)):
        bench.use(what, count)
    sent = bench.say()
    assert isinstance(sent.request, AuthorizationRequest)
    assert {u.tag: u.count for u in sent.request.entitlements} == {ONE: 3, TWO: 9}
    bench.hear(sent, bench.answer(sent))
    modes = {what: used.enforcement_mode for what, used in bench.record.entitlements.items()}
    assert modes == {ONE: "in-compliance", TWO: "out-of-compliance"}
    assert bench.authorization() is Authorization.OUT_OF_COMPLIANCE
    assert bench.record.deadline == NOW + 90 * DAY
    assert bench.record.authorizing.next == NOW + DAY / 2
    bench.use(TWO, 5)
    bench.turn()
    assert bench.authorization() is Authorization.AUTHORIZED
    assert bench.record.authorizing.next == NOW + 30 * DAY


def test_an_empty_report_is_sent_too() -> None:
    """With nothing in use a report is an empty list, and the state is `none`."""
    bench = Bench().registered()
    assert bench.agent.next_request(NOW, bench.chance.randbytes) is None
    bench.agent.report()
    sent = bench.say()
    assert isinstance(sent.request, AuthorizationRequest)
    assert sent.request.entitlements == []
    bench.hear(sent, bench.answer(sent))
    assert bench.authorization() is Authorization.NONE


def test_the_same_count_again_says_nothing_new() -> None:
    """Asking for what is in use already sends nothing."""
    bench = _reporting()
    bench.turn()
    bench.use(ONE, 2)
    assert bench.agent.next_request(NOW, bench.chance.randbytes) is None


@pytest.mark.parametrize("counts", [[5], [5, 2], [0], [0, 2], [0, 4]])
def test_a_count_changed_in_flight_is_told_by_the_next_report(counts: list[int]) -> None:
    """What changes while a report is on its way is not lost with its answer: the next one tells it."""
    bench = _reporting()
    sent = bench.say()
    for count in counts:
        bench.use(ONE, count)
    bench.restart()
    bench.hear(sent, bench.answer(sent))
    assert bench.record.entitlements[ONE].count == counts[-1]
    bench.turn()
    (instance,) = bench.server.state.instances.values()
    assert instance.usage == ({ONE: counts[-1]} if counts[-1] else {})
    assert (ONE in bench.record.entitlements) == (counts[-1] > 0)
    assert bench.agent.next_request(NOW, bench.chance.randbytes) is None


def test_a_release_is_reported_and_then_gone() -> None:
    """A released license is told with count 0 once, and leaves the record with the answer."""
    bench = _reporting()
    bench.use(TWO, 1)
    bench.turn()
    bench.agent.release(ONE, NOW)
    sent = bench.say()
    assert isinstance(sent.request, AuthorizationRequest)
    assert {u.tag: u.count for u in sent.request.entitlements} == {ONE: 0, TWO: 1}
    bench.hear(sent, bench.answer(sent))
    assert list(bench.record.entitlements) == [TWO]


def test_a_release_of_what_is_not_used_is_refused() -> None:
    """Releasing an unknown license is a mistake of the caller, registered or not."""
    for bench in (Bench(), Bench().registered()):
        before = bench.record.to_data()
        with pytest.raises(CallerError) as caught:
            bench.agent.release(ONE, NOW)
        assert caught.value.code == "entitlement-not-in-use"
        assert bench.record.to_data() == before


@pytest.mark.parametrize("count", [-1, MAX_COUNT + 1, 2**63])
def test_a_count_out_of_bounds_is_refused(count: int) -> None:
    """Counts outside 0..2147483647 are refused before they reach the record."""
    bench = Bench().registered()
    before = bench.record.to_data()
    with pytest.raises(CallerError) as caught:
        bench.use(ONE, count)
    assert caught.value.code == "bad-count"
    assert bench.record.to_data() == before


def test_the_largest_count_is_told() -> None:
    """2147483647 passes through message and server."""
    bench = Bench().registered()
    bench.use(ONE, MAX_COUNT)
    bench.turn()
    assert bench.authorization() is Authorization.OUT_OF_COMPLIANCE


@pytest.mark.parametrize("what", ["", "DNA", "regid.2018-12.com.cisco.DNA"])
def test_a_tag_of_another_shape_is_refused(what: str) -> None:
    """A tag that is none is refused, and nothing is kept of it."""
    bench = Bench()
    with pytest.raises(CallerError) as caught:
        bench.use(what, 1)
    assert caught.value.code == "bad-tag"
    assert bench.record.entitlements == {}


def test_what_was_used_before_registration_is_told_after_it() -> None:
    """Counts of the evaluation period are reported right after the registration."""
    bench = Bench()
    bench.use(ONE, 4)
    bench.use(TWO, 1)
    bench.agent.release(TWO, NOW)
    assert bench.agent.next_request(NOW, bench.chance.randbytes) is None
    bench.registered()
    bench.turn()
    (instance,) = bench.server.state.instances.values()
    assert instance.usage == {ONE: 4}
    assert bench.record.entitlements.keys() == {ONE}


def test_an_unregistered_device_cannot_report_or_deregister() -> None:
    """Both need a registration."""
    bench = Bench()
    calls: list[Callable[[], None]] = [
        bench.agent.report,
        lambda: bench.agent.deregister(bench.chance.randbytes),
    ]
    for call in calls:
        with pytest.raises(CallerError) as caught:
            call()
        assert caught.value.code == "not-registered"


# ---- de-registering ---------------------------------------------------------------------------------------
def test_a_deregistration_outruns_a_report() -> None:
    """It replaces the report in flight; the server forgets the instance and the device keeps its licenses."""
    bench = _reporting()
    report = bench.say()
    bench.agent.deregister(bench.chance.randbytes)
    sent = bench.say()
    assert isinstance(sent.request, DeregistrationRequest)
    assert sent.request.sequence > report.request.sequence
    bench.hear(sent, bench.answer(sent))
    assert bench.server.state.instances == {}
    assert bench.record.identity is None
    assert bench.record.entitlements[ONE].count == 2
    assert bench.record.entitlements[ONE].enforcement_mode == "evaluation"
    # The report that was outrun arrives after all: nobody takes it for news.
    assert smart.decode_error_map(bench.answer(report)) is not None


def test_deregistering_twice_is_one_message() -> None:
    """Asking again while it is unanswered repeats the same message."""
    bench = _deregistering()
    first = bench.say()
    bench.agent.deregister(bench.chance.randbytes)
    assert bench.say().request == first.request


@pytest.mark.parametrize("start", START)
def test_forgetting_leaves_nothing_behind(start: str) -> None:
    """Without an answer, too: no identity, key, message or token is left on the device."""
    bench = START[start]()
    bench.say()
    bench.agent.forget(NOW)
    record = bench.record
    assert record.registration is Registration.NOT_REGISTERED
    assert (record.identity, record.new_key, record.in_flight, record.deadline) == (None, None, None, None)
    assert "PRIVATE KEY" not in json.dumps(record.to_data())
    assert bench.token.reveal() not in json.dumps(record.to_data())
    bench.ask(force=True)
    bench.turn()
    assert len(bench.server.state.instances) == 1


# ---- evaluation -------------------------------------------------------------------------------------------
def test_evaluation_counts_only_while_licenses_are_in_use() -> None:
    """Ten days used, ten not, five used: fifteen days, over restarts."""
    bench = Bench()
    bench.time += 3 * DAY
    bench.use(ONE, 1)
    assert bench.authorization() is Authorization.EVAL
    bench.time += 10 * DAY
    bench.restart()
    bench.agent.release(ONE, bench.time)
    assert bench.authorization() is Authorization.NONE
    assert bench.record.entitlements == {}
    bench.time += 10 * DAY
    bench.use(TWO, 1)
    bench.time += 5 * DAY
    bench.restart()
    bench.use(TWO, 2)
    assert bench.record.evaluation_used == 15 * DAY
    assert bench.authorization() is Authorization.EVAL


def test_evaluation_ends_with_registration_and_authorization() -> None:
    """Registration alone does not stop the clock; the authorization does; de-registering goes on with it."""
    bench = Bench()
    bench.use(ONE, 1)
    bench.time += 2 * DAY
    bench.registered()
    assert bench.authorization() is Authorization.EVAL
    bench.time += DAY
    bench.turn()
    assert bench.authorization() is Authorization.AUTHORIZED
    assert bench.record.evaluation_used == 3 * DAY
    assert bench.record.evaluation_since is None
    bench.time += 50 * DAY
    bench.agent.deregister(bench.chance.randbytes)
    bench.turn()
    assert bench.authorization() is Authorization.EVAL
    assert bench.record.evaluation_used == 3 * DAY
    bench.time += DAY
    bench.agent.release(ONE, bench.time)
    assert bench.record.evaluation_used == 4 * DAY


def test_evaluation_is_used_up_after_90_days() -> None:
    """After 90 days of use it is over, and neither releasing nor using again brings it back."""
    bench = Bench()
    bench.use(ONE, 1)
    bench.time += 90 * DAY - 1
    bench.use(ONE, 2)
    assert bench.authorization() is Authorization.EVAL
    bench.time += 1
    bench.use(ONE, 3)
    assert bench.authorization() is Authorization.EVAL_EXPIRED
    bench.agent.release(ONE, bench.time)
    bench.restart()
    bench.use(ONE, 1)
    assert bench.authorization() is Authorization.EVAL_EXPIRED
    bench.registered()
    bench.turn()
    assert bench.authorization() is Authorization.AUTHORIZED


def test_a_clock_that_goes_back_gives_no_evaluation_time_back() -> None:
    """Setting the clock back does not reduce what was used."""
    bench = Bench()
    bench.use(ONE, 1)
    bench.time += 10 * DAY
    bench.use(ONE, 2)
    bench.time -= 9 * DAY
    bench.use(ONE, 3)
    assert bench.record.evaluation_used == 10 * DAY


def test_a_registered_device_that_uses_nothing_does_not_evaluate() -> None:
    """Released before the first authorization: the evaluation stops although the server has not answered."""
    bench = Bench()
    bench.use(ONE, 1)
    bench.registered()
    bench.time += DAY
    bench.agent.release(ONE, bench.time)
    assert bench.authorization() is Authorization.NONE
    bench.time += 80 * DAY
    bench.turn()
    assert bench.record.evaluation_used == DAY
    assert bench.authorization() is Authorization.NONE


@pytest.mark.parametrize("how", ["deregister", "forget", "forgotten"])
def test_ending_a_registration_with_nothing_in_use_starts_no_evaluation(how: str) -> None:
    """An authorized device that released everything and then loses its registration evaluates nothing."""
    bench = _reporting()
    bench.turn()
    bench.agent.release(ONE, NOW)
    if how == "forget":
        bench.agent.forget(NOW)
    elif how == "deregister":
        bench.agent.deregister(bench.chance.randbytes)
        bench.turn()
    else:
        with pytest.raises(RefusedError):
            bench.hear(bench.say(), MAP)
    assert bench.record.entitlements == {}
    assert bench.authorization() is Authorization.NONE
    assert bench.record.evaluation_since is None
    bench.time += 100 * DAY
    bench.use(ONE, 1)
    assert bench.authorization() is Authorization.EVAL


def test_a_license_used_again_in_flight_is_not_forgotten_by_the_answer() -> None:
    """The answer to an empty report does not put a device at rest that has begun to use licenses since."""
    bench = _reporting()
    bench.turn()
    bench.agent.release(ONE, NOW)
    sent = bench.say()
    bench.use(TWO, 1)
    bench.hear(sent, bench.answer(sent))
    assert bench.authorization() is not Authorization.NONE
    bench.turn()
    assert bench.authorization() is Authorization.AUTHORIZED


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([0, 1, 2]), st.booleans()), max_size=12))
def test_evaluation_time_is_the_time_in_use(steps: list[tuple[int, int, bool]]) -> None:
    """For any life without a server: the time used is the sum of the times with a license in use."""
    bench = Bench()
    used, count = 0.0, 0
    for days, then, restart in steps:
        bench.time += days * DAY
        if count:
            used += days * DAY
        if restart:
            bench.restart()
        if then or count:
            bench.use(ONE, then)
            count = then
        over = used >= 90 * DAY
        # A count that does not change is no event: the time since the last one is counted with the next.
        record = bench.record
        running = bench.time - record.evaluation_since if record.evaluation_since is not None else 0.0
        if record.authorization is Authorization.EVAL:
            assert record.evaluation_used + running == used
        elif not count:
            assert record.authorization is Authorization.NONE
        else:
            assert over


# ---- HELLO and privacy ------------------------------------------------------------------------------------
def test_a_hello_is_not_kept() -> None:
    """A HELLO, before and after registration, is answered and changes neither device nor server."""
    for bench in (Bench(), _registering(), _reporting()):
        before = bench.record.to_data()
        rows = dict(bench.server.state.instances)
        sent = bench.agent.hello(NOW, bench.chance.randbytes)
        answer = bench.hear(sent, bench.answer(sent))
        assert answer is not None
        assert answer.status == "COMPLETE"
        assert bench.record.to_data() | {"sent": 0} == before | {"sent": 0}
        assert bench.server.state.instances == rows


@pytest.mark.parametrize("force", [False, True])
def test_a_hello_that_is_refused_changes_nothing(force: bool) -> None:
    """Neither a refusal nor the error form in answer to a HELLO touches the registration or what is meant."""
    bench = _reporting()
    if force:
        bench.ask(force=True)
    sent = bench.agent.hello(NOW, bench.chance.randbytes)
    before = bench.record.to_data()
    answer = bench.hear(sent, refusing(bench.answer(sent), "server-failed"))
    assert answer is not None
    with pytest.raises(SmartlicError):
        bench.hear(sent, MAP)
    assert bench.record.to_data() == before


def test_withheld_names_are_not_sent() -> None:
    """Without a hostname no message has one; with one, registration and reports do."""
    for hostname in (None, "edge-1"):
        bench = Bench(hostname=hostname, custom_id=None)
        bench.ask()
        first = bench.say()
        bench.hear(first, bench.answer(first))
        bench.use(ONE, 1)
        for sent in (first, bench.say()):
            assert smart.decode_request(sent.body).data.hostname == hostname
            assert (b"edge-1" in sent.body) == (hostname is not None)


def test_what_a_log_may_show_has_no_secret() -> None:
    """repr of outgoing messages, record and identity shows neither token nor key."""
    bench = _registering()
    sent = bench.say()
    shown = [repr(sent), repr(bench.record), repr(sent.request), repr(bench.record.in_flight)]
    bench.hear(sent, bench.answer(sent))
    shown += [repr(bench.record.identity), repr(bench.record)]
    for text in shown:
        assert bench.token.reveal() not in text
        assert "PRIVATE KEY" not in text


def test_a_record_never_holds_more_than_a_message_carries() -> None:
    """A device refuses one license more than fits into a message, and its record can still be read."""
    agent = Agent(Record(udi=Udi(pid="P"), software_id=SOFTWARE))
    for number in range(MAX_ENTITLEMENTS):
        agent.request(tag(number), 1, 0.0)
    with pytest.raises(CallerError) as refused:
        agent.request(tag(MAX_ENTITLEMENTS), 1, 0.0)
    assert refused.value.code == "too-many-entitlements"
    agent.request(tag(7), 2, 0.0)
    assert len(Record.from_data(agent.record.to_data()).entitlements) == MAX_ENTITLEMENTS


def test_a_forced_registration_that_is_refused_leaves_the_renewal_where_it_was() -> None:
    """The former registration stands whole: its ID certificate is renewed when it would have been."""
    bench = Bench()
    bench.agent.register(bench.token, signing.new_key(), bench.chance.randbytes)
    sent = bench.say()
    bench.hear(sent, bench.answer(sent))
    due = bench.record.registering.next
    assert due is not None
    bench.time += DAY
    bench.agent.register(
        IdToken.make("727af1d9-6c39-4444-b301-863f81445b72", 10**12, bytes(32)),
        signing.new_key(),
        bench.chance.randbytes,
        force=True,
    )
    sent = bench.say()
    with pytest.raises(RefusedError):
        bench.hear(sent, bench.answer(sent))
    assert bench.record.registering.next == due
