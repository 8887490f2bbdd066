"""Who of the nodes answers an operation of the service: the Active, and each operation is done once.

A node that says "not Active" before it began has done nothing, so the next one is asked. One that ended or
was deposed after it began may have done it, and the change may be on the other node's disk: to ask that one
would do it twice. Then only what changes nothing is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from mock_server.cluster.problems import ANSWER_LOST, NOBODY_ACTIVE, NODE_HUNG, NOT_ACTIVE, NOT_RUNNING
from mock_server.errors import SmartlicError

__all__ = ["ask_one"]

_FORWARD = 30.0
_LOOKS = ("list", "show", "status", "certificates")


class Askable(Protocol):
    """A node's process."""

    title: str

    @property
    def pid(self) -> int | None: ...

    async def result(self, request: dict[str, Any], seconds: float) -> dict[str, Any]: ...


async def ask_one(nodes: Iterable[Askable], request: dict[str, Any]) -> dict[str, Any]:
    """The answer of the first that is Active. `nodes`: in the order in which to ask them."""
    op = str(request["op"])
    looks = op.rpartition(".")[2] in _LOOKS
    for node in nodes:
        try:
            return await node.result(request, _FORWARD)
        except TimeoutError:
            raise NODE_HUNG(node=node.title, pid=node.pid, retry_after=1) from None
        except SmartlicError as error:
            if error.code == NOT_ACTIVE.code:
                if error.context.get("kept") == "unknown" and not looks:
                    raise ANSWER_LOST(node=node.title, op=op, retry_after=1) from None
            elif error.code != NOT_RUNNING.code and not (looks and error.code == ANSWER_LOST.code):
                raise
    raise NOBODY_ACTIVE(retry_after=1)
