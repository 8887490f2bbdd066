"""The event log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain.events import decode
from mock_server.domain.words import date, describe
from mock_server.serving import Serving

__all__ = ["OPERATIONS", "log_lines"]


class _List(Fields, kw_only=True):
    limit: int = 50


async def list_events(serving: Serving, fields: _List) -> Answer:
    await serving.ledger.settled()
    found = await serving.ledger.read_events(limit=max(1, min(fields.limit, 1000)), newest_first=True)
    return {"events": [line for entry in found for line in log_lines(entry.index, entry.payload)]}


def log_lines(index: int, payload: bytes) -> list[Answer]:
    """A change of the journal, an entry for each of its events."""
    change = decode(payload)
    return [
        {
            "index": index,
            "at": date(change.at),
            "by": change.by,
            "node": change.node,
            "event": describe(event),
        }
        for event in change.events
    ]


OPERATIONS: Final[Mapping[str, Operation]] = {"event.list": Operation(_List, list_events)}
