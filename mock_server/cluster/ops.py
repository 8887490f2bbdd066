"""The control operations of a node: its console, its status, drills, and the service's own commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mock_server.cluster.commands import table
from mock_server.cluster.commands.handlers import HANDLERS
from mock_server.cluster.commands.membership import status_of, stuck
from mock_server.cluster.decide import waits_for_operator
from mock_server.cluster.node import Node
from mock_server.cluster.problems import BAD_REQUEST, CONSOLE_BUSY, NOT_ACTIVE, UNKNOWN_OP
from mock_server.cluster.roles import SERVING_STATES, SETTLED_STATES, role
from mock_server.cluster.talk import Talk, spoken, within

_DRILLS = ("replication-cut", "heartbeat-cut", "disk-full", "disk-ok")


class Operations:
    """Answers the requests of a node's control socket."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._running: str | None = None

    async def dispatch(self, request: dict[str, Any]) -> dict[str, Any] | Talk:
        node = self._node
        match request.pop("op"):
            case "ping":
                return {}
            case "status":
                return await status_of(node)
            case "console":
                return self.console(str(request.get("line", "")))
            case "wait":
                return await self.wait(float(request.get("seconds", 10.0)))
            case "drill":
                return await self.drill(str(request.get("kind")), float(request.get("seconds", 5.0)))
            case str(op) if op in node.service.control:
                if node.state not in SERVING_STATES:
                    raise NOT_ACTIVE(node=node.name, state=role(node.state), retry_after=1)
                return await node.service.control[op](request)
            case op:
                known = ["console", "drill", "ping", "status", "wait", *node.service.control]
                raise UNKNOWN_OP(op=op, known=", ".join(sorted(known)))

    async def wait(self, seconds: float) -> dict[str, Any]:
        """Return when the node is Active, or Standby in sync, or has a problem; or when time is up."""
        node = self._node
        with contextlib.suppress(TimeoutError):
            await node.until(
                lambda: node.state in SETTLED_STATES or stuck(node) or waits_for_operator(node.reason),
                seconds,
            )
        return await status_of(node)

    async def drill(self, kind: str, seconds: float) -> dict[str, Any]:
        """Break something on purpose: a connection cut alone, a disk that is full."""
        node = self._node
        match kind:
            case "replication-cut":
                node.peers.cut("replication", seconds)
            case "heartbeat-cut":
                node.peers.cut("heartbeat", seconds)
            case "disk-full" | "disk-ok" if node.worker is not None:
                await node.worker.write(node.worker.journal.limit, kind == "disk-full")
            case _:
                raise BAD_REQUEST(detail=f"drills are {', '.join(_DRILLS)}")
        return {}

    def console(self, line: str) -> Talk:
        """All that a console command says, as it comes; it asks what it has to. Raises what no command is."""
        found = table.read(line)
        if found is None:
            return spoken([])
        command, arguments = found
        lines = table.plain(command, arguments)
        if lines is not None:
            return spoken(lines)
        talk = HANDLERS[command.name](self._node, arguments)
        return within(self._turn(command.name), talk) if command.changes else talk

    @contextlib.contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """One console at a time changes something here; another one is told so."""
        if self._running is not None:
            raise CONSOLE_BUSY(node=self._node.name.capitalize(), command=self._running)
        self._running = name
        try:
            yield
        finally:
            self._running = None
