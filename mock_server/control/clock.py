"""The clock of licensing: how far it is ahead of the real one. TLS and certificates keep to the real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain import clock
from mock_server.domain.words import date
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Advance(Fields, kw_only=True):
    seconds: float


class _Set(Fields, kw_only=True):
    at: float
    """Unix seconds."""


async def show(serving: Serving, _fields: Fields) -> Answer:
    await serving.ledger.settled()
    return _shown(serving)


async def advance(serving: Serving, fields: _Advance) -> Answer:
    await serving.commit(fields.by, clock.advance(serving.state, fields.seconds, _real(serving)))
    return _shown(serving)


async def set_(serving: Serving, fields: _Set) -> Answer:
    await serving.commit(fields.by, clock.set_to(serving.state, fields.at, _real(serving)))
    return _shown(serving)


async def reset(serving: Serving, fields: Fields) -> Answer:
    await serving.commit(fields.by, clock.reset(serving.state))
    return _shown(serving)


def _real(serving: Serving) -> float:
    return serving.now() - serving.state.settings.clock_offset


def _shown(serving: Serving) -> Answer:
    offset = serving.state.settings.clock_offset
    return {"now": date(serving.now()), "ahead_by_seconds": offset}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "clock.show": Operation(Fields, show),
    "clock.advance": Operation(_Advance, advance),
    "clock.set": Operation(_Set, set_),
    "clock.reset": Operation(Fields, reset),
}
