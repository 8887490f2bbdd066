"""A mock cluster in a program or a test.

with Cluster() as ssm:
    device.set_destination(ssm.url)
    device.trust(ssm.trust_anchor.encode())
    device.register(IdToken(ssm.token()))
    ssm.kill("primary")

async with Cluster(processes=True) as ssm:
    token = await ssm.token()
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from mock_server.administrators import kept_password
from mock_server.cluster import client
from mock_server.cluster.client import Answer
from mock_server.cluster.config import NODES, Address, ClusterConfig, load
from mock_server.cluster.problems import BAD_REQUEST
from mock_server.errors import CallerError, CommunicationError, problem
from mock_server.library.faults import ClusterFaults
from mock_server.library.running import Running

__all__ = ["AsyncCluster", "Clock", "Cluster"]

NOT_ENTERED = problem(
    "library-not-entered",
    CommunicationError,
    "The cluster is not up: it is from `with Cluster() as ssm:` to the end of that block.",
    "Use it inside the block.",
)

ENTERED = problem(
    "library-entered",
    CallerError,
    "This cluster is up already: it is in another block.",
    "Use that one, or make another: `Cluster()`.",
)

PASSWORD_CHANGED = problem(
    "library-password-changed",
    CallerError,
    "The password that the first administrator had is kept no longer: it was changed, or the user removed.",
    "Use the present one; `Cluster.ask('user.password', name=…, password=…)` gives another.",
)

T = TypeVar("T")

Cut = Literal["heartbeat", "replication"]
PATH = "/Transportgateway/services/DeviceRequestHandler"


class Cluster:
    """A cluster that is up in a `with` block: whole, or with `servers=1` its Primary alone.

    `folder`: where it is kept; None, a temporary folder that goes with it. One that holds a cluster starts
    that one. `processes`: each server is a process, as under `smartlic-mock up`; else a thread of this one,
    which starts faster. `host`: the one address that a new cluster has, with free ports. `config`: addresses
    and ports for a new cluster instead, by `mock_server.cluster.config.configure`. `allow_remote`: its
    addresses may be others than the loopback's, which other machines reach.

    What cannot be done is raised as a problem (`smartlic_client.errors.SmartlicError`). Methods may be called
    from any thread.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        processes: bool = False,
        servers: Literal[1, 2] = 2,
        host: str = "127.0.0.1",
        config: ClusterConfig | None = None,
        allow_remote: bool = False,
    ) -> None:
        self._given = None if folder is None else Path(folder).absolute()
        self._processes = processes
        self._servers = NODES[:servers]
        self._host = host
        self._asked = config
        self._allow_remote = allow_remote or None  # else as the folder or `config` says
        self._temporary: Path | None = None
        self._running: Running | None = None
        self._pid = os.getpid()
        self._config: ClusterConfig | None = None
        self._anchor = ""
        self.clock = Clock(self)
        self.faults = ClusterFaults(self.ask)

    # --- life

    def __enter__(self) -> Self:
        if self._running is not None:
            raise ENTERED()
        self._pid = os.getpid()
        if self._given is None:
            self._temporary = _temporary_folder()
        self._running = Running(
            self.folder,
            processes=self._processes,
            nodes=self._servers,
            allow_remote=self._allow_remote,
        )
        try:
            self._running.begin(self._asked, self._host)
            self._config = load(self.folder)
            self._name_it()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take it down. Again it does nothing, nor does it in a process that was forked inside the block."""
        running, self._running = self._running, None
        temporary, self._temporary = self._temporary, None
        if self._pid != os.getpid():
            return
        try:
            if running is not None:
                running.end()
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)

    async def __aenter__(self) -> AsyncCluster:
        await asyncio.to_thread(self.__enter__)
        return AsyncCluster(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def _name_it(self) -> None:
        """A new cluster's certificates bear the VIP, so that products can register at once."""
        found = self.ask("certificates")
        if found["served_name"] == found["common_name"] == self._primary_host != self.vip.host:
            self.ask("common-name", name=self.vip.host)
            self.ask("synchronize")
        self._anchor = str(found["trust_anchor"])

    @property
    def _primary_host(self) -> str:
        return self.config.nodes.primary.host

    # --- where it is

    @property
    def folder(self) -> Path:
        folder = self._given or self._temporary
        if folder is None:
            raise NOT_ENTERED()
        return folder

    @property
    def config(self) -> ClusterConfig:
        """Addresses and ports of the servers and of the VIP."""
        if self._config is None:
            raise NOT_ENTERED()
        return self._config

    @property
    def vip(self) -> Address:
        return self.config.vip

    @property
    def url(self) -> str:
        """The Transport Gateway URL that products are given."""
        return f"https://{_spelled(self.vip.host)}:{self.vip.device_port}{PATH}"

    @property
    def gui_url(self) -> str:
        """The pages, by the VIP."""
        return f"https://{_spelled(self.vip.host)}:{self.vip.gui_port}/"

    @property
    def trust_anchor(self) -> str:
        """The licensing root's certificate, PEM."""
        if not self._anchor:
            raise NOT_ENTERED()
        return self._anchor

    @property
    def admin_password(self) -> str:
        """The password of the user `admin`, for the pages and the REST API."""
        kept = kept_password(self.folder)
        if kept is None:
            raise PASSWORD_CHANGED()
        return kept

    # --- what can be asked

    def ask(self, op: str, /, **fields: Any) -> dict[str, Any]:
        """A control operation: of the licensing service, answered by the Active, or of CSSM (`cssm.…`)."""
        self._entered()
        return client.call(self.folder, op, **fields)

    def token(self, **fields: Any) -> str:
        """A new ID token. `days`, `uses`, `description`, `account`, `virtual_account` and so on."""
        return str(self.ask("token.create", **fields)["token"])

    def console(self, node: str, line: str, answer: Answer | None = None) -> list[str]:
        """The lines of a command on a server's console. `answer` is asked questions; without it, no."""
        self._entered()
        return list(client.console(self.folder, node, line, answer))

    def status(self) -> dict[str, Any]:
        """Both servers: {"active": …, "nodes": {"primary": {…}, "secondary": {…}}}."""
        return self.ask("status")

    @property
    def active(self) -> str | None:
        """The server that is Active: "primary", "secondary" or None."""
        active: str | None = self.status()["active"]
        return active

    def wait(self, node: str, seconds: float = 15.0) -> dict[str, Any]:
        """Return a server's status when it has its role (Active, or Standby in sync), or a problem."""
        return self.ask("wait", node=node, seconds=seconds)

    # --- drills

    def start(self, node: str) -> list[str]:
        """`ha_cluster_start` on a server, whose process is started if it died."""
        return self.console(node, "ha_cluster_start")

    def stop(self, node: str) -> list[str]:
        """`ha_cluster_stop` on a server."""
        return self.console(node, "ha_cluster_stop")

    def kill(self, node: str) -> None:
        """The server is gone at once, as by SIGKILL."""
        self._drill(node, "kill")

    def hang(self, node: str) -> None:
        """The server stands still, as by SIGSTOP, until `resume`."""
        self._drill(node, "hang")

    def resume(self, node: str) -> None:
        self._drill(node, "resume")

    def cut(self, kind: Cut, seconds: float = 5.0, node: str = "primary") -> None:
        """Cut one of the two connections between the servers, for a while."""
        if kind not in ("heartbeat", "replication"):
            raise BAD_REQUEST(detail="heartbeat or replication can be cut")
        self._drill(node, f"{kind}-cut", seconds=seconds)

    def fill_disk(self, node: str) -> None:
        """The server's journal can not grow any more, until `empty_disk`."""
        self._drill(node, "disk-full")

    def empty_disk(self, node: str) -> None:
        self._drill(node, "disk-ok")

    def _drill(self, node: str, kind: str, **fields: Any) -> None:
        self.ask("drill", node=node, kind=kind, **fields)

    def _entered(self) -> None:
        if self._running is None:
            raise NOT_ENTERED()


class Clock:
    """The clock of licensing, for terms, tokens and alerts. TLS and certificates keep to the real one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def show(self) -> dict[str, Any]:
        """{"now": ISO 8601, "ahead_by_seconds": …}."""
        return self._cluster.ask("clock.show")

    def advance(self, seconds: float = 0.0, *, days: float = 0.0) -> dict[str, Any]:
        return self._cluster.ask("clock.advance", seconds=seconds + days * 86_400)

    def set(self, at: float) -> dict[str, Any]:
        """`at`: Unix seconds."""
        return self._cluster.ask("clock.set", at=at)

    def reset(self) -> dict[str, Any]:
        return self._cluster.ask("clock.reset")


class AsyncCluster:
    """What `async with Cluster() as ssm` gives: the same, and what takes time is awaited."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.folder = cluster.folder
        self.config = cluster.config
        self.vip = cluster.vip
        self.url = cluster.url
        self.gui_url = cluster.gui_url
        self.trust_anchor = cluster.trust_anchor

    @property
    def admin_password(self) -> str:
        return self.cluster.admin_password

    async def ask(self, op: str, /, **fields: Any) -> dict[str, Any]:
        return await _aside(lambda: self.cluster.ask(op, **fields))

    async def token(self, **fields: Any) -> str:
        return await _aside(lambda: self.cluster.token(**fields))

    async def console(self, node: str, line: str, answer: Answer | None = None) -> list[str]:
        """`answer` is called in another thread."""
        return await _aside(lambda: self.cluster.console(node, line, answer))

    async def status(self) -> dict[str, Any]:
        return await _aside(self.cluster.status)

    async def wait(self, node: str, seconds: float = 15.0) -> dict[str, Any]:
        return await _aside(lambda: self.cluster.wait(node, seconds))

    async def start(self, node: str) -> list[str]:
        return await _aside(lambda: self.cluster.start(node))

    async def stop(self, node: str) -> list[str]:
        return await _aside(lambda: self.cluster.stop(node))

    async def kill(self, node: str) -> None:
        await _aside(lambda: self.cluster.kill(node))

    async def hang(self, node: str) -> None:
        await _aside(lambda: self.cluster.hang(node))

    async def resume(self, node: str) -> None:
        await _aside(lambda: self.cluster.resume(node))

    async def cut(self, kind: Cut, seconds: float = 5.0, node: str = "primary") -> None:
        await _aside(lambda: self.cluster.cut(kind, seconds, node))

    async def clock_advance(self, seconds: float = 0.0, *, days: float = 0.0) -> dict[str, Any]:
        return await _aside(lambda: self.cluster.clock.advance(seconds, days=days))


async def _aside(call: Callable[[], T]) -> T:
    return await asyncio.to_thread(call)


def _temporary_folder() -> Path:
    """In memory where Linux has a place for that: what goes with its cluster need not survive the machine."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of mode 0700 there
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    return Path(tempfile.mkdtemp(prefix="smartlic-mock-", dir=memory if usable else None))


def _spelled(host: str) -> str:
    return f"[{host}]" if ":" in host else host
