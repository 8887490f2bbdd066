"""Exactly once for renewals, trust codes, usage reports and polls, with real keys and real bytes."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from mock_server.domain import accounts, devices, instances, licenses, tokens
from mock_server.domain.alerts import Kind, alerts
from mock_server.domain.state import Instance, Mode, Pool
from mock_server.domain.words import describe
from smartlic_client.protocol import errors, signing
from smartlic_client.protocol.identity import MAX_COUNT
from smartlic_client.protocol.messages import (
    Acknowledged,
    AuthorizationResult,
    IdCertRenewalResult,
    LicenseUsageResult,
    Request,
    TrustResult,
)
from smartlic_client.protocol.rum import CISCO_DEFAULT, Policy, RumReport
from tests.unit.domain.world import (
    NOW,
    Server,
    Speaker,
    again,
    derived,
    environment,
    loaded,
    polling,
    rows,
    tag,
    usage_report,
)

DAY = 86400
ONE, TWO = tag(1), tag(2)


class Bench:
    """A server whose clock the test moves, and a device that has registered, or has a trust code."""

    def __init__(self, mode: Mode = Mode.REGISTERED, uses: int | None = None) -> None:
        self.time = NOW
        self.server = Server(lambda: self.time, random.Random(5))
        self.token = self.server.token(uses=uses)
        self.device = Speaker()
        begin = self.device.registration if mode is Mode.REGISTERED else self.device.trust
        self.first: Any = begin(self.token.reveal())
        self.begun = self.said(self.first)
        self.device.piid = self.begun.piid

    def said(self, request: Request, **fields: Any) -> devices.Decision:
        return self.server.decide(self.device.say(request), **fields)

    @property
    def instance(self) -> Instance:
        return self.server.state.instances[self.device.piid]

    def used(self) -> int:
        return self.server.state.tokens[tokens.token_digest(self.token)].used

    def pool(self, what: str = ONE) -> Pool:
        (found,) = (pool for pool in self.server.state.pools.values() if pool.tag == what)
        return found

    def reported(self, *reports: RumReport) -> list[str]:
        """The report ids that are acknowledged."""
        result = self.said(self.device.usage(*reports)).result
        assert isinstance(result, LicenseUsageResult)
        return result.report_ids


def code(decision: devices.Decision) -> str | None:
    """The code of a refusal; None for an acceptance. A refusal has neither events nor a result."""
    if decision.problem is None:
        return None
    assert (decision.events, decision.result) == ([], None)
    return decision.problem.code


@pytest.fixture
def trusted() -> Bench:
    bench = Bench(Mode.POLICY)
    bench.server.purchase(ONE, 5)
    return bench


# ---- the rules, for each new kind of message --------------------------------------------------------------
def messages(bench: Bench) -> list[Request]:
    """One new message of each kind that the bench's device may say."""
    if bench.instance.mode is Mode.REGISTERED:
        return [bench.device.renewal()]
    return [bench.device.renewal(), bench.device.usage(usage_report("1", ONE, (1, 90, 3)))]


@pytest.mark.parametrize("mode", list(Mode))
def test_rule_1_a_repeat_gets_the_same_result_and_has_no_effect(mode: Mode) -> None:
    """TRUST, ID_CERT_RENEWAL and LICENSE_USAGE, sent again: the same certificate, code and ids; no row."""
    bench = Bench(mode)
    for message in [bench.first, *messages(bench)]:
        first = bench.begun if message is bench.first else bench.said(message)
        assert code(first) is None
        before = rows(bench.server.machine)
        bench.time += 3 * DAY
        second = bench.said(again(message, nonce="77", timestamp=9))
        assert (second.result, second.problem, second.events) == (first.result, None, [])
        assert second.piid == bench.device.piid
        assert rows(bench.server.machine) == before


@pytest.mark.parametrize("mode", list(Mode))
def test_rule_1_a_lower_sequence_is_superseded(mode: Mode) -> None:
    """A delayed renewal or report with a sequence that is not higher than the last one has no effect."""
    bench = Bench(mode)
    late = messages(bench)
    bench.said(bench.device.renewal())
    before = rows(bench.server.machine)
    for message in [*late, bench.first]:
        assert code(bench.said(message)) == "superseded"
    assert rows(bench.server.machine) == before


@pytest.mark.parametrize("mode", list(Mode))
def test_rule_2_a_message_id_means_one_thing(mode: Mode) -> None:
    """Another body, another sequence or another key under the id of the last message is refused."""
    bench = Bench(mode)
    for message in messages(bench):
        bench.said(message)
        before = rows(bench.server.machine)
        for changed in ({"hostname": "x"}, {"sequence": message.sequence + 1}):
            assert code(bench.said(again(message, **changed))) == "message-id-reused"
        other = again(bench.device.deregistration(), message_id=message.message_id)
        assert code(bench.said(other)) == "message-id-reused"
        stranger = bench.device.say(message, key=signing.new_key())
        assert code(bench.server.decide(stranger)) == "signature-not-valid"
        assert rows(bench.server.machine) == before


@pytest.mark.parametrize("mode", list(Mode))
def test_rule_4_who_is_gone_is_unknown(mode: Mode) -> None:
    """After a de-registration neither renewal nor report brings the instance back; its repeat is answered."""
    bench = Bench(mode)
    late = messages(bench)
    gone = bench.device.deregistration()
    assert bench.said(gone).result == Acknowledged()
    for message in late:
        assert bench.said(message).unknown_piid == bench.device.piid
    assert bench.said(gone).result == Acknowledged()
    assert code(bench.said(bench.first)) == "superseded"


@pytest.mark.parametrize("mode", list(Mode))
def test_an_inactive_account_takes_no_message_but_the_last(mode: Mode) -> None:
    """While the account is inactive renewals and reports are refused; repeats and leaving are answered."""
    bench = Bench(mode)
    new = messages(bench)
    bench.server.commit(accounts.deactivate(bench.server.state, "Lab", "moved"))
    assert bench.said(bench.first).result == bench.begun.result
    for message in new:
        assert code(bench.said(message)) == "account-inactive"
    other = Speaker(sn="ANOTHER")
    refused = bench.server.decide(other.say(other.trust(bench.token.reveal())))
    assert code(refused) == "account-inactive"
    assert code(bench.said(bench.device.deregistration())) is None


# ---- ID_CERT_RENEWAL --------------------------------------------------------------------------------------
def test_a_renewal_certifies_the_same_key_anew() -> None:
    """The new certificate is for the key of the old one, and is the instance's from then on."""
    bench = Bench()
    bench.time += 180 * DAY
    before = bench.instance.certificate_serial
    result = bench.said(bench.device.renewal()).result
    assert isinstance(result, IdCertRenewalResult)
    certificate, key = signing.read_certificate(result.id_certificate)
    assert key == bench.device.key.public_key()
    assert f"{certificate.serial_number:x}" == bench.instance.certificate_serial != before
    assert bench.instance.renewed_at == bench.instance.last_contact == bench.time
    assert bench.device.piid in certificate.subject.rfc4514_string()


@pytest.mark.parametrize("csr", ["another key", "junk"])
def test_a_renewal_is_for_the_certified_key_only(csr: str) -> None:
    """A request for another key, and one that is none, is refused: a repeat is signed by a known key."""
    bench = Bench()
    text = signing.make_csr(signing.new_key(), "x") if csr == "another key" else csr
    assert code(bench.said(again(bench.device.renewal(), csr=text))) == "csr-not-valid"
    assert bench.instance.renewed_at is None


# ---- TRUST ------------------------------------------------------------------------------------------------
def test_a_trust_code_makes_one_instance_and_spends_one_use() -> None:
    """Sent again and again, after the token ended and was revoked, too; the code is never another."""
    bench = Bench(Mode.POLICY, uses=1)
    result = bench.begun.result
    assert isinstance(result, TrustResult)
    assert (result.product_instance_identifier, result.policy) == (bench.device.piid, None)
    assert result.export_controlled_allowed is bench.instance.export_controlled is True
    assert bench.instance.mode is Mode.POLICY
    bench.time += 400 * DAY
    bench.server.commit(tokens.revoke_token(bench.server.state, bench.token.token_id))
    for _ in range(3):
        assert bench.said(bench.first).result == result
    assert list(bench.server.state.instances) == [bench.device.piid]
    assert bench.used() == 1


def test_a_trust_is_known_by_its_key(trusted: Bench) -> None:
    """Another request with the same key is refused, whether it asks for a code or registers."""
    text = trusted.server.token().reveal()
    for other in (trusted.device.trust(text, force=True), trusted.device.registration(text, force=True)):
        assert code(trusted.said(other)) == "message-id-reused"
    wrong = Speaker(sn="OTHER")
    signed = wrong.say(wrong.trust(text), key=signing.new_key())
    assert code(trusted.server.decide(signed)) == "signature-not-valid"
    assert code(trusted.server.decide(wrong.say(again(wrong.trust(text), csr="x")))) == "csr-not-valid"
    assert list(trusted.server.state.instances) == [trusted.device.piid]


@pytest.mark.parametrize("mode", list(Mode))
def test_the_same_device_needs_force_for_another_code(mode: Mode) -> None:
    """A device that is there in either mode is replaced only by force; the former key is then used up."""
    bench = Bench(mode)
    twin = Speaker()
    assert code(bench.server.decide(twin.say(twin.trust(bench.token.reveal())))) == "already-registered"
    begun = bench.server.decide(twin.say(twin.trust(bench.token.reveal(), force=True)))
    assert list(bench.server.state.instances) == [begun.piid]
    assert code(bench.said(bench.first)) == "superseded"
    assert bench.used() == 2


def test_a_new_trust_code_goes_on_with_reports_and_counts(trusted: Bench) -> None:
    """What was acknowledged stays, under the new PIID, once; what is in use still counts."""
    report = usage_report("1", ONE, (1, 90, 3))
    assert trusted.reported(report) == ["1"]
    trusted.device.key = signing.new_key()
    former = trusted.device.piid
    trusted.device.piid = trusted.said(trusted.device.trust(trusted.token.reveal(), force=True)).piid
    assert trusted.device.piid != former
    assert [one.piid for one in trusted.server.state.reports.values()] == [trusted.device.piid]
    assert trusted.instance.usage == {ONE: 3}
    assert trusted.pool().in_use == 3
    assert trusted.reported(report) == ["1"]
    (kept,) = trusted.server.state.reports.values()
    assert (kept.piid, kept.report_id) == (trusted.device.piid, "1")
    assert derived(loaded(trusted.server.machine).state) == derived(trusted.server.state)
    trusted.said(trusted.device.deregistration())
    assert trusted.server.state.reports == {}
    assert (trusted.server.state.reports_of, trusted.pool().in_use) == ({}, 0)


# ---- LICENSE_USAGE ----------------------------------------------------------------------------------------
def test_a_report_is_kept_once_and_named_every_time(trusted: Bench) -> None:
    """In several messages, and twice in one: one row, which stays as it was; its id is always named."""
    first, second = usage_report("1", ONE, (1, 90, 3)), usage_report("2", ONE, (90, 180, 2))
    assert trusted.reported(first) == ["1"]
    kept = dict(trusted.server.state.reports)
    trusted.time += DAY
    assert trusted.reported(first, second, second) == ["1", "2"]
    state = trusted.server.state
    assert [one.report_id for one in state.reports.values()] == ["1", "2"]
    assert kept.items() <= state.reports.items()
    assert trusted.instance.last_report == trusted.time
    assert len(trusted.server.ledger.changes[-1].events[0].reports) == 1  # type: ignore[union-attr]


def test_another_report_under_a_known_id_is_not_acknowledged(trusted: Bench) -> None:
    """A report never changes: the first one stays, the rest of the message is taken."""
    trusted.reported(usage_report("1", ONE, (1, 90, 3)))
    changed = usage_report("1", ONE, (1, 90, 4))
    assert trusted.reported(changed, usage_report("2", TWO, (1, 90, 1))) == ["2"]
    assert trusted.instance.usage == {ONE: 3, TWO: 1}


def test_the_same_report_ids_of_two_devices_are_two_reports(trusted: Bench) -> None:
    """An id is unique to its instance only."""
    other = Speaker(sn="OTHER")
    other.piid = trusted.server.decide(other.say(other.trust(trusted.token.reveal()))).piid
    trusted.reported(usage_report("1", ONE, (1, 90, 3)))
    trusted.server.decide(other.say(other.usage(usage_report("1", ONE, (1, 90, 4)))))
    assert sorted(one.highest for one in trusted.server.state.reports.values()) == [3, 4]
    assert trusted.pool().in_use == 7


@pytest.mark.parametrize(
    ("reports", "in_use"),
    [
        ([usage_report("1", ONE, (1, 90, 3))], 3),
        ([usage_report("1", ONE, (1, 50, 3), (50, 90, 2))], 2),
        ([usage_report("1", ONE, (50, 90, 2), (1, 50, 3))], 2),
        ([usage_report("1", ONE, (1, 50, 3), closed=90)], 0),
        ([usage_report("1", ONE, (1, 90, 3)), usage_report("2", ONE, (90, 180, 1))], 1),
        ([usage_report("2", ONE, (90, 180, 1)), usage_report("1", ONE, (1, 90, 3))], 1),
        ([usage_report("1", ONE)], 0),
        ([usage_report("1", ONE, (1, 90, 3)), usage_report("2", ONE)], 3),
        ([usage_report("1", ONE, (1, 90, 10**19 - 1))], MAX_COUNT),
        ([], 0),
    ],
)
def test_the_measurement_that_ended_last_is_what_is_in_use(
    trusted: Bench, reports: list[RumReport], in_use: int
) -> None:
    """Whatever order they come in, in one message or in several; a released license is no longer in use."""
    one_by_one = Bench(Mode.POLICY)
    one_by_one.server.purchase(ONE, 5)
    for report in reports:
        one_by_one.reported(report)
    trusted.reported(*reports)
    for bench in (trusted, one_by_one):
        assert bench.pool().in_use == bench.instance.usage.get(ONE, 0) == in_use
        assert rows(loaded(bench.server.machine)) == rows(bench.server.machine)


def test_usage_is_counted_and_never_refused(trusted: Bench) -> None:
    """More than was bought, and of what was never bought: acknowledged; the shortage shows in the pool."""
    assert trusted.reported(usage_report("1", ONE, (1, 90, 9)), usage_report("2", "?", (1, 90, 1))) == [
        "1",
        "2",
    ]
    assert licenses.standing(trusted.pool(), NOW).overage == 4
    assert Kind.INSUFFICIENT in {alert.message_type for alert in alerts(trusted.server.state, NOW)}


def test_an_instance_moves_with_what_it_reported(trusted: Bench) -> None:
    """Transferred to another virtual account, its usage counts there."""
    state = trusted.server.state
    state.accounts["Lab"].virtual_accounts.append("Branch")
    trusted.reported(usage_report("1", ONE, (1, 90, 3)))
    trusted.server.commit(instances.transfer(state, trusted.device.piid, "Branch"))
    in_use = {pool.virtual_account: pool.in_use for pool in state.pools.values()}
    assert in_use == {"Default": 0, "Branch": 3}


def test_the_accounts_policy_is_told_once(trusted: Bench) -> None:
    """With the trust code, or the first acknowledgement after it was set; then only when it is new."""
    state = trusted.server.state

    def new_policy(policy: Policy | None) -> None:
        trusted.server.commit(accounts.set_policy(state, "Lab", policy))
        assert accounts.set_policy(state, "Lab", policy) == []

    new_policy(CISCO_DEFAULT)

    def told(number: int) -> Any:
        result = trusted.said(trusted.device.usage(usage_report(str(number), ONE, (1, 90, 3)))).result
        assert isinstance(result, LicenseUsageResult)
        return result.policy

    assert [told(1), told(2)] == [CISCO_DEFAULT, None]
    second = msgspec.structs.replace(CISCO_DEFAULT, name="Lab policy")
    new_policy(second)
    assert [told(3), told(4)] == [second, None]
    other = Speaker(sn="OTHER")
    result = trusted.server.decide(other.say(other.trust(trusted.token.reveal()))).result
    assert isinstance(result, TrustResult)
    assert result.policy == second
    new_policy(None)
    assert told(5) is None


def test_each_mode_has_its_own_reports() -> None:
    """Counts of a device with a trust code, and usage reports of a registered one, are refused."""
    trusted, registered = Bench(Mode.POLICY), Bench()
    assert code(trusted.said(trusted.device.authorization({ONE: 1}))) == "other-mode"
    report = usage_report("1", ONE, (1, 90, 3))
    assert code(registered.said(registered.device.usage(report))) == "other-mode"
    assert trusted.instance.usage == registered.instance.usage == {}


def test_a_silent_device_of_a_policy_has_an_alert_of_its_own(trusted: Bench) -> None:
    """No usage report for 90 days, since the code or the last one; authorizations are not missed."""

    def kinds() -> set[str]:
        source = str(trusted.instance.name)
        return {a.message_type for a in alerts(trusted.server.state, trusted.time) if a.source == source}

    trusted.time += 89 * DAY
    assert kinds() == set()
    trusted.time += 2 * DAY
    assert kinds() == {Kind.REPORT_OVERDUE}
    trusted.reported(usage_report("1", ONE, (1, 90, 3)))
    assert kinds() == set()


# ---- AUTHORIZATION ----------------------------------------------------------------------------------------
def test_overage_is_a_mode_where_the_pool_allows_it() -> None:
    """More in use than there are is overage then, and out of compliance elsewhere."""
    bench = Bench()
    state = bench.server.state
    bench.server.commit(
        licenses.purchase(state, "Lab", "Default", ONE, "DNA", 2, overage_allowed=True),
    )
    bench.server.purchase(TWO, 2)
    for count, modes in [(2, ["in-compliance"] * 2), (3, ["overage", "out-of-compliance"])]:
        result = bench.said(bench.device.authorization({ONE: count, TWO: count})).result
        assert isinstance(result, AuthorizationResult)
        assert [told.enforcement_mode for told in result.entitlements] == modes


def test_every_license_that_was_told_has_a_mode() -> None:
    """A count of 0 and an unknown entitlement, too; renewal comes before the end."""
    bench = Bench()
    bench.server.purchase(ONE, 2)
    result = bench.said(bench.device.authorization({ONE: 0, TWO: 0, tag(3): 1})).result
    assert isinstance(result, AuthorizationResult)
    assert {told.tag for told in result.entitlements} == {ONE, TWO, tag(3)}
    assert 0 < result.renewal_interval_seconds <= result.expiry_interval_seconds


# ---- POLL -------------------------------------------------------------------------------------------------
def test_a_postponed_message_takes_effect_once_and_is_asked_for() -> None:
    """Each kind: the effect is there before the POLL, the POLL brings the result, again and again."""
    for mode in Mode:
        bench = Bench(mode)
        speaker = Speaker(sn="LATER")
        begin = speaker.trust if mode is Mode.POLICY else speaker.registration
        said: list[Request] = [begin(bench.token.reveal()), speaker.renewal(), speaker.deregistration()]
        for message in said:
            later = bench.server.decide(speaker.say(message), postpone=True)
            assert later.poll_id is not None
            assert later.result is not None
            before = rows(bench.server.machine)
            poll = polling(message, later.poll_id)
            for _ in range(2):
                answer = bench.server.decide(speaker.say(poll))
                assert (answer.result, answer.piid, answer.poll_id) == (later.result, later.piid, None)
            assert rows(bench.server.machine) == before
            speaker.piid = later.piid
        assert bench.used() == 2


def test_a_poll_of_what_is_not_there_is_refused() -> None:
    """A lost poll id, one of an older message, of another device, or of nobody; without any effect."""
    bench = Bench()
    report = bench.device.authorization({ONE: 1})
    poll_id = str(bench.said(report, postpone=True).poll_id)
    before = rows(bench.server.machine)
    for wrong in ("lost", f"{bench.device.piid}.other", poll_id + "x"):
        assert code(bench.said(polling(report, wrong))) == "poll-unknown"
    assert code(bench.said(again(polling(report, poll_id), sequence=report.sequence + 1))) == "poll-unknown"
    stranger = bench.device.say(polling(report, poll_id), key=signing.new_key())
    assert code(bench.server.decide(stranger)) == "signature-not-valid"
    nobody = bench.device.say(polling(report, "nobody.x"), piid="")
    assert code(bench.server.decide(nobody)) == "poll-unknown"
    gone = bench.device.say(polling(report, poll_id), piid="gone")
    assert bench.server.decide(gone).unknown_piid == "gone"
    assert rows(bench.server.machine) == before
    bench.said(bench.device.renewal())
    assert code(bench.said(polling(report, poll_id))) == "poll-unknown"
    bench.server.commit(instances.remove(bench.server.state, bench.device.piid))
    assert bench.said(polling(report, poll_id)).unknown_piid == bench.device.piid


# ---- the account of a CSLU URL ----------------------------------------------------------------------------
def test_the_url_and_the_instance_name_one_account() -> None:
    """A token or an instance of another account is refused there, without effect, repeats and polls too."""
    bench = Bench()
    bench.server.commit(accounts.create_account(bench.server.state, "My Lab", "S", "V"))
    before = rows(bench.server.machine)
    renewal = bench.device.renewal()
    other = Speaker(sn="OTHER")
    for speaker, message in [
        (bench.device, bench.first),
        (bench.device, renewal),
        (bench.device, bench.device.deregistration()),
        (bench.device, polling(bench.first, f"{bench.device.piid}.{bench.first.message_id}")),
        (other, other.registration(bench.token.reveal())),
        (other, other.trust(bench.token.reveal())),
    ]:
        assert code(bench.server.decide(speaker.say(message), account="My Lab")) == "other-account"
    assert rows(bench.server.machine) == before
    assert code(bench.server.decide(bench.device.say(renewal), account="Lab")) is None


# ---- the version ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.3", None),
        ("1.1", None),
        ("1.0", None),
        ("1.4", "version-too-high"),
        ("1.10", "version-too-high"),
        ("1.3.1", "version-too-high"),
        ("2", "version-too-high"),
        ("", "message-malformed"),
        ("1.x", "message-malformed"),
        ("-1", "message-malformed"),
        ("²", "message-malformed"),
    ],
)
def test_a_newer_version_is_not_guessed_at(version: str, expected: str | None) -> None:
    """Every message of a version above ours is told so, and has no effect."""
    bench = Bench()
    signed = bench.device.say(bench.device.authorization({ONE: 1}))
    signed = msgspec.structs.replace(signed, header=msgspec.structs.replace(signed.header, version=version))
    decision = devices.decide(bench.server.state, signed, environment(NOW, random.Random(1)))
    assert code(decision) == expected
    assert bool(decision.events) == (expected is None)


def test_every_refusal_is_one_that_a_device_knows() -> None:
    """What is decided here travels as a code that the client turns into the same problem."""
    for refused in (errors.OTHER_ACCOUNT, errors.OTHER_MODE, errors.POLL_UNKNOWN, errors.VERSION_TOO_HIGH):
        assert errors.refusal(refused.code, "").code == refused.code


def test_the_event_log_has_words_for_all_of_it(trusted: Bench) -> None:
    """They name the device and what it did, and hold neither token nor trust code."""
    trusted.reported(usage_report("1", ONE, (1, 90, 3)))
    trusted.said(trusted.device.renewal())
    lines = [describe(event) for change in trusted.server.ledger.changes for event in change.events]
    name, piid = trusted.instance.name, trusted.device.piid
    assert [line for line in lines if name in line or "Usage" in line] == [
        f"Product instance {name} trusted as {piid}",
        "Usage reports taken: 1; licenses in use: DNA_1 3",
        f"ID certificate of {name} renewed",
    ]
    assert isinstance(trusted.begun.result, TrustResult)
    assert not any(
        trusted.begun.result.trust_code in line or trusted.token.reveal() in line for line in lines
    )
