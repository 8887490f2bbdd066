"""CSSM as a process of the simulation: a loop of its own, a folder, and a network to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mock_server.cssm.port import CssmClient, CssmPort
from mock_server.cssm.problems import CSSM_UNREACHABLE
from mock_server.cssm.service import CssmService
from mock_server.errors import SmartlicError
from mock_server.simulation.cluster import SimulatedCluster
from mock_server.simulation.loop import VirtualLoop

__all__ = ["SimulatedCssm"]


class SimulatedCssm:
    """Killed and started like any process; what it keeps is in its folder."""

    def __init__(self, cluster: SimulatedCluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._loop: VirtualLoop | None = None
        self._service: CssmService | None = None
        self._waiting: dict[asyncio.Future[Any], VirtualLoop] = {}
        self.start()

    def start(self) -> None:
        if self._service is None:
            self._service = CssmService(self._folder)
            self._loop = self._cluster.scheduler.loop("cssm")

    def kill(self) -> None:
        if self._service is None or self._loop is None:
            return
        self._loop.kill()
        self._service.close()
        self._service = self._loop = None
        waiting, self._waiting = self._waiting, {}
        for future, loop in waiting.items():
            loop.call_soon(_fail, future, CSSM_UNREACHABLE(why="the connection was closed", retry_after=60))

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None

    def portal(self, **request: Any) -> dict[str, Any]:
        """What is done at its portal; nothing while it is not running."""
        if self._service is None or self._loop is None:
            return {}
        return self._cluster.scheduler.result(self._loop, self._service.dispatch(request))

    def port(self, name: str) -> CssmPort:
        """The way of a node to it."""

        async def ask(request: dict[str, Any]) -> Mapping[str, Any]:
            return await self._ask(name, request)

        return CssmClient(ask)

    async def _ask(self, name: str, request: dict[str, Any]) -> Mapping[str, Any]:
        computer, loop = self._cluster.computer, asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await asyncio.sleep(computer.delay())
        answered: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        if not computer.weather.reaches(name, "cssm"):
            computer.weather.seen["requests into a partition"] += 1
            return await answered  # until its caller has had enough
        if self._service is None or self._loop is None:
            raise CSSM_UNREACHABLE(why="it is not running", retry_after=60)
        self._waiting[answered] = loop
        self._loop.create_task(self._answer(name, self._service, request, answered, loop))
        try:
            return await answered
        finally:
            self._waiting.pop(answered, None)

    async def _answer(
        self,
        name: str,
        service: CssmService,
        request: dict[str, Any],
        answered: asyncio.Future[Mapping[str, Any]],
        loop: VirtualLoop,
    ) -> None:
        computer = self._cluster.computer
        try:
            found = await service.dispatch(request)
        except SmartlicError as error:
            loop.call_later(computer.delay(), _fail, answered, error)
            return
        await asyncio.sleep(computer.delay())
        if computer.weather.reaches("cssm", name):
            loop.call_later(computer.delay(), _give, answered, found)


def _give(future: asyncio.Future[Any], found: Mapping[str, Any]) -> None:
    if not future.done():
        future.set_result(found)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_exception(error)
