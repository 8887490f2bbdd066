"""A supervisor in a thread of this process: it is brought up, spoken to, and taken down from any other."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from mock_server.cluster.config import NODES, ClusterConfig
from mock_server.cluster.hosts import Host, Processes
from mock_server.cluster.problems import FOLDER_UNUSABLE, PORT_IN_USE, VIP_IN_USE
from mock_server.cluster.supervisor import Supervisor
from mock_server.errors import SmartlicError
from mock_server.library.addresses import free_config
from mock_server.library.threads import Threads

__all__ = ["Running"]

log = logging.getLogger(__name__)

_TRIES = 5
_SERVICE, _CSSM = "mock_server.service:make", "mock_server.cssm.main"


class Running:
    """A cluster that is up from `begin` to `end`."""

    def __init__(
        self, folder: Path, *, processes: bool, nodes: Sequence[str] = NODES, allow_remote: bool | None = None
    ) -> None:
        self.folder = folder
        self._processes = processes
        self._nodes = nodes
        self._allow_remote = allow_remote
        self._thread: threading.Thread | None = None
        self._in_thread = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._ended = False
        self._up: Future[dict[str, Any]] = Future()

    def begin(self, config: ClusterConfig | None, host: str) -> None:
        """Bring it up: a new cluster has `config`, or free ports on `host`. Raises what hinders it."""
        for attempt in range(1, _TRIES + 1):
            new = not (self.folder / "cluster.json").exists()
            try:
                self._begin(config or free_config(host, bool(self._allow_remote)) if new else None)
            except SmartlicError as error:
                taken = error.code in (PORT_IN_USE.code, VIP_IN_USE.code)
                if not (taken and new and config is None and attempt < _TRIES):
                    raise
                (self.folder / "cluster.json").unlink(missing_ok=True)
            else:
                return

    def _begin(self, config: ClusterConfig | None) -> None:
        self._up, self._loop, self._ended = Future(), None, False
        self._in_thread.clear()
        self._thread = threading.Thread(
            target=self._main, args=(config,), name="smartlic supervisor", daemon=True
        )
        try:
            self._thread.start()
            self._up.result()
        except BaseException:  # Ctrl-C too
            self.end()
            raise

    def end(self) -> None:
        """Take it down, and return when nothing of it is left."""
        self._ended = True
        if self._loop is not None and self._ending is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)
        if self._thread in threading.enumerate():
            self._in_thread.wait()  # Ctrl-C may have come before: what has not begun cannot be joined
            self._thread.join()
        self._thread = None

    # --- in the thread

    def _main(self, config: ClusterConfig | None) -> None:
        self._in_thread.set()
        try:
            asyncio.run(self._live(config))
        except BaseException as error:
            if not self._up.done():
                self._up.set_exception(self._problem_of(error))
            elif not self._ended:
                log.exception("the cluster ended")

    def _problem_of(self, error: BaseException) -> BaseException:
        if isinstance(error, OSError) and str(error.filename).startswith(str(self.folder)):
            return FOLDER_UNUSABLE(folder=str(self.folder), why=error.strerror)
        return error

    async def _live(self, config: ClusterConfig | None) -> None:
        self._ending, self._loop = asyncio.Event(), asyncio.get_running_loop()
        if self._ended:
            self._ending.set()  # Ctrl-C came before there was a loop to tell it to
        host: Host = Processes(_SERVICE, _CSSM) if self._processes else Threads()
        supervisor = Supervisor(self.folder, config, host, allow_remote=self._allow_remote)
        coming = asyncio.ensure_future(supervisor.up(nodes=self._nodes))
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait([coming, ending], return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
            self._up.set_result(await coming)
            await ending
        finally:
            ending.cancel()
            await supervisor.down()
