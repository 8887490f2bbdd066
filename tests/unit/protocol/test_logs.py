"""What is logged: names and severities of the public list, one line each, no secrets."""

from __future__ import annotations

import json
import re

import pytest

from smartlic_client.errors import RefusedError
from smartlic_client.protocol.logs import CATALOGUE, Logged, span
from smartlic_client.protocol.states import AUTHORIZATION, REGISTRATION
from tests.unit.domain.world import NOW
from tests.unit.protocol.bench import DAY, ONE, Bench, refusing
from tests.unit.protocol.life import LOST, Life

# protocol.md, "Log messages".
PUBLIC = {
    3: "AGENT_REG_FAILED COMM_FAILED AUTH_RENEW_FAILED OUT_OF_COMPLIANCE EVAL_EXPIRED ID_CERT_RENEW_FAILED "
    "ID_CERT_EXPIRED",
    4: "EVAL_WILL_EXPIRE_WARNING ID_CERT_EXPIRED_WARNING REPORTING_NOT_SUPPORTED",
    5: "COMM_RESTORED IN_COMPLIANCE EVAL_START ID_CERT_RENEW_SUCCESS",
    6: "AGENT_READY AGENT_ENABLED AGENT_REG_SUCCESS AGENT_DEREG_SUCCESS AUTH_RENEW_SUCCESS EXPORT_CONTROLLED "
    "REPORTING_REQUIRED",
}


def test_the_public_names_have_their_severities() -> None:
    """Each name of the public list is there, under its severity."""
    for severity, names in PUBLIC.items():
        for name in names.split():
            assert CATALOGUE[name].severity == severity


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_line_has_the_public_form(name: str) -> None:
    """`%SMART_LIC-<severity>-<NAME>: <text>` on one line, also where fields are missing or hostile."""
    wanted = re.findall(r"{(\w+)}", CATALOGUE[name].text)
    for fields in ({}, dict.fromkeys(wanted, "a\nb {x} %s \x1b")):
        text = Logged(NOW, name, fields).text()
        assert re.fullmatch(rf"%SMART_LIC-{CATALOGUE[name].severity}-{name}: \S.*", text)
        assert "\n" not in text


def test_the_printed_example_is_met() -> None:
    """The example of the protocol page, word by word."""
    reason = "Unable to resolve server hostname/domain name"
    assert Logged(NOW, "COMM_FAILED", {"reason": reason}).text() == (
        "%SMART_LIC-3-COMM_FAILED: Communications failure with the Cisco Smart Software Manager (CSSM) : "
        "Unable to resolve server hostname/domain name"
    )


def test_the_tables_log_only_known_names() -> None:
    """Every name in a cell is in the catalogue."""
    for table in (REGISTRATION, AUTHORIZATION):
        for step in table.values():
            assert set(step.logs) <= set(CATALOGUE)


def test_a_name_of_a_newer_release_is_shown() -> None:
    """A history that a newer release wrote is read."""
    assert Logged(NOW, "NEW_THING").text() == "%SMART_LIC-6-NEW_THING:"


def test_a_life_in_its_log() -> None:
    """Enabled, evaluating, registered, authorized, out of compliance, lost, restored, de-registered."""
    life = Life()
    life.agent.tick(NOW)
    life.use(ONE, 1)
    life.ask()
    life.speak()
    life.use(ONE, 9)
    life.speak()
    life.use(ONE, 2)
    life.speak(lambda _raw: LOST())
    life.speak(lambda _raw: LOST())
    life.speak()
    life.agent.deregister(life.chance.randbytes, NOW)
    life.speak()
    assert [name for _, name in life.logs] == [
        "AGENT_ENABLED",
        "AGENT_READY",
        "EXPORT_CONTROLLED",
        "EVAL_START",
        "AGENT_REG_SUCCESS",
        "EXPORT_CONTROLLED",
        "AUTH_RENEW_SUCCESS",
        "IN_COMPLIANCE",
        "AUTH_RENEW_SUCCESS",
        "OUT_OF_COMPLIANCE",
        "COMM_FAILED",
        "AUTH_RENEW_FAILED",
        "AUTH_RENEW_FAILED",
        "COMM_RESTORED",
        "AUTH_RENEW_SUCCESS",
        "IN_COMPLIANCE",
        "AGENT_DEREG_SUCCESS",
        "EVAL_START",
    ]


def test_history_and_notes_are_bounded_and_survive_a_restart() -> None:
    """The last 16 events and the last 8 messages, the newest last, over JSON."""
    life = Life()
    life.ask()
    life.use(ONE, 1)
    life.alone(NOW + 400 * DAY)
    before = [log.text() for log in life.record.history]
    life.restart()
    assert [log.text() for log in life.record.history] == before
    assert len(before) == 16
    notes = life.record.notes
    assert len(notes) == 8
    assert [note.at for note in notes] == sorted(note.at for note in notes)
    assert {note.outcome for note in notes} == {"OK"}


def test_no_secret_is_logged() -> None:
    """Neither token nor key is in a log line, in the history or in a note, whatever the server says."""
    bench = Bench()
    bench.ask()
    secret = bench.token.reveal()
    sent = bench.say()
    with pytest.raises(RefusedError, match=r"no, \(the ID token\)"):
        bench.hear(sent, refusing(bench.answer(sent), None, f"no, {secret}"))
    assert secret not in json.dumps(bench.record.to_data())
    logged = [log.text() for log in bench.agent.take_logs()]
    assert len(logged) == 1
    assert secret not in logged[0]


def test_what_is_left_is_printed_as_devices_do() -> None:
    """Days, hours, minutes and seconds; nothing below zero."""
    assert span(60 * DAY) == "60 days, 0 hours, 0 minutes, 0 seconds"
    assert span(93784.9) == "1 days, 2 hours, 3 minutes, 4 seconds"
    assert span(-5) == "0 days, 0 hours, 0 minutes, 0 seconds"
