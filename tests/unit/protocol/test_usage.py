"""Smart Licensing Using Policy: what is measured, closed, sent, saved and acknowledged."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import signing, smart, usage, usage_file
from smartlic_client.protocol.identity import Udi, device_digest
from smartlic_client.protocol.messages import AnswerData, AnswerHeader, LicenseUsageResult
from smartlic_client.protocol.record import KeptReport, Usage
from smartlic_client.protocol.rum import CISCO_DEFAULT, Policy, Reporting, RumReport, RumState
from smartlic_client.protocol.states import Authorization, Registration
from smartlic_client.protocol.usage import REPORT, ReportEvent
from tests.unit.domain.world import NOW, SOFTWARE, authorities, new_authorities, tag
from tests.unit.protocol.bench import DAY, ONE, TWO
from tests.unit.protocol.life import LOST, Life


def life_with_policy(interval: int = 30) -> Life:
    life = Life()
    life.agent.use_policy(NOW, interval)
    return life


def kept(life: Life) -> Usage:
    found = life.record.usage
    assert found is not None
    return found


def trusted(interval: int = 30) -> Life:
    life = life_with_policy(interval)
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=life.time)
    life.speak()
    return life


def counts(report: RumReport) -> list[tuple[int, int, str]]:
    """(start, end, count) of each measurement, in days since NOW."""
    return [
        (round((m.start_time - NOW) / DAY), round((m.end_time - NOW) / DAY), m.value.value)
        for m in report.measurements
    ]


# ---- the form ---------------------------------------------------------------------------------------------
def test_a_report_has_the_public_form() -> None:
    """Fields, their order and their types are those of the public sample: times numbers, counts strings."""
    life = trusted()
    life.record.software_version = "17.3.2"
    life.use(ONE, 3)
    life.alone(NOW + 30 * DAY)
    (report,) = kept(life).reports
    data = json.loads(report.text)
    assert list(data) == ["version", "asset_identification", "meta", "measurements", "signature"]
    assert data["version"] == "2.0"
    assert data["asset_identification"] == {
        "report_id": report.report_id,
        "asset": {"name": SOFTWARE},
        "instance": {"sudi": {"udi_pid": "C9300-24T", "udi_serial_number": "FOC1"}},
    }
    assert report.report_id.isdigit()
    assert data["meta"] == {
        "entitlement_tag": ONE,
        "software_version": "17.3.2",
        "ha_udi": [{"udi_pid": "C9300-24T", "udi_serial_number": "FOC1"}],
        "report_type": "ENTITLEMENT",
    }
    assert data["measurements"] == [
        {
            "log_time": int(NOW + 30 * DAY),
            "metric_name": "ENTITLEMENT",
            "start_time": int(NOW),
            "end_time": int(NOW + 30 * DAY),
            "sample_interval": 900,
            "num_samples": 2880,
            "meta": {},
            "value": {"type": "COUNT", "value": "3"},
        }
    ]


def test_a_report_is_signed_with_the_key_of_the_trust_code() -> None:
    """The signature covers the report without it; without a trust code there is none."""
    life = trusted()
    life.use(ONE, 1)
    life.alone(NOW + 30 * DAY)
    report = msgspec.json.decode(kept(life).reports[0].text, type=RumReport)
    assert report.signature is not None
    plain = msgspec.json.encode(msgspec.structs.replace(report, signature=None))
    (key,) = life.server.trusted_keys.values()
    assert signing.verify(key, plain, report.signature.value)
    without = life_with_policy()
    without.use(ONE, 1)
    without.alone(NOW + 30 * DAY)
    assert json.loads(kept(without).reports[0].text)["signature"] is None


# ---- measuring --------------------------------------------------------------------------------------------
def test_each_count_is_a_span_of_time() -> None:
    """Three, then five, then none, then one: the spans in which it was so, in one report a license."""
    life = trusted()
    for day, count in ((0, 3), (5, 5), (10, 0), (20, 1)):
        life.time = NOW + day * DAY
        life.use(ONE, count)
    life.use(TWO, 7)
    life.alone(NOW + 30 * DAY)
    reports = {r.meta.entitlement_tag: counts(r) for r in life.server.reports.values()}
    assert reports == {ONE: [(0, 5, "3"), (5, 10, "5"), (20, 30, "1")], TWO: [(20, 30, "7")]}
    assert life.record.authorization is Authorization.NONE
    assert life.record.registration is Registration.NOT_REGISTERED
    assert life.record.entitlements[ONE].enforcement_mode == "disabled"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9)), max_size=12))
def test_nothing_that_was_used_is_missing_from_the_reports(steps: list[tuple[int, int]]) -> None:
    """License-days in the reports are those that were used, over any intervals, each once."""
    life = life_with_policy()
    used, count = 0.0, 0
    for hours, then in steps:
        life.alone(life.time + hours * 3600)
        used += count * hours
        if then or count:
            life.use(ONE, then)
            count = then
    life.agent.report_usage(life.time)
    reports = [msgspec.json.decode(r.text, type=RumReport) for r in kept(life).reports]
    told = sum(
        (m.end_time - m.start_time) * int(m.value.value) for report in reports for m in report.measurements
    )
    assert told == used * 3600
    assert len({r.report_id for r in kept(life).reports}) == len(kept(life).reports)


def test_a_closed_report_never_changes() -> None:
    """Whatever happens later, over restarts, lost answers and files: text and message are the same."""
    life = trusted()
    life.use(ONE, 2)
    life.alone(NOW + 30 * DAY, lambda _raw: LOST())
    text = kept(life).reports[0].text
    life.use(ONE, 9)
    life.restart()
    life.agent.save_usage(life.time)
    life.alone(NOW + 40 * DAY)
    (report,) = [r for r in kept(life).reports if r.text == text]
    assert report.state is RumState.ACKNOWLEDGED
    assert len(life.server.reports) == 1


# ---- states -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("state", "event"), REPORT, ids=lambda part: part.name)
def test_every_cell_of_the_reports_table(state: RumState, event: ReportEvent) -> None:
    """A report in the row's state goes where the row says; no row leads back to an open one."""
    report = KeptReport(report_id="1", tag=ONE, state=state, closed_at=NOW)
    usage.step(report, event)
    assert report.state is REPORT[state, event].state
    assert report.state is not RumState.OPEN


def test_open_closed_pending_acknowledged() -> None:
    """The life of a report in the order of its public states."""
    life = life_with_policy()
    life.use(ONE, 1)
    assert (list(kept(life).open), kept(life).reports) == ([ONE], [])
    life.alone(NOW + 30 * DAY)
    assert [r.state for r in kept(life).reports] == [RumState.CLOSED]
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=life.time)
    life.speak(lambda raw: life.well(raw) if b"TRUST" in raw else LOST())
    assert [r.state for r in kept(life).reports] == [RumState.PENDING]
    life.alone(NOW + 31 * DAY)
    assert [r.state for r in kept(life).reports] == [RumState.ACKNOWLEDGED]


def test_a_year_of_reports() -> None:
    """Every 30 days one report, each acknowledged; only the last eight are kept."""
    life = trusted()
    life.use(ONE, 1)
    life.alone(NOW + 365 * DAY)
    assert life.count("LICENSE_USAGE") == 12
    assert len(life.server.reports) == 12
    assert [r.state for r in kept(life).reports] == [RumState.ACKNOWLEDGED] * 8
    assert life.codes == []


@pytest.mark.parametrize("days", [1, 7, 365])
def test_the_interval_can_be_set(days: int) -> None:
    """From 1 to 365 days; others are refused."""
    life = trusted(days)
    life.use(ONE, 1)
    life.alone(NOW + days * DAY)
    assert life.count("LICENSE_USAGE") >= 1
    for wrong in (0, 366, -1):
        with pytest.raises(SmartlicError) as caught:
            Life().agent.use_policy(NOW, wrong)
        assert caught.value.code == "bad-interval"


def test_what_is_not_acknowledged_is_sent_again_with_the_next_reports() -> None:
    """An acknowledgement that leaves a report out is no failure: it goes out again after the interval."""
    life = trusted()
    life.server.deaf_to = {TWO}
    life.use(ONE, 1)
    life.use(TWO, 1)
    life.alone(NOW + 30 * DAY)
    assert [r.state for r in kept(life).reports] == [RumState.ACKNOWLEDGED, RumState.PENDING]
    assert life.count("LICENSE_USAGE") == 1
    life.server.deaf_to = set()
    life.alone(NOW + 60 * DAY)
    assert {r.state for r in kept(life).reports} == {RumState.ACKNOWLEDGED}


def test_more_reports_than_a_message_holds() -> None:
    """A hundred a message, one message after the other, each report once."""
    life = trusted()
    for number in range(120):
        life.agent.request(f"regid.2018-12.com.cisco.T_{number},1.0_{ONE[-36:]}", 1, NOW)
    life.alone(NOW + 30 * DAY)
    assert life.count("LICENSE_USAGE") == 2
    assert len(life.server.reports) == 120


# ---- trust ------------------------------------------------------------------------------------------------
def test_a_trust_request_spends_one_token_over_lost_answers() -> None:
    """Sent again with the same id until it is answered; the token is then forgotten."""
    life = life_with_policy()
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=NOW)
    fates = iter([True, True, True, False])

    def network(raw: bytes) -> bytes | SmartlicError:
        answer = life.well(raw)
        return LOST() if next(fates, False) else answer

    life.alone(NOW + DAY, network)
    assert life.count("TRUST") == 4
    assert life.server.tokens_spent == [life.token.reveal()]
    assert kept(life).trust_code == "code-trust-0"
    assert life.token.reveal() not in json.dumps(life.record.to_data())
    assert life.record.new_key is None
    assert len(life.logged("TRUST_CODE_INSTALL_SUCCESS")) == 1
    assert len(life.logged("TRUST_CODE_INSTALL_FAILED")) == 3
    with pytest.raises(SmartlicError) as caught:
        life.agent.trust(life.token, signing.new_key(), life.chance.randbytes)
    assert caught.value.code == "trusted-already"


def test_a_server_that_does_not_know_policies_is_named() -> None:
    """REPORTING_NOT_SUPPORTED, and no retry by itself."""
    life = life_with_policy()
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=NOW)
    life.alone(NOW + 365 * DAY, lambda _raw: smart.encode_error_map({"request": ["cannot be read"]}))
    assert life.count("TRUST") == 1
    assert len(life.logged("REPORTING_NOT_SUPPORTED")) == 1


def test_a_server_that_forgot_the_device_does_not_get_its_reports_lost() -> None:
    """The trust code is gone, the reports stay; with a new trust code they are told."""
    life = trusted()
    life.use(ONE, 1)
    gone = smart.encode_error_map({"product_instance_identifier": ["The identity is not valid."]})
    life.alone(NOW + 30 * DAY, lambda _raw: gone)
    assert kept(life).identity is None
    assert [r.state for r in kept(life).reports] == [RumState.PENDING]
    life.agent.trust(life.server.token(), signing.new_key(), life.chance.randbytes, now=life.time)
    life.speak()
    assert [r.state for r in kept(life).reports] == [RumState.ACKNOWLEDGED]


def test_policies_and_registration_exclude_each_other() -> None:
    """A registered device uses no policy, and one with a policy does not register."""
    life = Life().registered()
    with pytest.raises(SmartlicError) as caught:
        life.agent.use_policy(NOW)
    assert caught.value.code == "registered-already"
    for call in (
        lambda: life.agent.report_usage(NOW),
        lambda: life.agent.save_usage(NOW),
        lambda: life.agent.import_acknowledgement(b"", b"", NOW),
    ):
        with pytest.raises(SmartlicError) as caught:
            call()
        assert caught.value.code == "uses-no-policy"
    other = life_with_policy()
    with pytest.raises(SmartlicError) as caught:
        other.ask()
    assert caught.value.code == "uses-policy"


# ---- policy -----------------------------------------------------------------------------------------------
def test_the_default_policy_is_as_devices_print_it() -> None:
    """First report, frequency and on change of the four kinds; an acknowledgement is needed."""
    assert CISCO_DEFAULT.acknowledgement_required is True
    rows = [
        CISCO_DEFAULT.unenforced_perpetual,
        CISCO_DEFAULT.unenforced_subscription,
        CISCO_DEFAULT.enforced,
        CISCO_DEFAULT.export,
    ]
    assert [(row.first, row.frequency, row.on_change) for row in rows] == [
        (365, 0, 90),
        (90, 90, 90),
        (0, 0, 0),
        (0, 0, 0),
    ]


def test_what_the_policy_requires_is_logged() -> None:
    """First use: 365 days; a change after an acknowledgement: 90; and warnings before that time."""
    life = life_with_policy(365)
    life.use(ONE, 1)
    life.heard()
    assert [log.text() for log in life.record.history if log.name == "REPORTING_REQUIRED"] == [
        "%SMART_LIC-6-REPORTING_REQUIRED: A Usage report acknowledgement will be required in 365 days."
    ]
    life.agent.request(TWO, 1, NOW, kind="unenforced-subscription")
    assert kept(life).required_at == NOW + 90 * DAY
    assert kept(life).close_at == NOW + 90 * DAY
    life.heard()
    life.alone(NOW + 89.5 * DAY)
    at = [round((NOW + 90 * DAY - when) / DAY) for when in life.logged("REPORTING_REQUIRED")]
    assert at == [90, 90, 60, 30, 21, 14, 7, 6, 5, 4, 3, 2, 1]


def test_a_servers_policy_replaces_the_default() -> None:
    """It comes with the trust code or an acknowledgement, and is logged once."""
    life = life_with_policy()
    life.server.policy = Policy(name="Strict", unenforced_perpetual=Reporting(first=7, frequency=7))
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=NOW)
    life.speak()
    assert kept(life).policy.name == "Strict"
    assert len(life.logged("POLICY_INSTALL_SUCCESS")) == 1
    life.use(ONE, 1)
    assert kept(life).required_at == NOW + 7 * DAY
    life.alone(NOW + 8 * DAY)
    assert life.count("LICENSE_USAGE") == 1
    assert kept(life).required_at == NOW + 14 * DAY


# ---- files ------------------------------------------------------------------------------------------------
DEVICE = device_digest(Udi(pid="C9300-24T", sn="FOC1"), SOFTWARE).hex()


def acknowledgement(
    report_ids: list[str],
    world: object = None,
    kind: str = "LICENSE_USAGE",
    device: str | None = DEVICE,
) -> bytes:
    signer = world or authorities()
    key = signing.load_key(signer.answers.key_pem.decode())  # type: ignore[attr-defined]
    return smart.encode_answer(
        AnswerHeader(nonce="0", request_type=kind, product_instance_identifier=""),
        AnswerData(
            timestamp=0,
            nonce="0",
            message_id="file",
            status="OK",
            data=LicenseUsageResult(report_ids=report_ids, device=device),
        ),
        lambda text: signing.sign(key, text),
        signer.answers.der_chain,  # type: ignore[attr-defined]
    )


def test_reports_go_by_file_where_the_transport_is_off() -> None:
    """Nothing is sent; saved reports are unacknowledged until the acknowledgement is imported."""
    life = trusted()
    life.agent.configure(transport_off=True)
    life.use(ONE, 2)
    life.use(TWO, 1)
    said = len(life.said)
    life.alone(NOW + 61 * DAY)
    assert len(life.said) == said
    assert {r.state for r in kept(life).reports} == {RumState.CLOSED}
    saved = json.loads(life.agent.save_usage(life.time))
    assert (saved["format"], saved["version"]) == ("smartlic-usage-reports", 1)
    identity = kept(life).identity
    assert identity is not None
    key = signing.load_key(identity.key).public_key()
    assert signing.verify(key, saved["content"].encode(), saved["signature"]["value"])
    saved = json.loads(saved["content"])
    assert saved["udi"] == {"pid": "C9300-24T", "sn": "FOC1"}
    assert saved["reports"] == [json.loads(r.text) for r in kept(life).reports]
    assert {r.state for r in kept(life).reports} == {RumState.UNACKNOWLEDGED}
    named = [report["asset_identification"]["report_id"] for report in saved["reports"]]
    life.agent.import_acknowledgement(acknowledgement([*named, "999"]), life.server.anchors, life.time)
    assert {r.state for r in kept(life).reports} == {RumState.ACKNOWLEDGED}
    assert kept(life).saved_at == life.time
    assert [(note.request_type, note.outcome) for note in life.record.notes][-1:] == [("RUM ACK", "OK")]
    life.heard()
    assert json.loads(json.loads(life.agent.save_usage(life.time))["content"])["reports"] == []


def test_an_acknowledgement_that_comes_again_has_no_effect() -> None:
    """An old file does not put off what the policy requires, nor acknowledge what is newer."""
    life = life_with_policy()
    life.use(ONE, 1)
    life.alone(NOW + 31 * DAY)
    (first,) = kept(life).reports
    file = acknowledgement([first.report_id])
    life.agent.import_acknowledgement(file, life.server.anchors, life.time)
    acknowledged = kept(life).acknowledged_at
    life.use(ONE, 2)
    life.alone(NOW + 62 * DAY)
    before = life.record.to_data()
    assert before["usage"]["required_at"] is not None
    life.agent.import_acknowledgement(file, life.server.anchors, life.time)
    assert life.record.to_data() | {"notes": []} == before | {"notes": []}
    assert kept(life).acknowledged_at == acknowledged


def test_a_file_holds_what_a_server_takes() -> None:
    """More reports than that go into the next file, once those of the first are acknowledged: each once."""
    life = life_with_policy()
    for number in range(1000):
        life.use(tag(number), 1)
    life.alone(NOW + 61 * DAY)
    life.use(ONE, 2)
    named: list[str] = []
    for _ in range(3):
        data = life.agent.save_usage(life.time)
        assert len(data) <= usage_file.MAX_FILE
        _, content = usage_file.unpack(data)
        ids = [report.asset_identification.report_id for report in content.reports]
        named += ids
        life.agent.import_acknowledgement(acknowledgement(ids), life.server.anchors, life.time)
    assert len(named) == len(set(named)) == 2000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "acknowledgement-unreadable"),
        (acknowledgement(["1"])[:-9], "acknowledgement-unreadable"),
        (acknowledgement(["1"], kind="HELLO"), "acknowledgement-unreadable"),
        (acknowledgement(["1"], new_authorities()), "acknowledgement-signature-not-valid"),
        (acknowledgement(["1"]).replace(b"file", b"fire"), "acknowledgement-signature-not-valid"),
        (acknowledgement(["1"], device=None), "acknowledgement-of-another-device"),
        (acknowledgement(["1"], device="0" * 64), "acknowledgement-of-another-device"),
    ],
)
def test_a_forged_acknowledgement_acknowledges_nothing(data: bytes, code: str) -> None:
    """Unreadable, of another kind, of another server, or changed: refused by its code."""
    life = life_with_policy()
    life.use(ONE, 1)
    life.alone(NOW + 30 * DAY)
    life.agent.save_usage(life.time)
    with pytest.raises(SmartlicError) as caught:
        life.agent.import_acknowledgement(data, life.server.anchors, life.time)
    assert caught.value.code == code
    assert [r.state for r in kept(life).reports] == [RumState.UNACKNOWLEDGED]


# ---- factory reset ----------------------------------------------------------------------------------------
def test_after_a_factory_reset_only_what_was_set_is_left() -> None:
    """Trust code, reports, counts and history go; UDI, settings and the sequence stay; measuring goes on."""
    life = trusted(interval=7)
    life.agent.configure(custom_id="rack 7", hostname_private=True)
    life.use(ONE, 3)
    life.alone(NOW + 40 * DAY)
    before, sequence = life.record.udi, life.record.sequence
    assert sequence > 5
    life.agent.factory_reset(life.time)
    record, usage_now = life.record, kept(life)
    assert (record.udi, record.custom_id, record.hostname_private) == (before, "rack 7", True)
    assert record.sequence == sequence
    assert (usage_now.identity, usage_now.reports, usage_now.open) == (None, [], {})
    assert usage_now.close_at == life.time + 7 * DAY
    assert (record.entitlements, record.history, record.in_flight) == ({}, [], None)
    life.heard()  # a legal record, which can be stored
    life.agent.trust(life.token, signing.new_key(), life.chance.randbytes, now=life.time)
    life.speak()
    assert kept(life).identity is not None
