"""Alerts: each begins and ends at its time, with its severity and what it is about."""

from __future__ import annotations

import random

import pytest

from mock_server.domain import accounts, administration, events, licenses, tokens
from mock_server.domain.alerts import Alert, Severity, alerts
from mock_server.domain.state import Lot, LotKind, State, SyncFailure
from tests.unit.domain.world import NOW, Server, Speaker, tag

DAY = 86400.0
TAG = tag(1)


@pytest.fixture
def server() -> Server:
    return Server(lambda: NOW, random.Random(1))


def told(state: State, days: float, kind: str | None = None) -> dict[str, Alert]:
    """The alerts so many days after NOW, by their type."""
    found = alerts(state, NOW + days * DAY)
    assert len({alert.message_type for alert in found}) == len(found)
    return {one.message_type: one for one in found if kind is None or one.source_type == kind}


def types(state: State, days: float, kind: str) -> list[str]:
    return list(told(state, days, kind))


def test_a_new_server_has_none(server: Server) -> None:
    """Nothing is wrong with what has just been made."""
    assert alerts(server.state, NOW) == []


@pytest.mark.parametrize("synchronized", [True, False])
def test_synchronization_is_overdue_after_30_days_and_removed_after_90(
    server: Server, synchronized: bool
) -> None:
    """Counted from the last synchronization, or from the beginning of an account that had none."""
    if synchronized:
        server.commit([events.AccountSynchronized(name="Lab")])
    seen = {days: types(server.state, days, "Local Account") for days in (29.99, 30, 89.99, 90)}
    overdue, removed = ["Synchronization Overdue"], ["Synchronization Removed"]
    assert seen == {29.99: [], 30: overdue, 89.99: overdue, 90: removed}
    late = told(server.state, 30)["Synchronization Overdue"]
    assert (late.severity, late.due, late.source) == (Severity.MINOR, NOW + 90 * DAY, "Lab")
    assert told(server.state, 90)["Synchronization Removed"].severity is Severity.MAJOR


def test_what_is_no_longer_active_is_not_overdue(server: Server) -> None:
    """An inactive account needs no synchronization; a requested one asks for a decision."""
    server.commit(accounts.deactivate(server.state, "Lab", "audit"))
    server.commit(accounts.request(server.state, "TEST", "S", "V"))
    (only,) = alerts(server.state, NOW + 400 * DAY)
    assert (only.message_type, only.source, only.severity) == (
        "Account Request",
        "TEST",
        Severity.INFORMATIONAL,
    )


def test_a_failed_synchronization_and_an_old_sign_in(server: Server) -> None:
    """The failure's own sentence is told; a sign-in to CSSM is too old after 180 days."""
    account = server.state.accounts["Lab"]
    account.last_sync = NOW + 179 * DAY
    account.signed_in_at = NOW
    account.sync_failure = SyncFailure(code="x", sentence="CSSM is down.", at=NOW)
    assert types(server.state, 179.99, "Local Account") == ["Synchronization Failed"]
    assert "CSSM is down." in told(server.state, 0)["Synchronization Failed"].message
    old = told(server.state, 180)["CSSM Sign-In Expired"]
    assert (old.severity, old.due) == (Severity.MAJOR, NOW + 180 * DAY)


def test_certificates_are_pending_until_they_bear_the_name(server: Server) -> None:
    """From the setting of the Host Common Name until the certificates are served (B1.5)."""
    server.commit(administration.set_common_name(server.state, "vip.lab"))
    assert told(server.state, 0)["Certificates Pending"].severity is Severity.MAJOR
    installed = events.CertificatesInstalled(served_name="vip.lab", generation=2, certificates={})
    server.commit([installed])
    assert told(server.state, 0, "System") == {}


def test_a_shortage_is_told_while_it_lasts(server: Server) -> None:
    """From the report that exceeds to the purchase that covers; a term's end makes one without any event."""
    speaker = Speaker()
    speaker.piid = server.decide(speaker.say(speaker.registration(server.token().reveal()))).piid
    lot = Lot(id="T", quantity=3, kind=LotKind.TERM, end=NOW + 40 * DAY)
    server.commit(licenses.arrive(server.state, "Lab", [licenses.Entitlement(TAG, "DNA", [lot])]))
    server.decide(speaker.say(speaker.authorization({TAG: 2})))
    seen = {days: types(server.state, days, "License") for days in (0, 9.99, 10, 40, 70, 70.01)}
    assert seen == {
        0: [],
        9.99: [],
        10: ["Licenses Expiring"],
        40: ["Insufficient Licenses", "Licenses Expired"],
        70: ["Insufficient Licenses", "Licenses Expired"],
        70.01: ["Insufficient Licenses"],
    }
    short = told(server.state, 40)["Insufficient Licenses"]
    assert short.message == "2 in use, 0 purchased: 2 short"
    assert (short.severity, short.account, short.virtual_account) == (Severity.MAJOR, "Lab", "Default")
    assert told(server.state, 10)["Licenses Expiring"].due == lot.end
    server.purchase(TAG, 2)
    assert types(server.state, 70.01, "License") == []


def test_an_instance_that_is_silent(server: Server) -> None:
    """A renewal missed after 30 days, an authorization ended after 90; a message ends it."""
    speaker = Speaker()
    speaker.piid = server.decide(speaker.say(speaker.registration(server.token().reveal()))).piid
    seen = {days: types(server.state, days, "Product Instance") for days in (30, 30.01, 90, 90.01)}
    assert seen == {
        30: [],
        30.01: ["Failed to Connect"],
        90: ["Failed to Connect"],
        90.01: ["Failed to Renew"],
    }
    late = told(server.state, 91)["Failed to Renew"]
    assert (late.severity, late.due) == (Severity.MAJOR, NOW + 90 * DAY)
    server.decide(speaker.say(speaker.deregistration()))
    assert types(server.state, 91, "Product Instance") == []


def test_a_token_in_its_last_week(server: Server) -> None:
    """Told while it can be used: not after its end, not once it is revoked."""
    token = server.token(days=30)
    seen = {days: types(server.state, days, "ID Token") for days in (22.9, 23, 29.9, 30)}
    assert seen == {22.9: [], 23: ["ID Token Expiring"], 29.9: ["ID Token Expiring"], 30: []}
    server.commit(tokens.revoke_token(server.state, token.token_id))
    assert types(server.state, 23, "ID Token") == []


def test_the_major_ones_come_first(server: Server) -> None:
    """The order is defined: by severity, account and source."""
    server.commit(administration.set_common_name(server.state, "vip.lab"))
    server.token(days=31)
    found = [alert.severity for alert in alerts(server.state, NOW + 30 * DAY)]
    assert found == [Severity.MAJOR, Severity.MINOR, Severity.INFORMATIONAL]
