"""What a route is, what its function gets, and long lists, which leave in pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from mock_server.api.permissions import Caller
from mock_server.api.shapes import SUCCESS, Done, NewIdToken, Nothing, Page
from mock_server.control import perform
from mock_server.control.forms import Answer
from mock_server.domain.state import State
from mock_server.serving import Serving

__all__ = ["PIECE", "Call", "Listing", "Result", "Route", "page"]

PIECE: Final = 500
"""Rows of a list that are made and sent at a time: what is between two looks at the loop."""


@dataclass(frozen=True)
class Call:
    """One call of a caller who may make it. `account`, `virtual_account`: of the path, if it has them.
    `address`: whence it comes."""

    serving: Serving
    caller: Caller
    account: str = ""
    virtual_account: str = ""
    address: str = ""

    @property
    def state(self) -> State:
        return self.serving.state

    async def perform(self, operation: str, **fields: Any) -> Answer:
        """An operation of the control socket, done by the caller in the path's account, and kept."""
        return await perform(self.serving, operation, by=self.caller.name, **fields)


@dataclass(frozen=True)
class Listing:
    """Part of a list. `rows` may be what has to be looked up; `shown` makes the answer's rows of some of them
    when they are about to leave, and leaves out what has gone since."""

    name: str
    total: int
    rows: Sequence[Any]
    shown: Callable[[Sequence[Any]], Sequence[msgspec.Struct]]

    @property
    def is_long(self) -> bool:
        return len(self.rows) > PIECE

    def pieces(self) -> Iterator[bytes]:
        """The answer's JSON. Each piece shows the state of the moment in which it is made."""
        head = {"status": SUCCESS, "statusMessage": "", "totalRecords": self.total}
        yield msgspec.json.encode(head)[:-1] + f',"{self.name}":['.encode()
        between = b""
        for first in range(0, len(self.rows), PIECE):
            rows = msgspec.json.encode(self.shown(self.rows[first : first + PIECE]))[1:-1]
            if rows:
                yield between + rows
                between = b","
        yield b"]}"


Result = msgspec.Struct | Listing


@dataclass(frozen=True)
class Route:
    """One operation of the API. Routing and the OpenAPI document are made of it.

    `errors`: statuses beside those that every route has. `public`: it takes no access token. `run` decides
    and keeps; what it answers leaves once all that was in memory then is safe.
    """

    method: Literal["GET", "POST"]
    path: str
    operation: str
    summary: str
    gives: type[msgspec.Struct]
    run: Callable[[Call, Any], Awaitable[Result]]
    takes: type[msgspec.Struct] = Nothing
    errors: Sequence[int] = ()
    public: bool = False

    @property
    def changes(self) -> bool:
        """Whether it must not be done twice. (An access token whose answer is lost does no harm.)"""
        return self.gives in (Done, NewIdToken)


def page(asked: Page, rows: Sequence[Any]) -> Sequence[Any]:
    """The rows that were asked for."""
    return rows[asked.offset :] if asked.limit < 0 else rows[asked.offset : asked.offset + asked.limit]
