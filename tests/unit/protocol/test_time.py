"""What time alone makes of a device: renewals, warnings, ends, retries; and clocks that jump."""

from __future__ import annotations

import itertools
import json

import pytest

from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import errors, smart, timers
from smartlic_client.protocol.messages import AuthorizationResult, EntitlementUse
from smartlic_client.protocol.states import Authorization, Registration
from tests.unit.domain.world import NOW
from tests.unit.protocol.bench import DAY, ONE, TWO, forged, refusing
from tests.unit.protocol.life import LOST, Life

HOUR, YEAR = 3600.0, 365 * DAY


def lost(_raw: bytes) -> SmartlicError:
    return LOST()


def registered(count: int = 2) -> Life:
    life = Life()
    life.ask()
    life.use(ONE, count)
    life.speak()
    return life


# ---- the regular rhythm -----------------------------------------------------------------------------------
def test_a_year_without_changes_is_13_authorizations_and_2_renewals() -> None:
    """Day 0 and every 30 days; the ID certificate after 180 days and after 180 more. Not one message else."""
    life = registered()
    life.alone(NOW + YEAR)
    assert life.count("AUTHORIZATION") == 13
    assert life.count("ID_CERT_RENEWAL") == 2
    assert len(life.said) == 1 + 13 + 2
    assert life.server.renewals == 2
    days = [round((at - NOW) / DAY, 3) for at, kind in life.said if kind == "AUTHORIZATION"]
    assert days == [30.0 * month for month in range(13)]
    assert life.registration() is Registration.COMPLETE
    assert life.authorization() is Authorization.AUTHORIZED
    assert life.codes == []
    identity = life.record.identity
    assert identity is not None
    assert identity.valid_until == NOW + 360 * DAY + YEAR
    assert len(life.logged("ID_CERT_RENEW_SUCCESS")) == 2
    assert life.logged("ID_CERT_EXPIRED_WARNING") == []


def test_out_of_compliance_is_asked_again_every_12_hours() -> None:
    """Two days out of compliance are four more reports; a purchase ends it with the next one."""
    life = registered(9)
    life.alone(NOW + 2 * DAY)
    assert life.count("AUTHORIZATION") == 1 + 4
    life.server.purchase(ONE, 20)
    life.alone(NOW + 3 * DAY)
    assert life.authorization() is Authorization.AUTHORIZED
    assert life.count("AUTHORIZATION") == 1 + 5
    assert life.logged("OUT_OF_COMPLIANCE") == [NOW]
    assert len(life.logged("IN_COMPLIANCE")) == 1


def test_changes_within_two_seconds_are_one_report() -> None:
    """Five changes of one reconfiguration are told together, two seconds after the first."""
    life = registered()
    said = len(life.said)
    for count in (3, 4, 2, 5, 1):
        life.use(ONE, count)
        life.use(TWO, count)
        life.time += 0.3
    life.alone(NOW + HOUR)
    assert len(life.said) == said + 1
    assert life.said[-1] == (NOW + 2, "AUTHORIZATION")
    (instance,) = life.server.state.instances.values()
    assert instance.usage == {ONE: 1, TWO: 1}


def test_a_device_that_nobody_registered_sleeps() -> None:
    """Nothing in use and not registered: there is no deadline, and a tick says nothing."""
    life = Life()
    assert life.agent.next_deadline() is None
    assert life.agent.tick(NOW) is False
    assert life.agent.next_deadline() is None
    assert [log.name for log in life.agent.take_logs()] == [
        "AGENT_ENABLED",
        "AGENT_READY",
        "EXPORT_CONTROLLED",
    ]
    life.agent.tick(NOW + 1)
    assert life.agent.take_logs() == []


@pytest.mark.parametrize(
    ("renewal", "expiry", "next_at", "deadline"),
    [
        (30 * 86400, 90 * 86400, 30 * DAY, 90 * DAY),
        (86400, 7 * 86400, DAY, 7 * DAY),
        (1, 2, 60.0, 60.0),
        (2**62, 2**62, 30 * DAY, 90 * DAY),
    ],
)
def test_a_server_may_shorten_intervals_within_reason(
    renewal: int, expiry: int, next_at: float, deadline: float
) -> None:
    """Shorter ones are taken, down to a minute; longer ones than the public intervals are not."""
    life = registered()
    life.agent.report(NOW)
    sent = life.say()
    result = smart.decode_answer(body := life.answer(sent)).answer.data.data
    assert isinstance(result, AuthorizationResult)
    told = AuthorizationResult(
        entitlements=result.entitlements,
        renewal_interval_seconds=renewal,
        expiry_interval_seconds=expiry,
    )
    life.hear(sent, forged(body, data={"data": told}))
    assert life.record.authorizing.next == NOW + next_at
    assert life.record.deadline == NOW + deadline


# ---- communication lost -----------------------------------------------------------------------------------
def test_authorized_until_90_days_after_the_last_contact() -> None:
    """Lost for good: retried on the back-off, expired after 90 days, and healed by the first answer."""
    life = registered()
    life.alone(NOW + 120 * DAY, lost)
    assert life.authorization() is Authorization.AUTHORIZATION_EXPIRED
    tries = [at for at, kind in life.said if kind == "AUTHORIZATION" and at > NOW]
    assert tries[0] == NOW + 30 * DAY
    waits = [after - before for before, after in itertools.pairwise(tries)]
    assert 15 <= waits[0] <= 30
    assert max(waits) <= 4 * HOUR
    assert min(waits[12:]) >= 2 * HOUR
    assert life.logged("COMM_FAILED") == [NOW + 30 * DAY]
    assert len({life.record.in_flight.message_id if life.record.in_flight else ""}) == 1
    life.alone(NOW + 121 * DAY)
    assert life.authorization() is Authorization.AUTHORIZED
    assert len(life.logged("COMM_RESTORED")) == 1
    assert life.record.deadline is not None
    assert life.record.deadline > NOW + 209 * DAY


def test_two_devices_do_not_retry_at_the_same_moment() -> None:
    """The back-off is spread by chance: the drawn part is half of it."""
    assert timers.retry_delay(3, 0.0, None) == 120
    assert timers.retry_delay(3, 0.999, None) > 239
    assert timers.retry_delay(99, 0.0, None) == 2 * HOUR
    assert timers.retry_delay(0, 0.0, 600) == 600
    assert timers.retry_delay(0, 0.0, -5) == 1
    assert timers.retry_delay(0, 0.0, 1e9) == DAY


def test_a_registration_whose_answer_is_lost_is_tried_again_by_itself() -> None:
    """Sent with the same message id until it is answered: one instance, one token use."""
    life = Life()
    life.ask(now=NOW)
    fates = iter([False, True, True, False])

    def network(raw: bytes) -> bytes | SmartlicError:
        arrives = next(fates, None)
        answer = life.well(raw) if arrives in (True, None) else LOST()
        return answer if arrives is None else LOST()

    life.alone(NOW + DAY, network)
    assert life.registration() is Registration.COMPLETE
    assert life.count("REGISTRATION") == 5
    assert len(life.server.state.instances) == 1
    assert [token.used for token in life.server.state.tokens.values()] == [1]


def test_what_does_not_mend_by_itself_is_not_retried() -> None:
    """A refused registration, or one whose answer is not believed, waits for somebody to change something."""
    for answer in (
        lambda body: refusing(body, "token-expired"),
        lambda body: body[:-20],
    ):
        life = Life()
        life.ask(now=NOW)
        life.alone(NOW + YEAR, lambda raw, life=life, answer=answer: answer(life.well(raw)))  # type: ignore[misc]
        assert life.count("REGISTRATION") == 1
        assert life.agent.next_deadline() is None


def test_a_refused_report_waits_for_the_regular_renewal_or_for_a_change() -> None:
    """No back-off: 30 days, or two seconds after a count changes."""
    life = registered()

    def refused(raw: bytes) -> bytes:
        return refusing(life.server.post(raw)[1], "account-inactive")

    life.agent.report(NOW)
    life.alone(NOW + 29 * DAY, refused)
    assert life.count("AUTHORIZATION") == 2
    life.use(ONE, 3)
    life.alone(NOW + 29 * DAY + 60, refused)
    assert life.count("AUTHORIZATION") == 3
    life.alone(NOW + 60 * DAY)
    assert life.count("AUTHORIZATION") == 4
    assert life.record.authorizing.failure is None


def test_an_answer_that_is_not_believed_holds_nothing_up_for_good() -> None:
    """The message stays, is not repeated by itself, goes out again with the next change, and counts once."""
    life = registered()
    life.agent.renew(NOW)
    life.speak(lambda _raw: b"<html>")
    assert life.codes == ["answer-unreadable"]
    meant = life.record.in_flight
    life.alone(NOW + 29 * DAY)
    assert life.record.in_flight is meant
    life.use(ONE, 4)
    life.alone(NOW + 29 * DAY + 10)
    assert life.server.renewals == 1
    assert life.record.in_flight is None
    (instance,) = life.server.state.instances.values()
    assert instance.usage == {ONE: 4}


@pytest.mark.parametrize("seed", range(4))
def test_a_year_with_every_fifth_message_lost(seed: int) -> None:
    """Requests and answers are lost, counts change: nothing is doubled, and in the end it is authorized."""
    life = Life()
    life.chance.seed(seed)
    life.ask(now=NOW)
    life.use(ONE, 1)

    def network(raw: bytes) -> bytes | SmartlicError:
        fate = life.chance.random()
        if fate < 0.1:
            return LOST()
        answer = life.well(raw)
        return LOST() if fate < 0.2 else answer

    for month in range(12):
        life.alone(NOW + (30 * month + 11) * DAY, network)
        life.use(ONE, month % 5 + 1)
    life.alone(NOW + YEAR, network)
    (instance,) = life.server.state.instances.values()
    assert instance.usage == {ONE: 11 % 5 + 1}
    assert life.authorization() is Authorization.AUTHORIZED
    assert life.server.renewals == 2
    assert [token.used for token in life.server.state.tokens.values()] == [1]
    assert set(life.codes) == {"life-lost"}
    assert 13 <= life.count("AUTHORIZATION") <= 26


# ---- later ------------------------------------------------------------------------------------------------
def test_try_again_waits_as_long_as_the_server_says() -> None:
    """OK_TRY_AGAIN with 600 s: the same message, ten minutes later, with a spread of a quarter at most."""
    life = registered()
    life.agent.report(NOW)
    sent = life.say()
    with pytest.raises(SmartlicError) as caught:
        life.hear(sent, life.later(sent, "OK_TRY_AGAIN", 600))
    assert caught.value.code == "server-asks-for-time"
    life.agent.lost(caught.value, NOW)
    assert life.record.communication_failed is False
    life.alone(NOW + HOUR)
    assert len(life.said) == 3
    assert 600 <= life.said[-1][0] - NOW <= 750


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("what", ["REGISTRATION", "AUTHORIZATION", "ID_CERT_RENEWAL"])
def test_an_answer_that_comes_later_is_asked_for_by_poll(what: str, kept: bool) -> None:
    """OK_POLL: asked for by POLL, under the same message id; a server that lost it gets the message again."""
    life = Life() if what == "REGISTRATION" else registered()
    if what == "REGISTRATION":
        life.ask()
    elif what == "AUTHORIZATION":
        life.use(ONE, 4)
    else:
        life.agent.renew(NOW)
    sent = life.say()
    with pytest.raises(SmartlicError) as caught:
        life.hear(sent, life.later(sent, "OK_POLL", 60))
    assert caught.value.code == "answer-not-ready"
    life.agent.lost(caught.value, NOW)
    life.restart()
    if not kept:
        life.server.waiting.clear()
    polled: list[str] = []

    def network(raw: bytes) -> bytes:
        signed = smart.decode_request(raw)
        assert signed.data.message_id == sent.request.message_id
        assert signed.data.sequence == sent.request.sequence
        polled.append(signed.header.request_type)
        return life.server.post(raw)[1]

    life.alone(NOW + DAY / 2, network)
    assert polled == (["POLL"] if kept else ["POLL", what])
    assert life.record.in_flight is None
    assert life.registration() is Registration.COMPLETE
    assert life.record.poll_id is None


def test_a_poll_without_a_name_is_no_answer() -> None:
    """OK_POLL has to say under which name the answer is to be asked for."""
    life = registered()
    life.agent.report(NOW)
    sent = life.say()
    signed = smart.decode_request(sent.body)
    for poll_id in (None, "", "x" * 256):
        with pytest.raises(SmartlicError) as caught:
            life.hear(sent, life.server.sealed(signed, status="OK_POLL", poll_id=poll_id))
        assert caught.value.code == "answer-unreadable"


# ---- the ID certificate -----------------------------------------------------------------------------------
def test_a_renewal_is_retried_until_it_succeeds() -> None:
    """Lost at 180 days: on the back-off, by the same message; healed when the server is there again."""
    life = registered()
    life.alone(NOW + 179 * DAY)

    def renewals_lost(raw: bytes) -> bytes | SmartlicError:
        return LOST() if b"ID_CERT_RENEWAL" in raw else life.well(raw)

    life.alone(NOW + 200 * DAY, renewals_lost)
    assert life.count("ID_CERT_RENEWAL") > 100
    assert life.server.renewals == 0
    life.alone(NOW + 201 * DAY)
    assert life.server.renewals == 1
    assert life.record.registering.failure is None


def test_a_certificate_that_is_not_renewed_expires() -> None:
    """Warned at 60, 30, 21, 14, 7 days and so on; at the end, and an hour of grace, it is not registered."""
    life = registered()
    life.alone(NOW + 170 * DAY)
    life.alone(NOW + 366 * DAY, lost)
    ends = NOW + YEAR
    warned = life.logged("ID_CERT_EXPIRED_WARNING")
    left = [round((ends - at) / HOUR) for at in warned]
    assert left == [days * 24 for days in (60, 30, 21, 14, 7, 6, 5, 4, 3, 2, 1)] + list(range(23, 0, -1))
    assert life.logged("ID_CERT_EXPIRED") == [ends + HOUR]
    record = life.record
    assert record.registration is Registration.NOT_REGISTERED
    assert record.identity is None
    assert record.in_flight is None
    assert record.entitlements[ONE].count == 2
    assert record.authorization is Authorization.EVAL


def test_a_registration_in_flight_outlives_the_former_certificate() -> None:
    """Forced and unanswered when the certificate ends: the same message goes on."""
    life = registered()
    life.alone(NOW + 170 * DAY)
    life.ask(force=True, now=life.time, token=life.server.token())
    message = life.record.in_flight
    life.alone(NOW + 367 * DAY, lost)
    assert life.record.identity is None
    assert life.record.in_flight == message
    assert life.registration() is Registration.RETRY
    life.alone(NOW + 368 * DAY)
    assert life.registration() is Registration.COMPLETE
    assert life.authorization() is Authorization.AUTHORIZED


# ---- the evaluation period --------------------------------------------------------------------------------
def test_the_evaluation_warns_and_ends() -> None:
    """90 days of use without a server: each warning once, at its time, over a restart in between."""
    life = Life()
    life.use(ONE, 1)
    life.alone(NOW + 45 * DAY)
    life.restart()
    life.alone(NOW + 100 * DAY)
    ends = NOW + 90 * DAY
    left = [round((ends - at) / HOUR) for at in life.logged("EVAL_WILL_EXPIRE_WARNING")]
    assert left == [days * 24 for days in (60, 30, 21, 14, 7, 6, 5, 4, 3, 2, 1)] + list(range(23, 0, -1))
    assert life.logged("EVAL_START") == [NOW]
    assert life.logged("EVAL_EXPIRED") == [ends]
    assert life.authorization() is Authorization.EVAL_EXPIRED
    assert life.agent.next_deadline() is None


# ---- clocks that jump -------------------------------------------------------------------------------------
def test_a_clock_set_back_a_year_silences_nothing() -> None:
    """An hour of grace, then not registered; set right within it, all goes on as before."""
    life = registered()
    life.alone(NOW + 10 * DAY)
    life.time -= YEAR
    life.agent.tick(life.time)
    assert life.registration() is Registration.COMPLETE
    at = life.agent.next_deadline()
    assert at == life.time + HOUR
    life.time = NOW + 10 * DAY + 600
    assert life.agent.tick(life.time) is True
    life.speak()
    assert life.record.outside_since is None
    life.alone(NOW + 100 * DAY)
    assert life.authorization() is Authorization.AUTHORIZED
    life.time -= YEAR
    life.alone(life.time + 2 * HOUR)
    assert life.registration() is Registration.NOT_REGISTERED
    assert len(life.logged("ID_CERT_EXPIRED")) == 1
    assert life.authorization() is Authorization.EVAL


def test_a_clock_set_forward_ten_years_has_an_hour_of_grace() -> None:
    """Authorization and certificate are over by that clock; set right within the hour, the device goes on."""
    for back_after, stands in ((HOUR / 2, True), (2 * HOUR, False)):
        life = registered()
        life.alone(NOW + 10 * DAY)
        life.time += 10 * YEAR
        life.agent.tick(life.time)
        assert life.registration() is Registration.COMPLETE
        life.alone(life.time + back_after, lost)
        life.time -= 10 * YEAR
        life.alone(life.time + 31 * DAY)
        assert (life.registration() is Registration.COMPLETE) == stands
        if stands:
            assert life.authorization() is Authorization.AUTHORIZED


@pytest.mark.parametrize("jump", [-10 * YEAR, -YEAR, -DAY, -1.0, 1.0, DAY, YEAR, 10 * YEAR])
def test_any_jump_leaves_a_deadline_ahead(jump: float) -> None:
    """After a jump and a tick, the next deadline is ahead, and no further than half a year."""
    for life in (registered(), registered(9), Life()):
        life.use(ONE, 3)
        life.time += jump
        life.alone(life.time, lost)
        if (at := life.agent.next_deadline()) is None:
            assert life.authorization() is Authorization.EVAL_EXPIRED
        else:
            assert life.time < at <= life.time + 180 * DAY


def test_a_retry_does_not_wait_for_a_clock_that_was_set_back() -> None:
    """In the middle of a back-off the clock goes back by ten days: the retry comes within a day or so."""
    life = registered()
    life.time += 20 * DAY
    life.agent.report(life.time)
    life.speak(lost)
    life.time -= 10 * DAY
    life.alone(life.time + 1.3 * DAY)
    assert life.record.in_flight is None
    assert life.record.authorizing.failure is None


# ---- the server's memory ----------------------------------------------------------------------------------
def test_a_server_that_forgot_the_device_ends_its_messages() -> None:
    """Not registered any more, the failure says why, and nothing is sent until somebody registers it."""
    life = registered()
    life.server.state.instances.clear()
    life.alone(NOW + YEAR)
    assert life.codes == ["identity-not-valid"]
    assert life.registration() is Registration.NOT_REGISTERED
    failure = life.record.registering.failure
    assert failure is not None
    assert failure["code"] == "identity-not-valid"
    assert life.authorization() is Authorization.EVAL_EXPIRED


# ---- the record -------------------------------------------------------------------------------------------
def test_a_registered_idle_device_is_small() -> None:
    """At most 4 KiB beside certificates and key, after a year of renewals and retries."""
    life = registered()
    life.alone(NOW + 50 * DAY, lost)
    life.alone(NOW + YEAR)
    record = life.record
    assert record.in_flight is None
    assert record.identity is not None
    data = record.to_data()
    size = len(json.dumps(data))
    size -= sum(len(json.dumps(data["identity"][part])) for part in ("key", "certificate", "chain"))
    assert len(record.history) == 16
    assert len(record.notes) == 8
    assert size <= 4096


def test_a_record_of_an_older_release_is_read() -> None:
    """A record without any of the newer fields is a device that works."""
    life = registered()
    fields = (
        "udi software_id hostname custom_id sequence sent registration registering identity new_key "
        "authorization authorizing deadline entitlements to_report in_flight evaluation_used evaluation_since"
    )
    old = {key: value for key, value in life.record.to_data().items() if key in fields.split()}
    del old["identity"]["renewed_at"]
    for attempts in ("registering", "authorizing"):
        del old[attempts]["tries"]
    life.agent = type(life.agent)(type(life.record).from_data(old))
    life.alone(NOW + YEAR)
    assert life.count("AUTHORIZATION") == 13
    assert life.server.renewals == 2


def test_what_is_refused_is_not_in_a_record() -> None:
    """Counts that are negative or too large are refused before they are meant; a message cannot hold them."""
    life = registered()
    before = life.record.to_data()
    for count in (-1, 2**31, 2**63):
        with pytest.raises(SmartlicError) as caught:
            life.use(ONE, count)
        assert caught.value.code == "bad-count"
    assert life.record.to_data() == before
    assert EntitlementUse(tag=ONE, count=0).count == 0


# ---- switches ---------------------------------------------------------------------------------------------
def test_privacy_switches_withhold_names_and_versions() -> None:
    """Withheld, neither hostname nor version leaves the device; a custom id goes along while there is one."""
    life = Life(hostname="edge-1")
    life.agent.configure(custom_id="rack 7", hostname_private=True, version_private=True)
    life.ask()
    sent = smart.decode_request(life.say().body)
    assert sent.data.hostname is None
    assert sent.data.custom_id == "rack 7"
    assert sent.header.connect_info.version == ""
    life.speak()
    life.agent.configure(custom_id="", hostname_private=False, version_private=False)
    life.agent.report(NOW)
    sent = smart.decode_request(life.say().body)
    assert (sent.data.hostname, sent.data.custom_id) == ("edge-1", None)
    assert sent.header.connect_info.version
    with pytest.raises(SmartlicError) as caught:
        life.agent.configure(custom_id="a\nb")
    assert caught.value.code == "bad-text"


def test_export_controlled_features_need_an_allowance() -> None:
    """Without a registration that allows them they are refused; with one they are used like others."""
    life = Life()
    with pytest.raises(SmartlicError) as caught:
        life.agent.request(ONE, 1, NOW, export_controlled=True)
    assert caught.value.code == errors.EXPORT_NOT_ALLOWED.code
    assert life.record.entitlements == {}
    life.ask()
    life.speak()
    life.agent.request(ONE, 1, NOW, export_controlled=True)
    life.agent.request(ONE, 2, NOW)
    assert life.record.entitlements[ONE].export_controlled is True
    life.speak()
    assert life.authorization() is Authorization.AUTHORIZED
