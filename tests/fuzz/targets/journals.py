"""A node's journal on a disk that was damaged: it is refused, or nothing of it has changed.

And changes by themselves, as a journal of any release may hold them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from mock_server.domain import events
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.words import describe
from mock_server.errors import SmartlicError
from mock_server.journal import Journal, next_row
from tests.fuzz import scratch, sqlite
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target
from tests.unit.domain.test_usage_files import ONE, Lab
from tests.unit.domain.world import rows


@cache
def happened() -> tuple[list[bytes], dict[tuple[str, str], bytes]]:
    """The changes of some days, and what they have led to."""
    lab = Lab()
    agent = lab.device()
    lab.trust(agent)
    lab.take(lab.used(agent, ONE, 2))
    server = lab.server
    return [events.encode(change) for change in server.ledger.changes], rows(server.machine)


def written(path: Path) -> None:
    payloads, bodies = happened()
    journal = Journal(path)
    for number, payload in enumerate(payloads):
        keys = {"ca": b"PEM"} if number == 1 else {}
        whole = [(kind, key, body) for (kind, key), body in bodies.items()]
        journal.append(
            [next_row(journal.head, 1, payload, keys)], whole if number + 1 == len(payloads) else []
        )
    journal.close()


def content(path: Path) -> tuple[Any, ...]:
    """All that a node reads of it."""
    journal = Journal(path)
    try:
        machine = LicensingMachine()
        machine.load(journal.aggregates())
        found = journal.read(1), rows(machine), journal.keys(), journal.head
    finally:
        journal.close()
    return found


def prepare() -> Read:
    folder = scratch.folder()
    good = folder / "good.sqlite"
    written(good)
    expected = content(good)
    node = folder / "node"

    def read(data: bytes) -> None:
        shutil.rmtree(node, ignore_errors=True)
        node.mkdir()
        path = node / "journal.sqlite"
        shutil.copy(good, path)
        shutil.copy(f"{good}-tip", f"{path}-tip")
        if not sqlite.damaged(path, data[1:]):
            return
        try:
            found = content(path)
        except SmartlicError:
            return
        assert found == expected, "a journal that was altered is read as if it were none"

    return read


def seeds() -> Iterator[bytes]:
    columns = {
        "journal": ("idx", "epoch", "payload", "checksum", "key_names"),
        "aggregate": ("kind", "key", "body", "checksum"),
        "key_store": ("name", "idx", "pem"),
        "meta": ("name", "value"),
    }
    for table, names in columns.items():
        for column in names:
            yield b"\0" + json.dumps([{"table": table, "row": 1, "column": column, "value": 7}]).encode()
        yield b"\0" + json.dumps([{"table": table, "row": 0}]).encode()
    yield b'\0[{"byte": 5000, "value": 255}, {"byte": 40, "value": 9}]'
    yield b'\0[{"cut": 8192}]'
    yield b'\0[{"table": "journal", "row": 0, "column": "payload", "value": "hex:00"}]'


# ---- changes ----------------------------------------------------------------------------------------------
def prepare_changes() -> Read:
    def read(data: bytes) -> None:
        """In MessagePack, or, which changes better, in JSON."""
        try:
            if data[:1] == b"\0":
                change = msgspec.json.decode(data[1:], type=events.Change)
                payload = events.encode(change)
            else:
                payload = data[1:]
        except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
            return
        try:
            change = events.decode(payload)
        except msgspec.ValidationError:
            return
        for event in change.events:
            assert isinstance(describe(event), str)
        again = events.encode(change)  # as bytes: a time that is no number does not equal itself
        assert events.encode(events.decode(again)) == again

    return read


def change_seeds() -> Iterator[bytes]:
    for payload in happened()[0]:
        yield b"\1" + payload
        yield b"\0" + msgspec.json.encode(events.decode(payload))


TARGETS = (
    Target("journal", prepare, seeds, json_in_json, longest=2048),
    Target("changes", prepare_changes, change_seeds, json_in_json, longest=8192),
)
