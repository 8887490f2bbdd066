"""Taking the addresses and giving them up: rule 5's order, as code."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from mock_server.cluster.config import ClusterConfig, Layout, peer_of
from mock_server.cluster.decide import VIP_PATIENCE
from mock_server.cluster.listeners import Gate
from mock_server.cluster.machine import Service
from mock_server.cluster.processes import read_node_file
from mock_server.cluster.world import Listening, Port, World
from mock_server.errors import SmartlicError

log = logging.getLogger(__name__)

_STEP = 0.005


class Serving:
    """The listeners of an Active node, on the VIP and on its own address."""

    def __init__(
        self, me: str, config: ClusterConfig, layout: Layout, world: World, service: Service
    ) -> None:
        self._me = me
        self._config = config
        self._layout = layout
        self._world = world
        self._service = service
        self._gate = Gate()
        self._vip: list[Port] = []
        self._device: Listening | None = None
        self._gui: Listening | None = None

    async def take_vip(self) -> None:
        """Listen on the VIP's device port, then on its GUI port. Connections wait in the kernel's queue."""
        vip = self._config.vip
        for port in (vip.device_port, vip.gui_port):
            self._vip.append(await self._take(vip.host, port))

    async def open(self) -> None:
        """Serve on the VIP, then on the node's own address; the first answer leaves when all is open."""
        own = self._config.node(self._me)
        self._device = self._world.listener(
            self._gate.wrap(self._service.device_app()), self._service.device_tls()
        )
        self._gui = self._world.listener(self._gate.wrap(self._service.gui_app()), self._service.gui_tls())
        device, gui = self._vip
        self._vip = []
        await self._device.serve(device)
        await self._gui.serve(gui)
        await self._device.serve(self._world.bind(own.host, own.device_port, ours=self._ours()))
        await self._gui.serve(self._world.bind(own.host, own.gui_port, ours=self._ours()))
        self._gate.open = True

    async def drain(self, within: float) -> bool:
        """Close the listeners, let what is inside finish, then close all connections (rule 8)."""
        listeners = self._listeners()
        for listener in listeners:
            listener.stop_accepting()
        for listener in listeners:
            listener.finish()
        done = await self._gate.emptied(within)
        self._gate.open = False
        for listener in listeners:
            listener.finish()
        # What was answered is in the kernel's hands after one more turn of the loop.
        await asyncio.sleep(0)
        self.abort()
        return done

    def abort(self) -> None:
        """Fall silent now: no listener, no connection, no answer (rule 3)."""
        self._gate.open = False
        for sock in self._vip:
            sock.close()
        self._vip = []
        for listener in self._listeners():
            listener.abort()
        self._device = self._gui = None

    @property
    def holds_vip(self) -> bool:
        return self._gate.open

    def _listeners(self) -> list[Listening]:
        return [listener for listener in (self._device, self._gui) if listener is not None]

    def _ours(self) -> Iterable[int]:
        node = read_node_file(self._layout.node_json(peer_of(self._me)))
        return () if node is None else (node.pid,)

    async def _take(self, host: str, port: int) -> Port:
        """Rule 5: wait 200 ms for the VIP, then end the old process, if it is that which holds it."""
        deadline = self._world.time() + VIP_PATIENCE
        while True:
            try:
                return self._world.bind(host, port, vip=True, ours=self._ours())
            except SmartlicError as error:
                if error.code != "vip-in-use":
                    raise
                if self._world.time() >= deadline:
                    if not await self._end_old(host, port):
                        raise
                    return self._world.bind(host, port, vip=True)
            await asyncio.sleep(_STEP)

    async def _end_old(self, host: str, port: int) -> bool:
        """End the peer's process, known by the folder's own record and its start time: never a stranger's."""
        node = read_node_file(self._layout.node_json(peer_of(self._me)))
        if node is None or node.cluster != self._config.cluster or not self._world.alive(node.process):
            return False
        if self._world.holder(host, port, (node.pid,)) is None:
            return False
        log.warning("%s still holds the VIP: ending its process %d", node.node, node.pid)
        return await self._world.end(node.process)
