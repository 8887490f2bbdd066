"""The consoles of the servers, as the supervisor has them: of living, hung and dead processes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from mock_server.cluster import config, console, logins, refusals
from mock_server.cluster.child import Child
from mock_server.cluster.commands import answers, table
from mock_server.cluster.commands.answers import Answer
from mock_server.cluster.config import Layout
from mock_server.cluster.problems import ANSWER_LOST, NODE_GONE, NODE_HUNG, NOT_RUNNING
from mock_server.cluster.standing import Standing
from mock_server.cluster.talk import Outcome, Talk, relay, spoken, within
from mock_server.errors import SmartlicError

_STATUS = 1.0
_SILENCE = 60.0
"""Seconds without a word in which a command is at work still."""


class Consoles:
    """`status_of`: what is known of a server that does not answer; `standing`: what the folder says it is."""

    def __init__(
        self,
        layout: Layout,
        status_of: Callable[[str], Awaitable[dict[str, Any]]],
        standing: Callable[[str], Standing],
    ) -> None:
        self._layout = layout
        self._status_of = status_of
        self._standing = standing
        self._starting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def login(self, child: Child, terminal: str) -> dict[str, Any]:
        """When and where somebody was at this console before; None: never."""
        last = logins.last(self._layout, child.name)
        logins.remember(self._layout, child.name, terminal, time.time())
        address = config.load(self._layout.folder).node(child.name).host
        return {"last": last, "address": address}

    async def talk(self, child: Child, line: str) -> Talk:
        """What a line makes the server's console say; raises what hinders it."""
        found = table.read(line)
        if found is None:
            return spoken([])
        command, arguments = found
        lines = table.plain(command, arguments)
        if lines is not None:
            return spoken(lines)
        if command.changes:
            async with self._starting[child.name]:
                pass  # another console's start of the process
        try:
            await child.result({"op": "ping"}, _STATUS)
        except TimeoutError:
            # A hung node must not hang its `ha_status`, which its peer can answer.
            if command.name != "ha_status":
                raise NODE_HUNG(node=console.title(child.name), pid=child.pid) from None
            return await self._ha_status(child.name)
        except SmartlicError:
            if command.changes and not await child.gone(_STATUS):
                raise
            if command.name != "ha_cluster_start":
                return await self._of_dead(child.name, command.name)
            async with self._starting[child.name]:
                if not child.running:
                    await child.start(stopped=True)
        talk = relay(child.ask({"op": "console", "line": line}, _SILENCE))
        return within(_carried(child, command.name), talk)

    async def _of_dead(self, name: str, command: str) -> Talk:
        if command == "ha_status":
            return await self._ha_status(name)
        if answers.dead(command, self._standing(name)) is not Answer.STOPPED_ALREADY:
            raise refusals.NOT_SERVING(node=console.title(name))
        return spoken([*console.already_stopped(name), Outcome.UNCHANGED])

    async def _ha_status(self, name: str) -> Talk:
        """The status of a server that does not answer itself."""
        found = await self._status_of(name)
        if found["mode"] != "cluster":
            return spoken([*console.NOT_ENABLED, Outcome.FAILED])
        return spoken(console.ha_status(found))


@contextlib.contextmanager
def _carried(child: Child, command: str) -> Iterator[None]:
    """A talk with a node that may die or hang in the middle of it."""
    pid = child.pid
    try:
        yield
    except TimeoutError:
        raise NODE_HUNG(node=console.title(child.name), pid=pid) from None
    except SmartlicError as error:
        if error.code not in (NOT_RUNNING.code, ANSWER_LOST.code):
            raise
        raise NODE_GONE(node=console.title(child.name), command=command) from None
