"""What `show license` prints: everything there is, on lines that fit, and harmless whatever stands in it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from smartlic_client.device import Device
from smartlic_client.protocol import identity
from smartlic_client.show import commands, words, yang
from smartlic_client.show.model import (
    Attempt,
    Authorization,
    AuthorizationState,
    Evaluation,
    Event,
    License,
    Member,
    Message,
    Model,
    Policy,
    Registering,
    RegistrationState,
    Report,
    Transport,
    Udi,
    UsageReporting,
)
from tests.unit.client.show.states import CLASSIC, NOW, STATES, USING_POLICY

EVERY = [(state, command) for state in STATES for command in commands.COMMANDS]
HOSTILE = (
    "two\nlines",
    "carriage\rreturn",
    "\x1b[2J\x1b]0;owned\x07",
    "right\u202eto left",
    "zero\u200bwidth",
    "\ud800",
    "tab\there",
    "é" * 5000,
    "x" * 5000,
    "\x00",
    "(): on Mar 13",
    "%n {0} {name}",
)


# Fields that have words of their own, proved elsewhere, and those that no device prints.
WORDED = {"state", "mode", "type", "term", "enforcement", "kind", "remaining"}
UNPRINTED = {"registration.started", "reports.start", "reports.end", "reports.tag", "reports.count"}
CLASSIC_ONLY = {"hostname", "certificate", "registration", "authorization", "evaluation", "capabilities"}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each, path)
    else:
        yield path, value


@pytest.mark.parametrize(("state", "command"), EVERY, ids=lambda value: str(value))
def test_every_line_fits_and_is_tidy(state: str, command: tuple[str, ...]) -> None:
    """No line is too long or ends in blanks; sections are one empty line apart; the text ends its line."""
    text = commands.text(command, STATES[state])
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\n\n\n" not in text
    for line in text.splitlines():
        assert len(line) <= words.WIDTH
        assert line == line.rstrip()
        assert (len(line) - len(line.lstrip())) % 2 == 0


@pytest.mark.parametrize("state", STATES)
def test_every_value_of_the_model_is_shown_somewhere(state: str) -> None:
    """Each text, count and time of the model is in one of the nine texts, as it is or in IOS XE's form."""
    model = STATES[state]
    shown = "\n".join(commands.text(command, model) for command in commands.COMMANDS)
    proved = 0
    for path, leaf in _leaves(msgspec.to_builtins(model)):
        top, _, name = path.rpartition(".")
        known = path in UNPRINTED or name in WORDED or path.startswith(("transport", "policy"))
        if known or (model.policy is not None and path.partition(".")[0] in CLASSIC_ONLY):
            continue
        if model.policy is None and path.partition(".")[0] in ("usage", "reports", "transport", "members"):
            continue  # what Smart Licensing Using Policy has beyond the classic one
        if isinstance(leaf, float) and top != "events":
            assert words.date(leaf, datetime.UTC) in shown, (path, leaf)
        elif isinstance(leaf, str):
            assert leaf in shown, (path, leaf)
        elif isinstance(leaf, int) and not isinstance(leaf, bool):
            assert re.search(rf"\b{leaf}\b", shown), (path, leaf)
        else:
            continue
        proved += 1
    assert proved > 10


TIMES: list[tuple[str, Model]] = [
    ("expires", replace(CLASSIC["authorized"], registration=Registering(state="complete", expires=NOW))),
    (
        "next_renewal",
        replace(CLASSIC["authorized"], registration=Registering(state="complete", next_renewal=NOW)),
    ),
    (
        "renewal",
        replace(CLASSIC["authorized"], registration=Registering(state="complete", renewal=Attempt(at=NOW))),
    ),
    (
        "first",
        replace(CLASSIC["authorized"], registration=Registering(state="failed", first=Attempt(at=NOW))),
    ),
    ("next_attempt", replace(CLASSIC["new"], registration=Registering(state="retry", next_attempt=NOW))),
    *(
        (
            field,
            replace(
                CLASSIC["authorized"],
                authorization=replace(CLASSIC["authorized"].authorization, **{field: NOW}),
            ),
        )
        for field in ("since", "next_attempt", "deadline")
    ),
    *(
        (
            field,
            replace(
                USING_POLICY["policy, trusted, acknowledged"], usage=replace(UsageReporting(), **{field: NOW})
            ),
        )
        for field in UsageReporting.__struct_fields__
        if field != "interval"
    ),
    ("installed", replace(USING_POLICY["policy, trusted, acknowledged"], policy=Policy(installed=NOW))),
    (
        "trusted",
        replace(
            USING_POLICY["policy, trusted, acknowledged"], members=(Member(udi=Udi(pid="A"), trusted=NOW),)
        ),
    ),
]


@pytest.mark.parametrize(("field", "model"), TIMES)
def test_every_time_is_shown_in_the_form_of_the_device(field: str, model: Model) -> None:
    """Times of the model are in `show license status` as `Mar 13 08:10:00 2024 UTC`."""
    assert "Mar 13 08:10:00 2024 UTC" in commands.text(["status"], replace(model, now=0.0)), field


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (datetime.UTC, "Mar 13 08:10:00 2024 UTC"),
        (ZoneInfo("America/New_York"), "Mar 13 04:10:00 2024 EDT"),
        (ZoneInfo("Asia/Kolkata"), "Mar 13 13:40:00 2024 IST"),
        (datetime.timezone(datetime.timedelta(hours=-11)), "Mar 12 21:10:00 2024 UTC-11:00"),
    ],
)
def test_times_in_other_zones(zone: datetime.tzinfo, shown: str) -> None:
    """A device in another time zone says the same moment in that zone, and names it."""
    assert words.date(NOW, zone) == shown
    model = replace(CLASSIC["new"], registration=Registering(state="failed", first=Attempt(at=NOW)))
    assert f"Initial Registration: SUCCEEDED on {shown}" in commands.text(["status"], model, zone)


@pytest.mark.parametrize("at", [float("inf"), float("-inf"), float("nan"), 1e18, -1e18, None])
def test_times_that_no_calendar_has(at: float | None) -> None:
    """A time beyond the calendar is shown as none, and breaks nothing."""
    assert words.date(at, datetime.UTC) == "<none>"
    model = replace(CLASSIC["authorized"], registration=Registering(state="complete", expires=at))
    for command in commands.COMMANDS:
        commands.text(command, replace(model, events=(Event(at=at or 0.0, name="X", text="x"),)))


def test_the_months_are_english_whatever_the_locale() -> None:
    """The month's name does not come from the locale of who looks."""
    days = [datetime.datetime(2024, month, 5, tzinfo=datetime.UTC).timestamp() for month in range(1, 13)]
    names = [words.date(day, datetime.UTC)[:3] for day in days]
    assert names == ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 days, 0 hours, 0 minutes, 0 seconds"),
        (-5, "0 days, 0 hours, 0 minutes, 0 seconds"),
        (0.9, "0 days, 0 hours, 0 minutes, 0 seconds"),
        (89 * 86400 + 5631, "89 days, 1 hours, 33 minutes, 51 seconds"),
        (float("nan"), "0 days, 0 hours, 0 minutes, 0 seconds"),
        (float("inf"), "0 days, 0 hours, 0 minutes, 0 seconds"),
    ],
)
def test_spans_of_time(seconds: float, shown: str) -> None:
    """Spans are in whole seconds, and never below zero."""
    assert words.duration(seconds) == shown


@pytest.mark.parametrize("registration", get_args(RegistrationState))
@pytest.mark.parametrize("authorization", get_args(AuthorizationState))
def test_any_states_together_are_shown(
    registration: RegistrationState, authorization: AuthorizationState
) -> None:
    """Whatever registration meets whatever authorization, with a policy or none, all texts are made."""
    for base in (CLASSIC["new"], CLASSIC["authorized"], *USING_POLICY.values()):
        for times in (replace(base.authorization, state=authorization), Authorization(state=authorization)):
            model = replace(
                base, registration=replace(base.registration, state=registration), authorization=times
            )
            for command in commands.COMMANDS:
                assert commands.text(command, model)
            assert f"auth-state-{authorization}" in yang.document(model)


# ---- hostile text -----------------------------------------------------------------------------------------
def _everywhere(text: str) -> Iterator[Model]:
    """Models with the text in each place where a text from outside can stand."""
    account = Registering(
        state="complete", smart_account=text, virtual_account=text, renewal=Attempt(at=NOW, reason=text)
    )
    used = License(tag=text, name=text, count=1, mode="waiting", version=text, description=text)
    for base in (CLASSIC["authorized"], USING_POLICY["policy, trusted, acknowledged"]):
        for kind in ("smart", "cslu"):
            yield replace(
                base,
                udi=Udi(pid=text, sn=text, vid=text, suvi=text),
                software_id=text,
                hostname=text,
                custom_id=text,
                agent_version=text,
                message_version=text,
                capabilities=(text,),
                registration=account,
                authorization=replace(base.authorization, last=Attempt(at=NOW, reason=text)),
                licenses=(used,),
                transport=Transport(type=kind, url=text, proxy=(text, 80)),
                members=(Member(udi=Udi(pid=text, sn=text), trusted=NOW),),
                policy=base.policy and Policy(name=text, installed=NOW),
                reports=(Report(id=1, state="open", tag=text, name=text),),
                messages=tuple(
                    Message(at=NOW, kind=kind, id=text, outcome=text, imported=imported)
                    for kind, imported in (("AUTHORIZATION", False), (text, False), ("POLICY", True))
                ),
                events=(Event(at=NOW, name=text, text=text, fields={text: text, "udi": text}),),
            )


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    """Line ends, escapes, directions, very long names stand in the texts to be read, each on one line."""
    for model in _everywhere(text):
        plain = next(iter(_everywhere("harmless"))) if model.policy is None else None
        for command in commands.COMMANDS:
            shown = commands.text(command, model)
            shown.encode()
            assert all(line.isprintable() and len(line) <= words.WIDTH for line in shown.split("\n"))
            if plain is not None:
                same = replace(plain, transport=replace(plain.transport, type=model.transport.type))
                assert shown.count("\n") == commands.text(command, same).count("\n")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_any_text_stays_one_readable_line(text: str) -> None:
    """Whatever Unicode a server sends, what is printed of it is printable, not empty, and not too long."""
    shown = words.clean(text)
    assert shown.isprintable()
    assert 0 < len(shown) <= words.LONGEST
    if text.isprintable() and text.strip():
        assert shown == text.strip()[: words.LONGEST]


def test_what_is_cut_says_so() -> None:
    """A text that is too long ends in dots."""
    assert words.clean("x" * 300) == "x" * 252 + "..."
    assert words.clean("x" * 255) == "x" * 255
    assert words.fitted("C9300-24 Network Advantage", 26) == "C9300-24 Network Advantage"
    assert words.fitted("C9300-48 Network Advantages", 26) == "C9300-48 Network Advant..."


# ---- licenses and units -----------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [0, 1, 99999, 2**31 - 1, 2**63])
def test_counts_are_shown_whole(count: int) -> None:
    """A count is never cut, in whatever column it stands."""
    used = replace(CLASSIC["authorized"].licenses[0], count=count)
    model = replace(CLASSIC["authorized"], licenses=(used,))
    assert f"  Count: {count}\n" in commands.text(["usage"], model)
    assert re.search(rf"\) +{count} AUTHORIZED$", commands.text(["summary"], model), re.M)


def test_a_thousand_licenses_are_all_listed() -> None:
    """Each license in use has its section and its row."""
    used = CLASSIC["authorized"].licenses[0]
    many = tuple(replace(used, name=f"LICENSE_{number}", tag=f"regid.{number}") for number in range(1000))
    model = replace(CLASSIC["authorized"], licenses=many)
    assert commands.text(["usage"], model).count("  Count: 3") == 1000
    assert commands.text(["summary"], model).count(" AUTHORIZED\n") == 1001  # and the section's own status


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("waiting", "WAITING"),
        ("in-compliance", "AUTHORIZED"),
        ("out-of-compliance", "OUT OF COMPLIANCE"),
        ("overage", "OVERAGE"),
        ("evaluation", "EVAL MODE"),
        ("evaluation-expired", "EVAL EXPIRED"),
        ("authorization-expired", "AUTHORIZATION EXPIRED"),
        ("reservation-in-compliance", "RESERVED"),
        ("invalid-tag", "INVALID TAG"),
        ("disabled", "DISABLED"),
    ],
)
def test_each_enforcement_mode_has_its_words(mode: Any, shown: str) -> None:
    """A license's state is in the words of the device."""
    used = replace(CLASSIC["authorized"].licenses[0], mode=mode)
    text = commands.text(["usage"], replace(CLASSIC["authorized"], licenses=(used,)))
    assert f"  Version: 1.0\n  Status: {shown}\n" in text


def test_a_device_alone_has_no_list_of_units() -> None:
    """`HA UDI List` is there for several units, and for a member that is told of."""
    assert "HA UDI List" not in commands.text(["udi"], CLASSIC["authorized"])
    text = commands.text(["udi"], CLASSIC["authorized, with several units"])
    assert text == (
        "UDI: PID:C9300-24T,SN:FOC2705Y8X0\n\nHA UDI List:\n    Active:PID:C9300-24T,SN:FOC2705Y8X0\n"
        "    Standby:PID:C9300-24T,SN:FOC2705Y8X1\n    Member:PID:C9300-48T,SN:FOC2705Y8X2\n"
    )


def test_a_proxys_password_is_not_shown() -> None:
    """The model has no place for it, and the texts say that it is empty."""
    text = commands.text(["status"], USING_POLICY["policy, no trust, CSLU"])
    assert (
        "    Address: proxy.example.com\n    Port: 3128\n    Username: <empty>\n    Password: <empty>" in text
    )


def test_the_event_log_of_some_days() -> None:
    """`eventlog DAYS` begins that many days ago; without a number it is whole."""
    model = replace(
        CLASSIC["new"],
        events=tuple(Event(at=NOW - days * 86400, name=f"E{days}", text="x") for days in (30, 3, 1)),
    )
    assert re.findall(r"SAEVT_E(\d+)", commands.text(["eventlog"], model)) == ["30", "3", "1"]
    assert re.findall(r"SAEVT_E(\d+)", commands.text(["eventlog", "2"], model)) == ["1"]
    assert commands.text(["eventlog", "0"], model) == "No EventLog Found.\n"


def test_history_is_oldest_first_and_by_kind() -> None:
    """Each message stands once, under its kind, with when, which, and what came of it."""
    model = replace(
        CLASSIC["new"],
        messages=(
            Message(at=NOW, kind="AUTHORIZATION", id="b", outcome="FAILED"),
            Message(at=NOW - 60, kind="AUTHORIZATION", id="a", outcome="OK"),
            Message(at=NOW, kind="REGISTRATION", id="c", outcome="OK"),
            Message(at=NOW, kind="SOMETHING_NEW", id="d", outcome="OK"),
            Message(at=NOW, kind="POLICY", outcome="OK", imported=True),
        ),
    )
    text = commands.text(["history", "message"], model)
    order = [text.index(f" {name}: ") for name in "abcd"]
    assert order == sorted(order)
    for line in (
        "  2 past messages\n  Mar 13 08:09:00 2024 UTC: AUTHORIZATION a: OK\n",
        "Registration:\n  Mar 13 08:10:00 2024 UTC: REGISTRATION c: OK\n",
        "Other Messages:\n  Mar 13 08:10:00 2024 UTC: SOMETHING_NEW d: OK\n",
        "Import POLICY:\n  1 past Import message\n  Mar 13 08:10:00 2024 UTC: POLICY: OK\n",
    ):
        assert line in text


def test_an_evaluation_counts_down_to_nothing() -> None:
    """What is left of the evaluation is shown while it counts, and when it is over."""
    model = replace(CLASSIC["unregistered, evaluation"], evaluation=Evaluation(remaining=61.5, in_use=True))
    for command in (["status"], ["usage"], ["summary"], ["all"]):
        assert "Evaluation Period Remaining: 0 days, 0 hours, 1 minutes, 1 seconds" in commands.text(
            command, model
        )


def test_the_reference_shows_what_is_printed() -> None:
    """The example of docs/reference/show.md is the text of a state, and its table has each command."""
    page = (Path(__file__).parents[4] / "docs" / "reference" / "show.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    assert shown[1] == commands.text(["status"], CLASSIC["out of compliance"])
    listed = {words.removesuffix(" [DAYS]") for words in re.findall(r"^\| `([a-zA-Z \[\]]+)` \|", page, re.M)}
    assert listed == {" ".join(words) for words in commands.COMMANDS}


def test_the_references_program_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the page tells to write in a program prints a status and a YANG tree."""
    page = (Path(__file__).parents[4] / "docs" / "reference" / "show.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert program is not None
    Device.create(tmp_path / "router-1", identity.Udi(pid="C9300-24T", sn="FOC1"), hostname="router-1")
    exec(program[1].replace("devices/router-1", str(tmp_path / "router-1")), {})  # noqa: S102 - our own page
    out = capsys.readouterr().out
    assert "  Status: UNREGISTERED\n" in out
    assert '"cisco-smart-license:licensing"' in out
