"""A control socket: JSON requests, one a line, over a unix socket in a short private folder.

A request is {"op": …, fields}. The answer is {"ok": true, "result": {…}} or {"ok": false, "error": {…}};
a console command says more before it (see `talk`). A caller may go away: what it began is done to its end.
Paths over 107 bytes cannot be bound, so the socket is not in the cluster's folder: that folder says where it
is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from mock_server.cluster.client import REQUEST_LIMIT
from mock_server.cluster.problems import BAD_REQUEST, INTERNAL
from mock_server.cluster.talk import ANSWER_LIMIT, ANSWER_SECONDS, NO_ANSWER, Talk, converse, result_of
from mock_server.errors import SmartlicError

log = logging.getLogger(__name__)

LINE_LIMIT = REQUEST_LIMIT
_PREFIX = "smartlic-"

Request = dict[str, Any]
Dispatch = Callable[[Request], Awaitable[dict[str, Any] | Talk]]


class ControlServer:
    """Serves `dispatch`: it gives a result, or a talk, or raises a problem.

    `patience`: seconds that a question waits for its answer. A process that carries questions on has less
    than the one that asks, so that the answer "" comes from it.
    """

    def __init__(
        self, name: str, log_path: Path, dispatch: Dispatch, patience: float = ANSWER_SECONDS
    ) -> None:
        self._name = name
        self._patience = patience
        self._log_path = log_path
        self._dispatch = dispatch
        self._folder: Path | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, former: str | None = None, listening: socket.socket | None = None) -> Path:
        """Listen; the socket's path. `former`: that of a process which is dead and could not remove it.

        `listening`: a socket made by `listen`, by the process that started this one.
        """
        sock = listening or listen(former)
        path = Path(sock.getsockname())
        self._folder = path.parent
        self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=LINE_LIMIT)
        return path

    async def close(self) -> None:
        """Stop listening; answers under way are finished."""
        if self._server is not None:
            self._server.close()
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        if tasks:
            _done, pending = await asyncio.wait(tasks, timeout=1.0)
            for task in pending:
                task.cancel()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        caller = _Caller(reader, writer, self._patience)
        try:
            while line := await reader.readline():
                await self._answer(line, caller)
        except asyncio.CancelledError:
            # By `close`. Let through, it is logged as a defect by asyncio's own callback (Python 3.11).
            log.debug("control connection given up")
        except (ConnectionError, ValueError) as error:
            log.debug("control connection closed: %s", error)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, line: bytes, caller: _Caller) -> None:
        try:
            request = _parse(line)
            if "op" not in request:
                return  # an answer that came too late: its question is closed
            result = await self._dispatch(request)
            if isinstance(result, AsyncGenerator):
                result = result_of(await converse(result, caller.say, caller.ask))
            await caller.send({"ok": True, "result": result})
        except SmartlicError as error:
            await caller.send({"ok": False, "error": describe(error)})
        except Exception:
            log.exception("control request failed")
            defect = INTERNAL(node=self._name, log=str(self._log_path))
            await caller.send({"ok": False, "error": describe(defect)})


def listen(former: str | None = None) -> socket.socket:
    """A listening socket in a new private folder. `former`: see `ControlServer.open`."""
    remove(former)
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base is None or len(base) > 60 or not os.access(base, os.W_OK):
        base = "/tmp"  # noqa: S108 - mkdtemp makes a folder of mode 0700 there
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(str(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base)) / "control"))
        sock.listen(100)
    except BaseException:
        sock.close()
        raise
    return sock


class _Caller:
    """The other end of a connection. When it has gone, nothing is sent, and the answer to all is ""."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._gone = False

    async def send(self, answer: dict[str, Any]) -> None:
        if self._gone:
            return
        try:
            self._writer.write(msgspec.json.encode(answer) + b"\n")
            await self._writer.drain()
        except ConnectionError:
            self._gone = True

    async def say(self, line: str) -> None:
        await self.send({"line": line})

    async def ask(self, text: str) -> str:
        """The answer to a question."""
        await self.send({"ask": text})
        try:
            async with asyncio.timeout(self._patience):
                line = b"" if self._gone else await self._reader.readline()
        except TimeoutError:
            await self.say(NO_ANSWER)
            return ""
        except (ConnectionError, ValueError):
            self._gone = True
            return ""
        return _answer_in(line)


def _answer_in(line: bytes) -> str:
    try:
        answer = msgspec.json.decode(line, type=dict[str, Any]).get("answer")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return answer if isinstance(answer, str) and len(answer) <= ANSWER_LIMIT else ""


def remove(former: str | None) -> None:
    """Remove the private folder of a control socket whose process is dead."""
    folder = Path(former).parent if former else None
    if folder is not None and folder.name.startswith(_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def describe(error: SmartlicError) -> dict[str, Any]:
    """An error on the wire: all its fields, and its kind."""
    return {**error.as_dict(), "kind": type(error).__name__}


def _parse(line: bytes) -> Request:
    try:
        request = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BAD_REQUEST(detail=str(error)) from None
    if not isinstance(request.get("op"), str) and "answer" not in request:
        raise BAD_REQUEST(detail="it has no op")
    return request
