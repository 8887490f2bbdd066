"""The model of a device, from its record."""

from __future__ import annotations

import os
import time
from typing import Any, get_args

import msgspec
import pytest

from smartlic_client.protocol import identity, messages, states, timers
from smartlic_client.protocol.record import Attempts, Entitlement, Identity, Record
from smartlic_client.show import commands, model, reading
from smartlic_client.show.model import Attempt, Model
from smartlic_client.show.reading import model_of, model_of_data
from tests.unit.client.show.states import DNA, HSEC, NOW

SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"
DAY = 86400.0


def _record(**fields: Any) -> Record:
    return Record(udi=identity.Udi(pid="C9300-24T", sn="FOC1"), software_id=SOFTWARE, **fields)


IDENTITY = Identity(
    piid="5d2c6e0c-9f0e-4f0e-8a44-3a3b5d0a2f11",
    key="SECRET KEY",
    certificate="AAAA",
    chain=[],
    serial_number="1a",
    valid_from=NOW,
    valid_until=NOW + 365 * DAY,
    smart_account="Example",
    virtual_account="Default",
    export_controlled_allowed=True,
    registered_at=NOW,
)
REFUSED = {"code": "refused", "sentence": "The token has expired.", "mend": "…", "context": {}}


def test_the_models_words_are_the_protocols() -> None:
    """States, capabilities and the evaluation period, which the model has for itself, are the protocol's."""
    assert set(get_args(model.RegistrationState)) == {state.value for state in states.Registration}
    assert set(get_args(model.AuthorizationState)) >= {state.value for state in states.Authorization}
    assert messages.CAPABILITIES == model.CAPABILITIES
    assert timers.EVALUATION == reading.EVALUATION
    assert model.Udi.__struct_fields__ == identity.Udi.__struct_fields__
    whole = {field: field.upper() for field in identity.Udi.__struct_fields__}
    assert str(model.Udi(**whole)) == str(identity.Udi(**whole))


def test_a_new_device() -> None:
    """Nothing has happened: not registered, no license, the whole evaluation period is left."""
    shown = model_of(_record(hostname="pi37", custom_id="rack 7"), NOW)
    assert (shown.registration.state, shown.authorization.state) == ("not-registered", "none")
    assert (shown.hostname, shown.custom_id, shown.licenses, shown.certificate) == (
        "pi37",
        "rack 7",
        (),
        None,
    )
    assert shown.evaluation == model.Evaluation(remaining=90 * DAY)


def test_an_evaluation_that_runs() -> None:
    """What was used before and what runs now are both taken off; never below nothing."""
    record = _record(
        authorization=states.Authorization.EVAL, evaluation_used=10 * DAY, evaluation_since=NOW - 5 * DAY
    )
    assert model_of(record, NOW).evaluation == model.Evaluation(remaining=75 * DAY, in_use=True)
    assert model_of(record, NOW + 500 * DAY).evaluation.remaining == 0
    assert model_of(record, NOW - 50 * DAY).evaluation.remaining == 80 * DAY  # a clock set back


def test_a_registration_that_failed_and_one_that_is_tried_again() -> None:
    """When and why is shown; when it is tried again only where it is."""
    attempts = Attempts(last=NOW - 5, next=NOW + 60, failure=REFUSED)
    failed = model_of(
        _record(registration=states.Registration.FAILED, registering=attempts), NOW
    ).registration
    assert failed.first == Attempt(at=NOW - 5, reason="The token has expired.")
    assert failed.next_attempt is None
    again = model_of(_record(registration=states.Registration.RETRY, registering=attempts), NOW).registration
    assert again.next_attempt == NOW + 60


def test_a_registered_device() -> None:
    """Accounts, times, licenses with their modes, and the certificate; the key is nowhere."""
    record = _record(
        registration=states.Registration.COMPLETE,
        identity=IDENTITY,
        registering=Attempts(last=NOW, succeeded=NOW, next=NOW + 180 * DAY),
        authorization=states.Authorization.OUT_OF_COMPLIANCE,
        authorizing=Attempts(last=NOW, succeeded=NOW, next=NOW + DAY / 2),
        deadline=NOW + 90 * DAY,
        entitlements={
            DNA: Entitlement(count=3, enforcement_mode="in-compliance"),
            HSEC: Entitlement(count=1, enforcement_mode="out-of-compliance"),
        },
    )
    shown = model_of(record, NOW + 1, transport="smart", url="https://vip/SmartTransport")
    registration, authorization = shown.registration, shown.authorization
    assert (registration.smart_account, registration.virtual_account) == ("Example", "Default")
    assert (registration.first, registration.renewal) == (Attempt(at=NOW), None)
    assert (registration.next_renewal, registration.expires) == (NOW + 180 * DAY, NOW + 365 * DAY)
    assert (authorization.state, authorization.since, authorization.last) == (
        "out-of-compliance",
        NOW,
        Attempt(at=NOW),
    )
    assert [(used.name, used.version, used.count, used.mode) for used in shown.licenses] == [
        ("DNA_P_50M_A", "1.0", 3, "in-compliance"),
        ("C9K_HSEC", "1.0", 1, "out-of-compliance"),
    ]
    assert shown.transport == model.Transport(type="smart", url="https://vip/SmartTransport")
    assert shown.certificate is not None
    everything = "".join(commands.text(words, shown) for words in commands.COMMANDS)
    assert "SECRET KEY" not in everything + str(msgspec.json.encode(shown))


def test_a_failed_renewal() -> None:
    """A failure after the registration is the renewal's, not the registration's."""
    record = _record(
        registration=states.Registration.COMPLETE,
        identity=IDENTITY,
        registering=Attempts(last=NOW + 9, succeeded=NOW, failure={"code": "no-answer"}),
    )
    registration = model_of(record, NOW).registration
    assert registration.first == Attempt(at=NOW)
    assert registration.renewal == Attempt(at=NOW + 9, reason="no-answer")


def test_what_a_newer_record_has_is_shown() -> None:
    """Privacy, renewals, export control and messages are read where a record has them."""
    data = _record(registration=states.Registration.COMPLETE, identity=IDENTITY).to_data()
    data |= {"hostname_private": True, "version_private": True, "protocol_version": "1.1"}
    data["notes"] = [[NOW, "AUTHORIZATION", "m-1", "OK"]]
    data["history"] = [[NOW, "AGENT_READY"], [NOW, "COMM_FAILED", {"reason": "no answer"}]]
    data["entitlements"] = {
        HSEC: {"count": 1, "enforcement_mode": "in-compliance", "export_controlled": True}
    }
    data["identity"] |= {"renewed_at": NOW + 5}
    shown = model_of_data(data, {"transport": "cslu"}, NOW)
    assert (shown.privacy.hostname, shown.privacy.version, shown.message_version) == (True, True, "1.1")
    assert shown.messages == (model.Message(at=NOW, kind="AUTHORIZATION", id="m-1", outcome="OK"),)
    assert shown.events == (
        model.Event(at=NOW, name="AGENT_READY"),
        model.Event(at=NOW, name="COMM_FAILED", fields={"reason": "no answer"}),
    )
    assert shown.licenses[0].enforcement == "export"
    assert shown.registration.renewal == Attempt(at=NOW + 5)
    assert shown.transport.type == "cslu"


DAYS = {"first": 30, "frequency": 60, "on_change": 90}
USAGE: dict[str, Any] = {
    "policy": {
        "name": "Example Policy",
        "acknowledgement_required": True,
        "unenforced_perpetual": DAYS,
        "unenforced_subscription": DAYS,
        "enforced": DAYS,
        "export": DAYS,
    },
    "policy_installed_at": NOW + 1,
    "interval_days": 7,
    "identity": {"smart_account": "Example", "virtual_account": "Default"},
    "trusted_at": NOW + 2,
    "reporting": {"last": NOW + 4, "succeeded": NOW + 3, "next": None},
    "close_at": NOW + 7 * DAY,
    "required_at": NOW + 90 * DAY,
    "acknowledged_at": NOW + 5,
    "open": {DNA: {"report_id": "1710317400000002", "opened_at": NOW, "since": NOW, "count": 3}},
    "reports": [
        {
            "report_id": "1710317400000001",
            "tag": DNA,
            "state": "pending",
            "closed_at": NOW,
            "text": '{"measurements": [{"start_time": 5, "value": {"value": "2"}}]}',
        }
    ],
}


def test_smart_licensing_using_policy() -> None:
    """Policy, trust code, accounts, deadlines and reports are those of the record's usage."""
    data = _record().to_data()
    data["usage"] = USAGE
    data["entitlements"] = {
        DNA: {"count": 3, "enforcement_mode": "disabled", "kind": "unenforced-subscription"}
    }
    shown = model_of_data(data, {"transport": "smart", "url": "https://vip/cslu/v1/pi/example-1"}, NOW)
    asked = model.Requirement(first=30, frequency=60, on_change=90)
    assert shown.policy == model.Policy(
        name="Example Policy",
        installed=NOW + 1,
        perpetual=asked,
        subscription=asked,
        enforced=asked,
        export=asked,
    )
    assert shown.usage == model.UsageReporting(
        interval=7,
        last_ack=NOW + 5,
        next_ack_deadline=NOW + 90 * DAY,
        next_push=NOW + 7 * DAY,
        last_push=NOW + 4,
    )
    assert (shown.registration.smart_account, shown.smart_account_at) == ("Example", NOW + 3)
    assert (shown.trusted, shown.trusted_at, shown.transport.type) == (True, NOW + 2, "cslu")
    assert [(report.id, report.state, report.start, report.count) for report in shown.reports] == [
        (1710317400000001, "pending", 5, 2),
        (1710317400000002, "open", NOW, 3),
    ]
    (used,) = shown.licenses
    assert (used.term, used.report, used.former_report) == (
        "subscription",
        1710317400000002,
        1710317400000001,
    )


def test_a_device_whose_transport_is_off() -> None:
    """Whatever its URL was, it sends nothing."""
    data = {
        **_record().to_data(),
        "transport_off": True,
        "usage": {**USAGE, "identity": None, "trusted_at": None},
    }
    shown = model_of_data(data, {"transport": "smart", "url": "https://vip/SmartTransport"}, NOW)
    assert (shown.transport.type, shown.trusted, shown.registration.smart_account) == ("off", False, None)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, None),
        ("http://user:secret@proxy.example.com:3128", ("proxy.example.com", 3128)),
        ("proxy.example.com", ("proxy.example.com", 80)),
        ("http://[::1]:8080", ("::1", 8080)),
        ("http://proxy:notaport", None),
        ("http://[::1", None),
    ],
)
def test_of_a_proxy_host_and_port(given: str | None, shown: tuple[str, int] | None) -> None:
    """A proxy's password is not in the model."""
    assert model_of(_record(), NOW, proxy=given).transport.proxy == shown


@pytest.mark.parametrize(
    "change",
    [
        {"udi": None},
        {"udi": {"pid": 5}},
        {"registration": "lost"},
        {"authorization": 7},
        {"entitlements": {DNA: {"count": "three"}}},
        {"entitlements": []},
        {"identity": {"piid": "x"}},
        {"registering": {"last": "yesterday"}},
        {"evaluation_used": "much"},
        {"software_id": None},
        {"usage": {}},
        {"usage": {**USAGE, "reports": [{"report_id": "x", "tag": DNA, "state": "open", "closed_at": 1}]}},
        {"usage": {**USAGE, "interval_days": "week"}},
        {"history": [["AGENT_READY"]]},
        {"notes": [1]},
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, Any]) -> None:
    """Data of a wrong form raise what the command line expects, and make no model."""
    data = {**_record().to_data(), **change}
    with pytest.raises((msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError)):
        model_of_data(data, {}, NOW)


def test_a_mode_of_a_newer_server_is_waiting() -> None:
    """An enforcement mode that is not known here does not keep the device from being shown."""
    record = _record(entitlements={DNA: Entitlement(count=1, enforcement_mode="something-new")})
    assert model_of(record, NOW).licenses[0].mode == "waiting"


def test_the_model_is_json_with_a_schema() -> None:
    """`--format json` prints a model that msgspec reads again, and that has a JSON Schema."""
    shown = model_of(_record(identity=IDENTITY), time.time())
    assert msgspec.json.decode(msgspec.json.encode(shown), type=Model) == shown
    schema = msgspec.json.schema(Model)
    assert os.path.basename(schema["$ref"]) == "Model"  # noqa: PTH119 - a reference, no file
