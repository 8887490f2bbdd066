"""How devices are answered, on purpose: for tests of clients. Of the Active's process, and gone with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from mock_server.control.forms import Answer, Fields, Operation
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


class _Postpone(Fields, kw_only=True):
    """`next`: how many messages; 0: none any more. `seconds`: what they are told to wait."""

    next: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    seconds: Annotated[int, msgspec.Meta(ge=0, le=86400)] = 30


async def postpone(serving: Serving, fields: _Postpone) -> Answer:
    postponing = serving.desk.postponing
    postponing.left, postponing.seconds = fields.next, fields.seconds
    return _shown(serving)


async def show(serving: Serving, _fields: Fields) -> Answer:
    return _shown(serving)


def _shown(serving: Serving) -> Answer:
    return {"postpone_next": serving.desk.postponing.left, "seconds": serving.desk.postponing.seconds}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "answers.postpone": Operation(_Postpone, postpone),
    "answers.show": Operation(Fields, show),
}
