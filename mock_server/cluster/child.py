"""A node's process, as the supervisor holds it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from mock_server.cluster.client import revive
from mock_server.cluster.config import Layout
from mock_server.cluster.problems import (
    ANSWER_LOST,
    ANSWER_TOO_LONG,
    NODE_FAILED,
    NOT_RUNNING,
    START_TIMEOUT,
)
from mock_server.errors import SmartlicError

_READY = 30.0
_END = 15.0
_LONGEST = 64 << 20
"""Bytes of one answer. Lists are as long as what they list."""


class Child:
    """One node's process. It ends when this one does: it watches the other end of a pipe."""

    def __init__(self, layout: Layout, name: str, service: str) -> None:
        self.name = name
        self.title = name.capitalize()
        self.control = ""
        self._layout = layout
        self._service = service
        self._log = layout.log(name)
        self._place = str(layout.node(name))
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: int | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.running else None

    async def start(self, *, stopped: bool = False) -> None:
        """Start the process, and wait for its control socket; the problem, if it says one."""
        options = ["--node", self.name, "--service", self._service]
        await self._start("mock_server.cluster.main", *options, *(["--stopped"] if stopped else []))

    async def _start(self, module: str, *options: str, inherited: Sequence[int] = ()) -> None:
        self._close_pipe()
        theirs, self._pipe = os.pipe()
        command = [sys.executable, "-m", module, "--folder", str(self._layout.folder)]
        command += [*options, "--parent-fd", str(theirs)]
        errors = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                pass_fds=(theirs, *inherited),
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the nodes in order
            )
        finally:
            os.close(theirs)
            os.close(errors)
        await self._ready(self._process)

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        log = str(self._log)
        try:
            async with asyncio.timeout(_READY):
                line = await process.stdout.readline()
        except TimeoutError:
            await self.kill()
            raise START_TIMEOUT(node=self.name, seconds=_READY, detail="no word", log=log) from None
        if not line:
            code = await process.wait()
            raise NODE_FAILED(node=self.name, detail=f"exit status {code}", log=log)
        said = json.loads(line)
        if "error" in said:
            await process.wait()
            raise revive(said["error"])
        self.control = said["control"]

    async def end(self) -> None:
        """A planned stop, then the end."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                async with asyncio.timeout(_END):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()
        self._close_pipe()

    async def gone(self, seconds: float) -> bool:
        """Whether the process is gone, waiting so long for the end of one that is ending."""
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._process.wait()
        return not self.running

    async def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None and self.running:
            self._process.kill()
            await self._process.wait()

    def signal(self, number: int) -> None:
        """Send a signal, for drills."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    async def ask(
        self, request: dict[str, Any], seconds: float
    ) -> AsyncGenerator[dict[str, Any], str | None]:
        """All answers of the node to one request; an error is raised. TimeoutError: it hangs.

        An answer that is a question ({"ask": …}) is answered with what is sent in (`asend`). `not-running`:
        nothing was asked; `answer-lost`: it may have been done.
        """
        if not self.running:
            raise NOT_RUNNING(folder=self._place)
        try:
            async with asyncio.timeout(min(seconds, 5.0)):
                reader, writer = await asyncio.open_unix_connection(self.control, limit=_LONGEST)
        except (OSError, ConnectionError):
            raise NOT_RUNNING(folder=self._place) from None
        try:
            writer.write(msgspec.json.encode(request) + b"\n")
            while True:
                async with asyncio.timeout(seconds):
                    line = await reader.readline()
                if not line:
                    raise self._lost(request)
                answer: dict[str, Any] = json.loads(line)
                if "error" in answer:
                    raise revive(answer["error"])
                said = yield answer
                if "ok" in answer:
                    return
                if "ask" in answer:
                    writer.write(msgspec.json.encode({"answer": said or ""}) + b"\n")
        except ConnectionError:
            raise self._lost(request) from None
        except ValueError:  # of StreamReader.readline
            raise ANSWER_TOO_LONG(op=str(request.get("op")), limit=_LONGEST) from None
        finally:
            writer.close()

    async def result(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The result of a request that streams nothing."""
        result: dict[str, Any] = {}
        async for answer in self.ask(request, seconds):
            result = answer.get("result", result)
        return result

    def _lost(self, request: dict[str, Any]) -> SmartlicError:
        return ANSWER_LOST(node=self.title, op=str(request.get("op")), retry_after=1)

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
