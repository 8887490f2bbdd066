"""What runs the nodes and CSSM for the supervisor: processes of their own, or something in their place."""

from __future__ import annotations

from typing import Any, Protocol

from mock_server.cluster.child import Child
from mock_server.cluster.companion import Companion
from mock_server.cluster.config import Layout
from mock_server.cluster.control import Request
from mock_server.cluster.processes import ProcessId, alive

__all__ = ["Beside", "Host", "Processes"]


class Beside(Protocol):
    """CSSM, as the supervisor holds it: `companion.Companion`."""

    async def start(self) -> None: ...
    async def end(self) -> None: ...
    async def dispatch(self, request: Request) -> dict[str, Any]: ...


class Host(Protocol):
    """Makes what the supervisor starts and ends."""

    def node(self, layout: Layout, name: str) -> Child: ...

    def cssm(self, layout: Layout) -> Beside | None: ...

    def alive(self, process: ProcessId) -> bool:
        """Whether the process that a node's file names still runs."""


class Processes:
    """`service`: module:factory of what the nodes serve. `cssm`: the module of CSSM's process, if any."""

    alive = staticmethod(alive)

    def __init__(self, service: str, cssm: str | None = None) -> None:
        self._service = service
        self._cssm = cssm

    def node(self, layout: Layout, name: str) -> Child:
        return Child(layout, name, self._service)

    def cssm(self, layout: Layout) -> Companion | None:
        return Companion(layout, self._cssm) if self._cssm is not None else None
