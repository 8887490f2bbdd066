"""The control operations of a node: its console, its status, drills, and the service's own commands."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shlex
from collections.abc import AsyncIterator
from typing import Any

from mock_server.cluster import console
from mock_server.cluster.decide import forced_take_over, waits_for_peer
from mock_server.cluster.node import Node
from mock_server.cluster.problems import BAD_REQUEST, NOT_ACTIVE, UNKNOWN_OP
from mock_server.cluster.roles import ACTIVE_STATES, Event, State, role
from mock_server.errors import SmartlicError

_SETTLED = frozenset({State.ACTIVE, State.ACTIVE_ALONE, State.STANDBY})
_PEER_PATIENCE = 1.5  # how long a start waits for an Active peer before it says that there is none
_START_PATIENCE = 15.0
_DRILLS = ("replication-cut", "heartbeat-cut", "disk-full", "disk-ok")


class Operations:
    """Answers the requests of a node's control socket."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def dispatch(self, request: dict[str, Any]) -> dict[str, Any] | AsyncIterator[str]:
        node = self._node
        match request.pop("op"):
            case "ping":
                return {}
            case "status":
                return await self.status()
            case "console":
                return self.console(str(request.get("line", "")))
            case "wait":
                return await self.wait(float(request.get("seconds", 10.0)))
            case "drill":
                return await self.drill(str(request.get("kind")), float(request.get("seconds", 5.0)))
            case str(op) if op in node.service.control:
                if node.state not in ACTIVE_STATES:
                    raise NOT_ACTIVE(node=node.name, state=role(node.state), retry_after=1)
                return await node.service.control[op](request)
            case op:
                known = ["console", "drill", "ping", "status", "wait", *node.service.control]
                raise UNKNOWN_OP(op=op, known=", ".join(sorted(known)))

    async def status(self) -> dict[str, Any]:
        """Both servers as this node sees them."""
        node = self._node
        with contextlib.suppress(SmartlicError):
            record = await node.aside(node.witness.read)
            if node.state not in ACTIVE_STATES:
                node.record = record
        return node.status()

    async def wait(self, seconds: float) -> dict[str, Any]:
        """Return when the node is Active, or Standby in sync, or has a problem; or when time is up."""
        node = self._node
        with contextlib.suppress(TimeoutError):
            await node.until(lambda: node.state in _SETTLED or self._stuck(), seconds)
        return await self.status()

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

    async def console(self, line: str) -> AsyncIterator[str]:
        """The lines that a console command prints, as they come."""
        try:
            words = shlex.split(line)
        except ValueError:
            words = [line]
        match words:
            case []:
                return
            case ["ha_status"]:
                lines = console.ha_status(await self.status())
            case ["ha_cluster_stop"]:
                async for text in self._stop():
                    yield text
                return
            case ["ha_cluster_start"] | ["ha_cluster_start", "--force"]:
                async for text in self._start(force="--force" in words):
                    yield text
                return
            case ["version"]:
                lines = [f"smartlic mock {importlib.metadata.version('smartlic')}"]
            case ["help"]:
                lines = console.help_lines()
            case _:
                lines = console.unknown(words[0])
        for text in lines:
            yield text

    async def _stop(self) -> AsyncIterator[str]:
        node = self._node
        if node.state is State.STOPPED:
            for text in console.already_stopped(node.name):
                yield text
            return
        yield console.STOP_PACEMAKER
        await node.command(Event.STOP)
        await node.until(lambda: node.state is State.STOPPED, _START_PATIENCE)
        yield console.STOP_COROSYNC
        await node.until(node.at_rest, _START_PATIENCE)

    async def _start(self, *, force: bool) -> AsyncIterator[str]:
        node = self._node
        if node.state is State.STOPPED:
            yield console.START_COROSYNC
            await node.command(Event.START)
            await node.until(lambda: node.state not in (State.STOPPED, State.STARTING) or self._stuck(), 60.0)
            self._raise_problem()
            yield console.START_PACEMAKER
        elif not (force and node.state is State.WAITING):
            for text in console.already_running(node.name, role(node.state)):
                yield text
            return
        await self._wait_for_role()
        if force and node.state is State.WAITING:
            async for text in self._force():
                yield text
        self._raise_problem()
        for text in console.started(await self.status()) + console.cut_lines(node.cut):
            yield text

    async def _force(self) -> AsyncIterator[str]:
        """Rule 7."""
        node = self._node
        verdict = forced_take_over(node.view(node.peer_process()))
        if not verdict.lead:
            yield verdict.reason
            return
        for text in console.force_warning(await self.status(), node.peer):
            yield text
        await node.command(Event.FORCE)
        await node.until(lambda: node.state in _SETTLED or self._stuck(), _START_PATIENCE)

    async def _wait_for_role(self) -> None:
        """Until the node has its role, or it is clear that it must wait for its peer (rule 7)."""
        node = self._node

        def begun() -> bool:
            return node.state in _SETTLED or node.state is State.CATCHING_UP or self._stuck()

        def done() -> bool:
            return node.state in _SETTLED or self._stuck()

        with contextlib.suppress(TimeoutError):
            await node.until(begun, _PEER_PATIENCE)
        if node.state is not State.WAITING or not waits_for_peer(node.reason):
            with contextlib.suppress(TimeoutError):
                await node.until(done, _START_PATIENCE)

    def _stuck(self) -> bool:
        return self._node.problem is not None and self._node.at_rest()

    def _raise_problem(self) -> None:
        node = self._node
        if node.problem is not None and node.state is State.STOPPED:
            raise node.problem
