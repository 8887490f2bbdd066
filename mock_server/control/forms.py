"""What the operations share: how an operation is declared, and its fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from mock_server.cluster.machine import ControlHandler
from mock_server.domain.state import DEFAULT_ACCOUNT, DEFAULT_VIRTUAL_ACCOUNT
from mock_server.errors import CallerError, problem
from mock_server.serving import Serving

__all__ = ["Answer", "Fields", "Operation", "Page", "Placed", "handler"]

Answer = dict[str, Any]
T = TypeVar("T")

BAD_FIELD = problem(
    "bad-field",
    CallerError,
    "The command's fields are not valid: {why}.",
    "See `smartlic-mock COMMAND --help` for what it takes.",
)


class Fields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every operation may be given; each has a form for the rest. A misspelt one is refused."""

    by: str = "console"


class Placed(Fields, kw_only=True):
    """What is done in one virtual account of a local account."""

    account: str = DEFAULT_ACCOUNT
    virtual_account: str = DEFAULT_VIRTUAL_ACCOUNT


class Page(Fields, kw_only=True):
    """Part of a long list: `limit` of them from `offset` on; a limit of -1 gives all that follow."""

    limit: Annotated[int, msgspec.Meta(ge=-1)] = 1000
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0

    def of(self, whole: Sequence[T]) -> Sequence[T]:
        return whole[self.offset :] if self.limit < 0 else whole[self.offset : self.offset + self.limit]


@dataclass(frozen=True)
class Operation:
    """`run(serving, fields)` gets its fields checked against `form`, and returns JSON-ready data."""

    form: type[Fields]
    run: Callable[[Serving, Any], Awaitable[Answer]]


def handler(active: Callable[[], Serving], operation: Operation) -> ControlHandler:
    """The operation as the control socket calls it. `active()` gives what serves, or raises not-active."""

    async def handle(fields: dict[str, Any]) -> Answer:
        try:
            asked = msgspec.convert(fields, operation.form)
        except msgspec.ValidationError as error:
            raise BAD_FIELD(why=str(error)) from None
        return await operation.run(active(), asked)

    return handle
