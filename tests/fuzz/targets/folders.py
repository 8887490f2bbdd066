"""The small files of a cluster's folder and of CSSM, changed by hand: read, or refused with a code."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from mock_server.cluster import config
from mock_server.cluster.witness import Record, Witness
from mock_server.cssm.state import CssmState, add_purchase
from mock_server.cssm.store import Store
from mock_server.domain.synchronization import Purchase
from mock_server.errors import SmartlicError
from smartlic_client.preflight import earlier
from tests.fuzz import scratch
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target
from tests.unit.domain.world import tag


def _witness(folder: Path) -> None:
    Witness(folder, "primary").read()


def _cssm(folder: Path) -> None:
    Store(folder).close()


def _earlier(folder: Path) -> None:
    earlier.load_earlier(str(folder / "earlier.json"))


_FILES: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("cluster.json", config.load),
    ("7.json", _witness),
    ("state.json", _cssm),
    ("earlier.json", _earlier),
)


def prepare() -> Read:
    folder = scratch.folder() / "f"

    def read(data: bytes) -> None:
        if not data:
            return
        name, load = _FILES[data[0] % len(_FILES)]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / name).write_bytes(data[1:])
        try:
            load(folder)
        except SmartlicError as error:
            assert error.mend

    return read


def seeds() -> Iterator[bytes]:
    yield b"\0" + msgspec.json.encode(config.configure())
    record = Record(3, 2, ("primary", "secondary"), "primary", start_index=4, index=9)
    yield b"\1" + msgspec.json.encode(record)
    state = CssmState()
    add_purchase(state, "Smart", "Virtual", Purchase(id="", tag=tag(1), name="DNA", quantity=3))
    yield b"\2" + msgspec.json.encode(state)
    chain = {
        "common_names": ["vip"],
        "dns_names": ["vip.lab"],
        "ip_addresses": ["10.0.0.5"],
        "issuer": "CN=x",
        "fingerprint": "sha256:0",
    }
    result = {"target": "https://vip/x", "observed": {"active": "primary", "endpoints": [{"chain": [chain]}]}}
    yield b"\3" + msgspec.json.encode({"schema_version": 1, "checked_at": "2026-01-01", "results": [result]})


TARGETS = (Target("folders", prepare, seeds, json_in_json),)
