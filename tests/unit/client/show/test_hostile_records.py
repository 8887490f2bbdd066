"""A stored record with any place missing, of another type, or too large: shown, or refused by a code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smartlic_client.device import Device
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.record import Record
from smartlic_client.show import commands, yang
from smartlic_client.show.model import Model
from smartlic_client.show.reading import NO_RECORD, model_of_data
from tests.cli.harness import assert_error, inside
from tests.unit.protocol.life import Life
from tests.unit.protocol.test_hostile_answers import MISSING, STARTS, changed, paths

SETTINGS: dict[str, Any] = {"url": "https://vip/SmartTransport", "transport": "smart"}
VALUES: list[Any] = [MISSING, None, "", "x", "x" * 5000, "\x1b[2J\x00%s{x}", -1, 2**31, 2**63]
VALUES += [10**400, 1e308, -1e308, 1.5, True, [], [None], [[[]]], {}, {"": {}}]


def rich(start: str) -> dict[str, Any]:
    """A record in which much is going on: in flight, refused, with reports and a history."""
    life: Life = STARTS[start]()
    life.say()
    return life.record.to_data()


def shown(model: Model) -> None:
    """All that people can read of it."""
    for words in commands.COMMANDS:
        text = commands.text(words, model)
        assert "\x1b" not in text
        assert "\x00" not in text
    yang.document(model)


@pytest.mark.parametrize("start", ["REGISTRATION", "AUTHORIZATION", "LICENSE_USAGE"])
def test_whatever_is_stored_is_shown_or_refused(start: str) -> None:
    """No text fails on a model that was read; what no model is made of is told by its kinds of errors."""
    good = rich(start)
    seen = {"shown": 0, "refused": 0}
    for path in paths(good):
        for value in VALUES:
            record = changed(good, path, value)
            try:
                model = model_of_data(record, SETTINGS, 1_750_000_000.0)
            except NO_RECORD:
                seen["refused"] += 1
                continue
            seen["shown"] += 1
            shown(model)
    assert min(seen.values()) > 100


def test_what_is_no_record_is_a_validation_error() -> None:
    """Nothing else is raised by a changed record: `device-unreadable` catches it."""
    good = rich("LICENSE_USAGE")
    taken = 0
    for path in paths(good):
        for value in VALUES:
            try:
                Record.from_data(changed(good, path, value))
            except msgspec.ValidationError:
                continue
            taken += 1
    assert taken > 100


def test_a_device_whose_key_was_taken_out_is_not_opened(tmp_path: Path) -> None:
    """A file out of a support bundle: it can be looked at, and is not used."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    file = tmp_path / "x" / "device.json"
    stored = json.loads(file.read_text())
    stored["state"]["record"] |= rich("LICENSE_USAGE")
    stored["state"]["record"]["usage"]["identity"]["key"] = "(removed)"
    file.write_text(json.dumps(stored))
    smartlic = inside("smartlic", tmp_path)
    assert smartlic.run("show", "status").returncode == 0
    before = file.read_bytes()
    for words in (["sync"], ["report"], ["privacy", "all"]):
        assert_error(smartlic.run(*words), "device-unreadable", 1)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        ("DEREGISTRATION", {"registration": "not-registered"}),
        ("DEREGISTRATION", {"identity": None}),
        ("REGISTRATION", {"in_flight": None}),
        ("REGISTRATION", {"new_key": None}),
        ("REGISTRATION", {"authorization": "authorized"}),
        ("AUTHORIZATION", {"evaluation_since": None}),
        ("LICENSE_USAGE", {"usage": None}),
        ("LICENSE_USAGE", {"in_flight": None, "poll_id": "x"}),
    ],
)
def test_a_record_that_contradicts_itself_is_not_opened(
    tmp_path: Path, start: str, changes: dict[str, Any]
) -> None:
    """No step of a table would fit it: told when the device is opened, and not in the middle of a run."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    file = tmp_path / "x" / "device.json"
    stored = json.loads(file.read_text())
    stored["state"]["record"] = rich(start)
    file.write_text(json.dumps(stored))
    with Device.open(tmp_path / "x"):
        pass
    stored["state"]["record"] |= changes
    file.write_text(json.dumps(stored))
    with pytest.raises(SmartlicError) as caught:
        Device.open(tmp_path / "x")
    assert caught.value.code == "device-unreadable"
    with pytest.raises(SmartlicError):  # the lock was let go: the second says the same, and not store-busy
        Device.open(tmp_path / "x", lock_timeout=0)


@pytest.mark.parametrize("field", ["report_id", "count"])
def test_a_file_that_was_changed_by_hand(tmp_path: Path, field: str) -> None:
    """`show` says that it cannot be read, also where the agent would take it; there is no traceback."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    file = tmp_path / "x" / "device.json"
    stored = json.loads(file.read_text())
    stored["state"]["record"] |= rich("LICENSE_USAGE")
    (opened,) = stored["state"]["record"]["usage"]["open"].values()
    opened[field] = ""
    file.write_text(json.dumps(stored))
    smartlic = inside("smartlic", tmp_path)
    for words in (["status"], ["license", "all"], ["yang"], ["usage"]):
        assert_error(smartlic.run("show", *words), "device-unreadable", 1)
