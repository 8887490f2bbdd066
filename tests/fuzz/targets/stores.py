"""What a device and a fleet have on disk, changed by hand or damaged: read, or refused with a code."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from smartlic_client.device import Device
from smartlic_client.errors import CommunicationError, SmartlicError, problem
from smartlic_client.fleet.store import FleetStore, Row
from smartlic_client.protocol import signing
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.record import Record
from smartlic_client.show import commands, yang
from smartlic_client.show.reading import NO_RECORD, model_of
from tests.fuzz import scratch, sqlite
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target
from tests.unit.domain.world import NOW
from tests.unit.protocol.test_hostile_answers import STARTS

AWAY = problem("fuzz-away", CommunicationError, "Nobody answers.", "Wait.")
_ENDS = "@KEY@"


class _Clock:
    """Of a device (protocol.flow.Environment)."""

    def __init__(self) -> None:
        self.random = random.Random(1).randbytes
        self._key = signing.new_key()

    def now(self) -> float:
        return NOW

    def new_key(self) -> signing.PrivateKey:
        return self._key


def _no_answer(*_: object) -> bytes:
    raise AWAY()


def used(device: Path) -> None:
    """All that is shown of a device, and what its timers make it do."""
    record, settings = Device.peek(device)
    try:
        model = model_of(record, NOW, url=settings.url, proxy=settings.proxy)
    except NO_RECORD:
        pass  # device-unreadable
    else:
        for words in commands.COMMANDS:
            commands.text(words, model)
        yang.document(model)
    with Device.open(device, environment=_Clock(), post=_no_answer, sleep=lambda _: None) as opened:
        opened.attend()


def prepare() -> Read:
    device = scratch.folder() / "x"
    key = signing.dump_key(signing.new_key())

    def read(data: bytes) -> None:
        shutil.rmtree(device, ignore_errors=True)
        device.mkdir(0o700)
        text = data[1:].replace(_ENDS.encode(), json.dumps(key)[1:-1].encode())
        (device / "device.json").write_bytes(text)
        try:
            used(device)
        except SmartlicError as error:
            assert error.mend

    return read


def records() -> Iterator[dict[str, Any]]:
    """Of devices in which much is going on; their keys and certificates have a short word in their place."""
    for start in STARTS.values():
        life = start()
        life.say()
        yield _short(life.record.to_data())


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    if isinstance(value, str) and "PRIVATE KEY" in value:
        return _ENDS
    return value[:40] if isinstance(value, str) and len(value) > 200 else value


def seeds() -> Iterator[bytes]:
    settings = {
        "url": "https://vip/SmartTransport",
        "transport": "smart",
        "anchors": "PEM",
        "proxy": "http://p:1",
    }
    for record in records():
        file = {"format": "smartlic-device", "version": 1, "state": {"record": record, "settings": settings}}
        yield b"\0" + json.dumps(file).encode()


# ---- fleets -----------------------------------------------------------------------------------------------
def _saved(path: Path) -> None:
    FleetStore.make(path)
    store = FleetStore(path)
    for number in range(3):
        row = Row(f"sw-{number}", NOW, NOW + 9, Record(udi=Udi(pid="P", sn=f"{number}"), software_id="s"))
        record = row.record
        values = (row.name, row.started, row.due, str(record.registration), str(record.authorization), False)
        assert store._commit([(*values, msgspec.msgpack.encode(record))]) is None
    store.close()


def prepare_fleet() -> Read:
    folder = scratch.folder()
    good, path = folder / "good", folder / "fleet"
    _saved(good)

    def read(data: bytes) -> None:
        for old in folder.glob("fleet*"):
            old.unlink()
        shutil.copy(good, path)
        if not sqlite.damaged(path, data[1:]):
            return
        try:
            FleetStore.make(path)
            with FleetStore(path) as store:
                for name, *_ in list(store.known()):
                    found = store.load(name)
                    assert found is None or found.settled in (True, False)
                store.load("sw-1")
        except SmartlicError as error:
            assert error.mend

    return read


def fleet_seeds() -> Iterator[bytes]:
    for column in ("name", "started", "due", "registration", "authorization", "settled", "record"):
        yield b"\0" + json.dumps([{"table": "device", "row": 1, "column": column, "value": 7}]).encode()
    yield b'\0[{"table": "meta", "row": 0, "column": "value", "value": "2"}]'
    yield b'\0[{"table": "meta", "row": 0}]'
    yield b'\0[{"byte": 5000, "value": 255}, {"byte": 40, "value": 9}]'
    yield b'\0[{"cut": 8192}]'
    yield b'\0[{"table": "device", "row": 0, "column": "record", "value": "hex:80"}]'


TARGETS = (
    Target("device-store", prepare, seeds, json_in_json, longest=8192),
    Target("fleet-store", prepare_fleet, fleet_seeds, json_in_json, longest=2048),
)
