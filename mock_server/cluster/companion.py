"""CSSM's process, as the supervisor holds it. The cluster goes on without it; nothing restarts it by itself.

Its listening socket is made here, before any process starts: who connects early waits in the kernel's queue.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mock_server.cluster.child import Child
from mock_server.cluster.config import Layout
from mock_server.cluster.control import Request, listen, remove
from mock_server.cluster.problems import CSSM_HUNG, CSSM_STOPPED, NOT_RUNNING
from mock_server.cluster.processes import ProcessId
from mock_server.errors import SmartlicError
from mock_server.files import write_private

_ANSWER = 5.0
"""Seconds. What its portal is asked is done at once; the servers ask it without the supervisor."""


class Companion(Child):
    """`module`: what runs as its process."""

    def __init__(self, layout: Layout, module: str) -> None:
        super().__init__(layout, "cssm", module)
        self._log = layout.cssm_log
        self.title = "mock CSSM"
        self._place = str(layout.cssm)
        self._one = asyncio.Lock()

    async def start(self, *, stopped: bool = False) -> None:  # noqa: ARG002 - it serves as soon as it runs
        """Start the process; the problem that it says, if it cannot serve."""
        self._layout.cssm.mkdir(mode=0o700, parents=True, exist_ok=True)
        listening = listen(former_control(self._layout))
        try:
            told = {"control": listening.getsockname()}
            write_private(self._layout.cssm_json, json.dumps(told).encode() + b"\n")
            descriptor = listening.fileno()
            await self._start(self._service, "--listen-fd", str(descriptor), inherited=[descriptor])
        finally:
            listening.close()

    async def kill(self) -> None:
        """SIGKILL, and wait; its socket's folder, which it cannot remove any more, is removed."""
        await super().kill()
        remove(former_control(self._layout))

    async def dispatch(self, request: Request) -> dict[str, Any]:
        """The operations `cssm.…`: those of the process itself here, the others by its control socket."""
        match request["op"]:
            case "cssm.start":
                async with self._one:
                    changed = not self.running
                    if changed:
                        await self.start()
            case "cssm.stop" | "cssm.kill" as op:
                async with self._one:
                    changed = self.running
                    await (self.end() if op == "cssm.stop" else self.kill())
            case "cssm.status" if not self.running:
                return {"running": False}
            case _:
                return await self._answer(request)
        return {"running": self.running, "changed": changed}

    async def _answer(self, request: Request) -> dict[str, Any]:
        try:
            return await self.result(request, _ANSWER)
        except TimeoutError:
            raise CSSM_HUNG(pid=self.pid) from None
        except SmartlicError as error:
            if error.code != NOT_RUNNING.code:
                raise
            raise CSSM_STOPPED() from None


def former_control(layout: Layout) -> str | None:
    """The control socket of the last process."""
    found = _recorded(layout).get("control")
    return found if isinstance(found, str) else None


def former_process(layout: Layout) -> ProcessId | None:
    """The last process; it may be gone long since."""
    match _recorded(layout):
        case {"pid": int(pid), "started": int(started)}:
            return ProcessId(pid, started)
    return None


def _recorded(layout: Layout) -> dict[str, Any]:
    try:
        found = json.loads(layout.cssm_json.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
