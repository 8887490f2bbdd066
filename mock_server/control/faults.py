"""Faults on purpose, and the journal of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from mock_server.control.forms import Answer, Fields, Operation, Page
from mock_server.domain.words import date
from mock_server.faults import CERTIFICATES, Endpoint, Fault, Kind
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Set(Fields, kw_only=True):
    kind: Kind
    endpoint: Endpoint = "devices"
    times: int | None = None
    rate: float = 1.0
    seconds: float = 0.0
    status: int = 503
    retry_after: int | None = None


class _Clear(Fields, kw_only=True):
    kind: Kind | None = None


class _Reset(Fields, kw_only=True):
    seed: int = 0


async def set_(serving: Serving, fields: _Set) -> Answer:
    said = msgspec.structs.asdict(fields)
    del said["by"]
    serving.faults.set(msgspec.convert(said, Fault))
    if fields.kind in CERTIFICATES:
        serving.renew_tls()  # from the next handshake on
    return _listed(serving)


async def list_(serving: Serving, _fields: Fields) -> Answer:
    return _listed(serving)


async def clear(serving: Serving, fields: _Clear) -> Answer:
    count = serving.faults.clear(fields.kind)
    serving.renew_tls()
    return {"cleared": count, **_listed(serving)}


async def reset(serving: Serving, fields: _Reset) -> Answer:
    serving.faults.reset(fields.seed)
    serving.renew_tls()
    return _listed(serving)


async def requests(serving: Serving, fields: Page) -> Answer:
    """The newest first."""
    newest = serving.faults.newest()
    rows = [{**msgspec.structs.asdict(one), "at": date(one.at)} for one in fields.of(newest)]
    return {"total": len(newest), "requests": rows}


def _listed(serving: Serving) -> Answer:
    return {"faults": serving.faults.listed()}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "fault.set": Operation(_Set, set_),
    "fault.list": Operation(Fields, list_),
    "fault.clear": Operation(_Clear, clear),
    "fault.reset": Operation(_Reset, reset),
    "fault.requests": Operation(Page, requests),
}
