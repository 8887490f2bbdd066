"""Exactly once: the rules of mock_server.domain.devices, one by one, with real keys and real bytes."""

from __future__ import annotations

import datetime
import random
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

from mock_server.domain import devices, events, licenses, tokens
from mock_server.domain.state import AccountStatus
from smartlic_client.protocol import errors, signing, smart
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.messages import (
    Acknowledged,
    AuthorizationResult,
    HelloRequest,
    RegistrationResult,
)
from tests.unit.domain.world import (
    NOW,
    SOFTWARE,
    Server,
    Speaker,
    again,
    authorities,
    derived,
    loaded,
    rows,
    tag,
)

DAY = 86400.0
ONE, TWO = tag(1), tag(2)


class Bench:
    """A server whose clock the test moves, and a device that has registered with it."""

    def __init__(self, *, registered: bool = True, uses: int | None = None) -> None:
        self.time = NOW
        self.server = Server(lambda: self.time, random.Random(5))
        self.token = self.server.token(uses=uses)
        self.device = Speaker()
        self.first = self.device.registration(self.token.reveal())
        if registered:
            self.device.piid = self.server.decide(self.device.say(self.first)).piid

    def used(self) -> int:
        return self.server.state.tokens[tokens.token_digest(self.token)].used

    def usage(self) -> dict[str, int]:
        return self.server.state.instances[self.device.piid].usage


def code(decision: devices.Decision) -> str | None:
    """The code of a refusal; None for an acceptance. A refusal has neither events nor a result."""
    if decision.problem is None:
        return None
    assert decision.events == []
    assert decision.result is None
    return decision.problem.code


# ---- rule 1: the result of the last message is kept -------------------------------------------------------
def test_rule_1_a_repeat_gets_the_same_result_and_has_no_effect() -> None:
    """Each kind of message, sent again with a new nonce, gets its result again and changes no row."""
    bench = Bench()
    server, device = bench.server, bench.device
    for message in (bench.first, device.authorization({ONE: 2})):
        first = server.decide(device.say(message))
        before = rows(server.machine)
        repeated = again(message, nonce="77", timestamp=9)
        server.purchase(TWO, 1)
        bench.time += 3 * DAY
        second = server.decide(device.say(repeated))
        assert (second.result, second.problem, second.events) == (first.result, None, [])
        assert second.piid == device.piid
        assert {key: row for key, row in rows(server.machine).items() if key in before} == before


def test_rule_1_the_repeat_keeps_its_result_even_if_another_would_be_given_now() -> None:
    """A report that was out of compliance stays so in its repeats, although licenses were bought since."""
    bench = Bench()
    bench.server.purchase(ONE, 1)
    message = bench.device.authorization({ONE: 2})
    first = bench.server.decide(bench.device.say(message))
    bench.server.purchase(ONE, 10)
    assert bench.server.decide(bench.device.say(message)).result == first.result
    assert isinstance(first.result, AuthorizationResult)
    assert first.result.entitlements[0].enforcement_mode == "out-of-compliance"


def test_rule_1_a_lower_sequence_is_superseded() -> None:
    """A delayed older report never overwrites a newer one, nor does one with the sequence of the last."""
    bench = Bench()
    old = bench.device.authorization({ONE: 9})
    new = bench.device.authorization({ONE: 2})
    bench.server.decide(bench.device.say(new))
    before = rows(bench.server.machine)
    equal = again(new, message_id="other")
    for message in (old, equal):
        assert code(bench.server.decide(bench.device.say(message))) == "superseded"
    assert code(bench.server.decide(bench.device.say(bench.first))) == "superseded"
    late = again(bench.device.deregistration(), sequence=old.sequence)
    assert code(bench.server.decide(bench.device.say(late))) == "superseded"
    assert rows(bench.server.machine) == before
    assert bench.usage() == {ONE: 2}


# ---- rule 2: a message id means one thing -----------------------------------------------------------------
def test_rule_2_the_same_id_with_another_meaning_is_refused() -> None:
    """Counts, sequence, hostname or type changed under the same id: message-id-reused, without effect."""
    bench = Bench()
    message = bench.device.authorization({ONE: 2})
    bench.server.decide(bench.device.say(message))
    before = rows(bench.server.machine)
    other = bench.device.authorization({ONE: 3})
    variants = [
        again(other, message_id=message.message_id, sequence=message.sequence),
        again(message, sequence=message.sequence + 1),
        again(message, sequence=message.sequence - 1),
        again(message, hostname="x"),
        again(bench.device.deregistration(), message_id=message.message_id),
    ]
    for variant in variants:
        assert code(bench.server.decide(bench.device.say(variant))) == "message-id-reused"
    assert rows(bench.server.machine) == before


def test_rule_2_a_repeat_signed_with_another_key_is_refused() -> None:
    """A stranger who saw a message cannot get its result with a key of his own."""
    bench = Bench()
    message = bench.device.authorization({ONE: 2})
    bench.server.decide(bench.device.say(message))
    stranger = signing.new_key()
    for said in (message, bench.device.authorization({ONE: 3}), bench.device.deregistration()):
        signed = bench.device.say(said, key=stranger)
        assert code(bench.server.decide(signed)) == "signature-not-valid"
    assert bench.usage() == {ONE: 2}


@pytest.mark.parametrize("change", ["force", "token", "hostname", "sequence"])
def test_rule_2_a_registration_id_means_one_thing_too(change: str) -> None:
    """The same registration id and key with another body is refused and makes no second instance."""
    bench = Bench()
    changed = {
        "force": again(bench.first, force=True),
        "token": again(bench.first, id_token=bench.server.token().reveal()),
        "hostname": again(bench.first, hostname="x"),
        "sequence": again(bench.first, sequence=2),
    }[change]
    assert code(bench.server.decide(bench.device.say(changed))) == "message-id-reused"
    assert list(bench.server.state.instances) == [bench.device.piid]
    assert bench.used() == 1


# ---- rule 3: before there is a PIID, the key --------------------------------------------------------------
def test_rule_3_a_repeated_registration_makes_one_instance_and_spends_one_use() -> None:
    """Sent again and again, after the token ended and was revoked, too: one instance, one use."""
    bench = Bench(uses=1)
    (instance,) = bench.server.state.instances.values()
    bench.time += 400 * DAY
    bench.server.commit(tokens.revoke_token(bench.server.state, bench.token.token_id))
    for _ in range(3):
        repeated = bench.server.decide(bench.device.say(bench.first))
        assert repeated.piid == bench.device.piid
        assert repeated.result == instance.last.result
        assert isinstance(repeated.result, RegistrationResult)
        assert repeated.result.product_instance_identifier == bench.device.piid
    assert list(bench.server.state.instances) == [bench.device.piid]
    assert bench.used() == 1


def test_rule_3_a_key_registers_once() -> None:
    """Another message with a key that has been used is refused, whatever it says."""
    bench = Bench()
    second = bench.device.registration(bench.server.token().reveal(), force=True)
    assert code(bench.server.decide(bench.device.say(second))) == "message-id-reused"
    other = Udi(pid="ANOTHER", sn="DEVICE")
    assert code(bench.server.decide(bench.device.say(second, udi=other))) == "message-id-reused"
    assert list(bench.server.state.instances) == [bench.device.piid]


def test_rule_3_a_late_registration_does_not_bring_an_instance_back() -> None:
    """After de-registering, and after being replaced, a delayed copy of the registration is superseded."""
    bench = Bench()
    bench.server.decide(bench.device.say(bench.device.deregistration()))
    assert code(bench.server.decide(bench.device.say(bench.first))) == "superseded"
    first = Speaker()
    registration = first.registration(bench.token.reveal())
    bench.server.decide(first.say(registration))
    twin = Speaker()
    twin.piid = bench.server.decide(twin.say(twin.registration(bench.token.reveal(), force=True))).piid
    assert code(bench.server.decide(first.say(registration))) == "superseded"
    assert list(bench.server.state.instances) == [twin.piid]
    assert bench.used() == 3


def test_rule_3_the_signature_is_that_of_the_requests_key() -> None:
    """A registration signed with another key than the one to be certified is refused, and so is a repeat."""
    bench = Bench(registered=False)
    stranger = signing.new_key()
    for _ in range(2):
        assert code(bench.server.decide(bench.device.say(bench.first, key=stranger))) == "signature-not-valid"
        bench.server.decide(bench.device.say(bench.first))
    assert bench.used() == 1


# ---- rule 4: tombstones -----------------------------------------------------------------------------------
def test_rule_4_a_tombstone_answers_repeats() -> None:
    """The de-registration sent again is acknowledged again, also by a machine made from the rows."""
    bench = Bench()
    message = bench.device.deregistration()
    first = bench.server.decide(bench.device.say(message))
    assert first.result == Acknowledged()
    assert bench.server.state.instances == {}
    before = rows(bench.server.machine)
    for state in (bench.server.state, loaded(bench.server.machine).state):
        environment = bench.server.desk.environment(bench.time)
        repeated = devices.decide(state, bench.device.say(message), environment)
        assert (repeated.result, repeated.events, repeated.unknown_piid) == (Acknowledged(), [], None)
    assert rows(bench.server.machine) == before


def test_rule_4_nothing_else_is_answered_from_the_grave() -> None:
    """Another message, another key, or the tombstone of a replaced instance: unknown instance."""
    bench = Bench()
    message = bench.device.deregistration()
    bench.server.decide(bench.device.say(message))
    other = bench.device.authorization({ONE: 1})
    variants = [
        bench.device.say(other),
        bench.device.say(bench.device.deregistration()),
        bench.device.say(message, key=signing.new_key()),
        bench.device.say(again(other, message_id=message.message_id)),
        bench.device.say(message, piid="nobody"),
        bench.device.say(message, piid=""),
    ]
    for signed in variants:
        decision = bench.server.decide(signed)
        assert decision.unknown_piid == signed.header.product_instance_identifier
        assert (decision.events, decision.result, decision.problem) == ([], None, None)


def test_rule_4_a_replaced_instance_is_unknown() -> None:
    """After a forced registration the former instance's messages get the public error form."""
    bench = Bench()
    twin = Speaker()
    twin.piid = bench.server.decide(twin.say(twin.registration(bench.token.reveal(), force=True))).piid
    for message in (bench.device.authorization({ONE: 1}), bench.device.deregistration()):
        assert bench.server.decide(bench.device.say(message)).unknown_piid == bench.device.piid
        status, body = bench.server.post(bench.device.bytes_of(message))
        assert status == 400
        known = smart.decode_error_map(body)
        assert known is not None
        text = f"The identity for the instance {bench.device.piid} is not valid."
        assert known == {"product_instance_identifier": [f"{text} Please re-register the instance."]}


# ---- rule 5: counts are absolute --------------------------------------------------------------------------
def test_rule_5_counts_are_absolute() -> None:
    """A report replaces the one before: pools follow up, down and to zero; what is not told is not used."""
    bench = Bench()
    pool = "\x1f".join(("Lab", "Default", ONE))
    bench.server.purchase(ONE, 5)
    for counts, in_use in (
        ({ONE: 3}, 3),
        ({ONE: 3}, 3),
        ({ONE: 1}, 1),
        ({ONE: 0}, 0),
        ({TWO: 2}, 0),
        ({}, 0),
    ):
        bench.server.decide(bench.device.say(bench.device.authorization(counts)))
        assert bench.server.state.pools[pool].in_use == in_use
        assert bench.usage() == {what: count for what, count in counts.items() if count}


def test_rule_5_an_entitlement_named_twice_is_malformed() -> None:
    """A report that tells two counts for one entitlement is refused as a whole."""
    bench = Bench()
    message = bench.device.authorization({ONE: 1})
    doubled = again(message, entitlements=message.entitlements * 2)
    assert code(bench.server.decide(bench.device.say(doubled))) == "message-malformed"
    assert bench.usage() == {}
    # It was no message of the instance: its sequence is still free.
    assert code(bench.server.decide(bench.device.say(message))) is None


# ---- enforcement modes ------------------------------------------------------------------------------------
def mode(decision: devices.Decision) -> dict[str, str]:
    assert isinstance(decision.result, AuthorizationResult)
    return {enforced.tag: enforced.enforcement_mode for enforced in decision.result.entitlements}


def test_modes_follow_the_pool() -> None:
    """Up to the quantity in compliance, one more is out; what nobody bought is an invalid tag."""
    bench = Bench()
    server, device = bench.server, bench.device
    assert mode(server.decide(device.say(device.authorization({ONE: 1})))) == {ONE: "invalid-tag"}
    server.purchase(ONE, 3)
    for count, expected in ((3, "in-compliance"), (4, "out-of-compliance"), (0, "in-compliance")):
        assert mode(server.decide(device.say(device.authorization({ONE: count})))) == {ONE: expected}


def test_modes_count_what_others_use() -> None:
    """Two devices share a pool; who asks for more than is left is out of compliance, and back when it is."""
    bench = Bench()
    server, device, other = bench.server, bench.device, Speaker(sn="OTHER")
    other.piid = server.decide(other.say(other.registration(bench.token.reveal()))).piid
    server.purchase(ONE, 5)
    assert mode(server.decide(device.say(device.authorization({ONE: 3})))) == {ONE: "in-compliance"}
    assert mode(server.decide(other.say(other.authorization({ONE: 3})))) == {ONE: "out-of-compliance"}
    server.decide(device.say(device.deregistration()))
    assert mode(server.decide(other.say(other.authorization({ONE: 3})))) == {ONE: "in-compliance"}
    (pool,) = server.state.pools.values()
    assert pool.in_use == 3


def test_a_purchase_after_use_knows_what_is_used() -> None:
    """Licenses bought after devices began to use them: the pool starts with the real use."""
    bench = Bench()
    bench.server.decide(bench.device.say(bench.device.authorization({ONE: 4, TWO: 1})))
    bench.server.purchase(ONE, 4)
    (pool,) = bench.server.state.pools.values()
    assert (pool.in_use, licenses.standing(pool, NOW).purchased) == (4, 4)
    assert mode(bench.server.decide(bench.device.say(bench.device.authorization({ONE: 4})))) == {
        ONE: "in-compliance"
    }
    bench.server.purchase(ONE, 2)
    (pool,) = bench.server.state.pools.values()
    assert (pool.in_use, licenses.standing(pool, NOW).purchased) == (4, 2)


# ---- tokens -----------------------------------------------------------------------------------------------
def test_a_token_that_may_not_be_used_is_refused_and_spends_nothing() -> None:
    """Malformed, unknown, used-up, revoked, expired, of an inactive account: each has its code."""
    bench = Bench(registered=False)
    server = bench.server
    unknown = IdToken.make("727af1d9-6c39-4444-b301-863f81445b72", 1_800_000_000_000, bytes(32))
    used_up, revoked, expiring = server.token(uses=1), server.token(), server.token(days=1)
    first = Speaker(sn="FIRST")
    server.decide(first.say(first.registration(used_up.reveal())))
    server.commit(tokens.revoke_token(server.state, revoked.token_id))
    bench.time += DAY
    before = rows(server.machine)
    cases = {"no token": "token-invalid", "%zz": "token-invalid", unknown.reveal(): "token-unknown"}
    cases |= {used_up.reveal(): "token-used-up", revoked.reveal(): "token-revoked"}
    cases |= {expiring.reveal(): "token-expired"}
    for number, (text, expected) in enumerate(cases.items()):
        device = Speaker(sn=f"SN{number}")
        for _ in range(2):
            assert code(server.decide(device.say(device.registration(text)))) == expected
    server.state.accounts["Lab"].status = AccountStatus.INACTIVE
    assert code(server.decide(bench.device.say(bench.first))) == "account-inactive"
    server.state.accounts["Lab"].status = AccountStatus.ACTIVE
    assert rows(server.machine) == before
    assert server.decide(bench.device.say(bench.first)).problem is None


def test_a_token_ends_at_its_second() -> None:
    """A moment before its end a token registers, at its end it does not."""
    bench = Bench(registered=False)
    token = bench.server.token(days=1)
    bench.time += DAY - 0.5
    early, late = Speaker(sn="EARLY"), Speaker(sn="LATE")
    assert code(bench.server.decide(early.say(early.registration(token.reveal())))) is None
    bench.time += 0.5
    assert code(bench.server.decide(late.say(late.registration(token.reveal())))) == "token-expired"


def test_a_token_registers_as_often_as_it_has_uses() -> None:
    """Three uses are three instances, and the fourth device is refused."""
    bench = Bench(registered=False, uses=3)
    codes = []
    for number in range(5):
        device = Speaker(sn=f"SN{number}")
        codes.append(code(bench.server.decide(device.say(device.registration(bench.token.reveal())))))
    assert codes == [None] * 3 + ["token-used-up"] * 2
    assert bench.used() == len(bench.server.state.instances) == 3


def test_a_percent_encoded_token_is_the_same_token() -> None:
    """A token sent as plain base64 is found as well."""
    bench = Bench(registered=False)
    plain = bench.token.reveal().replace("%3D", "=").replace("%2B", "+").replace("%2F", "/")
    assert code(bench.server.decide(bench.device.say(bench.device.registration(plain)))) is None
    assert bench.used() == 1


# ---- registration -----------------------------------------------------------------------------------------
def test_an_identity_registers_once_unless_forced() -> None:
    """UDI and software id make a device: the same with a new key needs force, and then replaces."""
    bench = Bench()
    twin = Speaker()
    assert (
        code(bench.server.decide(twin.say(twin.registration(bench.token.reveal())))) == "already-registered"
    )
    assert bench.used() == 1
    other = twin.registration(bench.token.reveal())
    other = again(other, software_tag_identifier=SOFTWARE.replace("C9300", "C9400"))
    assert code(bench.server.decide(twin.say(other))) is None
    third = Speaker()
    bench.server.decide(bench.device.say(bench.device.authorization({ONE: 2})))
    decision = bench.server.decide(third.say(third.registration(bench.token.reveal(), force=True)))
    assert [type(event) for event in decision.events] == [events.InstanceGone, events.InstanceRegistered]
    assert bench.device.piid not in bench.server.state.instances
    assert bench.server.state.instances[decision.piid].usage == {}
    assert bench.used() == 3


def test_a_forced_registration_with_a_bad_token_replaces_nothing() -> None:
    """The token is looked at before the former instance is."""
    bench = Bench()
    twin = Speaker()
    assert code(bench.server.decide(twin.say(twin.registration("x", force=True)))) == "token-invalid"
    assert list(bench.server.state.instances) == [bench.device.piid]


def test_a_request_that_is_none_or_weak_is_refused() -> None:
    """A broken certificate request, or one for a short key, gives csr-not-valid and spends nothing."""
    bench = Bench(registered=False)
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
    csrs = ["", "AAAA", "é", signing.make_csr(weak, "x")]
    for csr in csrs:
        message = again(bench.first, csr=csr)
        assert code(bench.server.decide(bench.device.say(message))) == "csr-not-valid"
    assert bench.used() == 0


@pytest.mark.parametrize(
    "udi", [Udi(), Udi(pid="A,B"), Udi(pid="A", sn=""), Udi(mac_address="x"), Udi(uuid="x")]
)
def test_a_bad_udi_is_malformed(udi: Udi) -> None:
    """A device without, or with an impossible, UDI is refused before its token is looked at."""
    bench = Bench(registered=False)
    assert code(bench.server.decide(bench.device.say(bench.first, udi=udi))) == "message-malformed"
    assert bench.used() == 0


def test_the_instance_is_what_the_device_said() -> None:
    """Name, UDI, software, account, key and certificate of the new instance are those of the message."""
    bench = Bench(registered=False)
    message = again(bench.first, hostname="edge-1")
    decision = bench.server.decide(bench.device.say(message))
    instance = bench.server.state.instances[decision.piid]
    assert (instance.name, decision.by) == ("edge-1", "edge-1")
    assert instance.udi == Udi(pid="C9300-24T", sn=bench.device.sn)
    assert (instance.account, instance.virtual_account) == ("Lab", "Default")
    assert instance.public_key == signing.public_key_bytes(bench.device.key.public_key())
    assert isinstance(decision.result, RegistrationResult)
    certificate, key = signing.read_certificate(decision.result.id_certificate)
    assert key == bench.device.key.public_key()
    assert f"{certificate.serial_number:x}" == instance.certificate_serial
    assert bench.server.decide(bench.device.say(bench.first)).problem is not None
    assert Speaker().say(bench.first).data == bench.first


def test_a_hello_touches_nothing() -> None:
    """A HELLO is acknowledged for known and unknown instances, and leaves no event."""
    bench = Bench()
    before = rows(bench.server.machine)
    hello = HelloRequest(message_id="h", sequence=1, software_tag_identifier=SOFTWARE)
    for piid in (bench.device.piid, "nobody", ""):
        decision = bench.server.decide(bench.device.say(hello, piid=piid))
        assert (decision.result, decision.events) == (Acknowledged(), [])
    assert rows(bench.server.machine) == before


def test_deciding_changes_nothing() -> None:
    """`decide` only reads: without committing its events, rows and indexes are as before."""
    bench = Bench()
    bench.server.purchase(ONE, 3)
    before, indexes = rows(bench.server.machine), derived(bench.server.state)
    environment = bench.server.desk.environment(bench.time)
    twin = Speaker()
    for signed in (
        twin.say(twin.registration(bench.token.reveal(), force=True)),
        bench.device.say(bench.device.authorization({ONE: 2})),
        bench.device.say(bench.device.deregistration()),
    ):
        decision = devices.decide(bench.server.state, signed, environment)
        assert decision.events
        assert rows(bench.server.machine) == before
        assert derived(bench.server.state) == indexes


# ---- what leaves the server -------------------------------------------------------------------------------
def test_an_answer_is_wrapped_and_signed_anew_for_each_repeat() -> None:
    """The same result, with the nonce of the repeat, under a signature that leads to the anchor."""
    bench = Bench()
    message = bench.device.authorization({ONE: 1})
    seen = []
    for nonce in ("11", "22"):
        status, body = bench.server.post(bench.device.bytes_of(again(message, nonce=nonce)))
        assert status == 200
        answer = smart.decode_answer(body)
        key = signing.verify_answer_chain(answer.certificates, bench.server.anchors, NOW)
        assert signing.verify(key, answer.signed, answer.signature)
        assert answer.answer.header.nonce == answer.answer.data.nonce == nonce
        assert answer.answer.header.request_type == "AUTHORIZATION"
        assert answer.answer.header.product_instance_identifier == bench.device.piid
        assert answer.answer.data.message_id == message.message_id
        assert answer.answer.data.status == "COMPLETE"
        seen.append(answer.answer.data.data)
    assert seen[0] == seen[1]
    assert len(bench.server.registrations()) == 1


def test_a_registrations_answer_brings_the_whole_chain() -> None:
    """First answer and repeat carry the ID certificate with a chain that leads a client to the anchor."""
    bench = Bench(registered=False)
    store = Store([authorities().root.certificate])
    when = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    policy = ExtensionPolicy.permit_all().require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
    for _ in range(2):
        _, body = bench.server.post(bench.device.bytes_of(bench.first))
        result = smart.decode_answer(body).answer.data.data
        assert isinstance(result, RegistrationResult)
        leaf, _ = signing.read_certificate(result.id_certificate)
        chain = [signing.read_certificate(text)[0] for text in result.id_certificate_chain]
        verifier = (
            PolicyBuilder()
            .store(store)
            .time(when)
            .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=policy)
            .build_client_verifier()
        )
        assert verifier.verify(leaf, chain).chain[-1] == authorities().root.certificate
    assert bench.used() == 1


def test_a_refusal_carries_its_public_number_and_our_code() -> None:
    """FAILED, with the number of the public agent error list beside our code and sentence."""
    bench = Bench()
    old = bench.device.authorization({ONE: 9})
    bench.server.decide(bench.device.say(bench.device.authorization({})))
    _, body = bench.server.post(bench.device.bytes_of(old))
    data = smart.decode_answer(body).answer.data
    assert (data.status, data.code, data.status_code) == ("FAILED", "superseded", 28)
    assert data.status_message == errors.SUPERSEDED.sentence
    assert data.data is None


def test_the_environment_is_only_used_for_new_instances() -> None:
    """Nothing is drawn or signed for a repeat, a report, a de-registration or a refusal."""
    bench = Bench()

    def never(*_args: object) -> devices.IssuedCertificate:
        raise AssertionError("a certificate is issued")

    environment = replace(bench.server.desk.environment(NOW), issue=never)
    twin = Speaker()
    for signed in (
        bench.device.say(bench.first),
        bench.device.say(bench.device.authorization({ONE: 1})),
        bench.device.say(bench.device.deregistration()),
        twin.say(twin.registration(bench.token.reveal())),
    ):
        devices.decide(bench.server.state, signed, environment)
