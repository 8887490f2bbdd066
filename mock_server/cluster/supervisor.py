"""The supervisor: one process that starts the two nodes' processes, and speaks for those that are not there.

Nothing restarts by itself. A node whose process died is started by `ha_cluster_start` on its console.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mock_server.cluster import config, console, decide, membership, predecessors, status
from mock_server.cluster.child import Child
from mock_server.cluster.client import revive
from mock_server.cluster.config import NODES, ClusterConfig, Layout, peer_of
from mock_server.cluster.consoles import Consoles
from mock_server.cluster.control import ControlServer, Request
from mock_server.cluster.forward import ask_one
from mock_server.cluster.hosts import Host
from mock_server.cluster.problems import (
    BAD_REQUEST,
    NOT_IN_SYNC,
    START_TIMEOUT,
)
from mock_server.cluster.processes import myself
from mock_server.cluster.roles import ACTIVE_STATES, SETTLED_STATES, State
from mock_server.cluster.sockets import bind
from mock_server.cluster.standing import Standing
from mock_server.cluster.talk import Talk
from mock_server.cluster.witness import Record, Witness
from mock_server.errors import SmartlicError
from mock_server.files import write_private

log = logging.getLogger(__name__)

_STATUS = 1.0
_SLICE = 2.0
_CONSOLE = 60.0
_SIGNALS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "resume": signal.SIGCONT}


class Supervisor:
    """A cluster that is up. `config_` is for a folder without a cluster; `host` runs nodes and CSSM.

    `move_to`: another address for a cluster whose servers are told apart by ports. `allow_remote`: whether
    other machines may reach it; None, as its folder says.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        config_: ClusterConfig | None,
        host: Host,
        *,
        move_to: str | None = None,
        allow_remote: bool | None = None,
    ) -> None:
        self.layout = Layout(folder)
        if config_ is not None and not self.layout.cluster_json.exists():
            config.create(folder, config_)
        self.config = config.load(folder)
        self.children = {str(name): host.node(self.layout, name) for name in NODES}
        self.cssm = host.cssm(self.layout)
        self._alive = host.alive
        self._move_to = move_to
        self._allow_remote = allow_remote
        self._control = ControlServer("the supervisor", Path("the terminal"), self._dispatch)
        self.consoles = Consoles(self.layout, self._status_of, self._standing)
        self._lock: int | None = None
        self._ended = asyncio.Event()
        self.problems: list[SmartlicError] = []

    # --- life

    async def serve(self, on_up: Callable[[dict[str, Any]], None], within: float = 30.0) -> None:
        """Bring the cluster up, stay until `down` is asked for or a signal comes, take it down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        try:
            on_up(await self.up(within))
            await self._ended.wait()
        finally:
            await self.down()

    async def up(self, within: float = 30.0, nodes: Sequence[str] = NODES) -> dict[str, Any]:
        """Start both nodes, or those given; return the status when one is Active and the other in sync.

        What hinders both is raised as the problem that it is, and then nothing is left running. It goes on
        where one can serve without the other, and where only an operator can decide who may (rule 7); what
        is wrong then is in `problems`.
        """
        self._lock = predecessors.take_lock(self.layout)
        try:
            if self._allow_remote is not None:
                self.config = config.allow(self.layout.folder, self._allow_remote)
            if self._move_to not in (None, self.config.vip.host):
                self.config = config.move(self.layout.folder, self._move_to)
            config.checked(self.config)
            for name in NODES:
                self.layout.node(name).mkdir(mode=0o700, parents=True, exist_ok=True)
            await predecessors.wait_for(self.layout)
            self._preflight()
            path = await self._control.open(predecessors.control(self.layout))
            me = myself()
            told = {"pid": me.pid, "started": me.started, "control": str(path)}
            write_private(self.layout.control_json, json.dumps(told).encode() + b"\n")
            starts = [self.children[name].start() for name in nodes]
            hindered, _ = await asyncio.gather(self._start_cssm(), asyncio.gather(*starts))
            self.problems = [*hindered, *await self._wait_for_roles(within, nodes)]
            return await self._status_or_problem()
        except BaseException:
            await self.down()
            raise

    async def down(self) -> None:
        """Stop the Standby first, so that nobody takes over, then the Active."""
        if self._lock is None:
            return  # another supervisor's cluster
        await self._end_processes()
        self.layout.control_json.unlink(missing_ok=True)
        await self._control.close()
        os.close(self._lock)
        self._lock = None

    async def _start_cssm(self) -> list[SmartlicError]:
        """What hinders CSSM is a warning: the cluster serves without it."""
        try:
            if self.cssm is not None:
                await self.cssm.start()
        except SmartlicError as error:
            return [error]
        return []

    async def _end_processes(self) -> None:
        for child in self._standby_first():
            await child.end()
        if self.cssm is not None:
            await self.cssm.end()
        self._ended.set()

    def _standby_first(self) -> list[Child]:
        return sorted(self.children.values(), key=lambda child: self._recorded(child.name) in ACTIVE_STATES)

    def _preflight(self) -> None:
        """Find out that an address is taken before any process is started."""
        vip = self.config.vip
        wanted = []
        if self._standing("primary") is Standing.MEMBER:
            wanted += [(vip.host, vip.device_port, True), (vip.host, vip.gui_port, True)]
        for name in NODES:
            node = self.config.node(name)
            ports = (node.device_port, node.gui_port, node.peer_port)
            wanted += [(node.host, port, False) for port in ports]
        for host, port, is_vip in wanted:
            bind(host, port, vip=is_vip).close()

    async def _wait_for_roles(self, within: float, nodes: Sequence[str]) -> list[SmartlicError]:
        """Until both have their role; or until it is clear that they have not, and why."""
        until = asyncio.get_running_loop().time() + within
        while True:
            left = until - asyncio.get_running_loop().time()
            said = await asyncio.gather(*(self._wait_for(self.children[name], left) for name in nodes))
            waiting = [decide.waits_for_peer(told["reason"]) for told in said if not _settled(told)]
            serves = any(_settled(told) and told["problem"] is None for told in said)
            if not waiting or (all(waiting) and not serves) or left <= 0:
                return [problem for told in said if (problem := self._problem_of(told, within)) is not None]

    async def _wait_for(self, child: Child, left: float) -> dict[str, Any]:
        seconds = max(0.0, min(left, _SLICE))
        return await child.result({"op": "wait", "seconds": seconds}, seconds + 5)

    def _problem_of(self, told: dict[str, Any], within: float) -> SmartlicError | None:
        name = told["node"]
        if told["problem"] is not None:
            return revive(told["problem"])
        if _settled(told):
            return None
        if decide.waits_for_peer(told["reason"]):
            peer = peer_of(name)
            return NOT_IN_SYNC(
                node=console.title(name), reason=told["reason"], peer=console.title(peer), peer_name=peer
            )
        log_path = str(self.layout.log(name))
        return START_TIMEOUT(node=name, seconds=within, detail=told["reason"], log=log_path)

    async def _status_or_problem(self) -> dict[str, Any]:
        """The status, if somebody serves or an operator's word is all that is missing."""
        status = await self.status()
        if status["active"] is None and not any(
            node["state"] == State.ALONE for node in status["nodes"].values()
        ):
            for problem in self.problems:
                if problem.code != NOT_IN_SYNC.code:
                    raise problem
        return status

    # --- control

    async def _dispatch(self, request: Request) -> dict[str, Any] | Talk:
        match request["op"]:
            case "status":
                return await self.status()
            case "console":
                return await self.consoles.talk(self._child(request), str(request.get("line", "")))
            case "console.login":
                return self.consoles.login(self._child(request), str(request.get("terminal", "")))
            case "down":
                await self._end_processes()
                return {}
            case "drill":
                return await self._drill(request)
            case str(op) if self.cssm is not None and op.startswith("cssm."):
                return await self.cssm.dispatch(request)
            case _ if "node" in request:
                return await self._child(request).result(_without_node(request), _CONSOLE)
            case _:
                return await self._ask_active(request)

    async def status(self) -> dict[str, Any]:
        """Both servers, each as it sees the cluster; a dead or hung one as its peer or the folder knows."""
        seen = await asyncio.gather(*(self._status_of(name) for name in NODES))
        nodes = dict(zip(NODES, seen, strict=True))
        active = next((name for name in NODES if nodes[name]["role"] == "Active"), None)
        mode = nodes["primary"]["mode"]
        return {"cluster": self.config.cluster, "mode": mode, "active": active, "nodes": nodes}

    async def _status_of(self, name: str) -> dict[str, Any]:
        for teller in (name, peer_of(name)):
            child = self.children[teller]
            with contextlib.suppress(SmartlicError, TimeoutError):
                said = await child.result({"op": "status"}, _STATUS)
                return said if teller == name else self._told_by_peer(name, said)
        return self._from_folder(name)

    def _told_by_peer(self, name: str, said: dict[str, Any]) -> dict[str, Any]:
        mine = said["servers"][name]
        hangs = self.children[name].running
        return {
            **said,
            "node": name,
            "role": mine["role"],
            "running": mine["cluster"] == "running",
            "state": mine["state"],
            "database": mine["database"],
            "mode": status.MODES[self._standing(name)],
            "reason": "its process does not answer" if hangs else "its process is gone",
            "problem": None,
            "cut": {},
            "pid": self.children[name].pid,
            "refused": "",
        }

    def _from_folder(self, name: str) -> dict[str, Any]:
        record: Record | None = None
        with contextlib.suppress(SmartlicError):
            record = Witness(self.layout.witness, "supervisor").read()
        return status.build(
            config.load(self.layout.folder),
            me=name,
            states={node: self._recorded(node) for node in NODES},
            indexes=dict.fromkeys(NODES),
            heartbeat=False,
            record=record,
            reason="its process is gone",
            problem=None,
            standing=self._standing(name),
            facts={"cut": {}, "takeover_seconds": None, "pid": None, "refused": ""},
        )

    def _standing(self, name: str) -> Standing:
        """What a server is, from the folder: also a deployment or a teardown has changed only that."""
        return membership.standing_of(self.layout, config.load(self.layout.folder), name)

    def _recorded(self, name: str) -> State | None:
        return status.recorded_state(self.layout, name, self._alive)

    async def _drill(self, request: Request) -> dict[str, Any]:
        """Kill, hang or resume a node's process; other drills are the node's own."""
        child = self._child(request)
        number = _SIGNALS.get(str(request.get("kind")))
        if number is None:
            return await child.result(_without_node(request), _CONSOLE)
        child.signal(number)
        if number == signal.SIGKILL:
            await child.gone(_STATUS)
        return {}

    async def _ask_active(self, request: Request) -> dict[str, Any]:
        """Forward a service's own operation to the Active, wherever it is."""
        askable = list(reversed(self._standby_first()))
        if self._standing("primary") is Standing.ALONE:
            askable = [self.children["primary"]]  # the other one has no data, or data of its own
        return await ask_one(askable, request)

    def _child(self, request: Request) -> Child:
        name = request.get("node")
        if name not in self.children:
            raise BAD_REQUEST(detail=f"node is {' or '.join(NODES)}")
        return self.children[name]


def _settled(told: dict[str, Any]) -> bool:
    """Whether a node has its role, or a problem that keeps it from having one."""
    return (
        told["problem"] is not None
        or told["state"] in SETTLED_STATES
        or decide.waits_for_operator(told["reason"])
    )


def _without_node(request: Request) -> Request:
    return {key: value for key, value in request.items() if key != "node"}
