"""Taking the addresses and giving them up: rule 5's order, as code."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from mock_server.cluster.config import ClusterConfig, Layout, peer_of
from mock_server.cluster.decide import VIP_PATIENCE
from mock_server.cluster.listeners import BOOTING, NOT_ACTIVE, Gate
from mock_server.cluster.machine import ASGIApp, Service
from mock_server.cluster.processes import read_node_file
from mock_server.cluster.world import Listening, Port, World
from mock_server.errors import SmartlicError

log = logging.getLogger(__name__)

_STEP = 0.005


@dataclass(slots=True)
class _Open:
    """The listeners of one address, behind one gate."""

    gate: Gate
    listeners: list[Listening]

    async def serve(self, *ports: Port) -> None:
        for listener, port in zip(self.listeners, ports, strict=True):
            await listener.serve(port)

    def abort(self) -> None:
        self.gate.open = False
        for listener in self.listeners:
            listener.abort()


async def _drain(opened: list[_Open], within: float) -> bool:
    """Accept nothing more, let who is inside finish, then close all; False: some were not done in time."""
    listeners = [listener for one in opened for listener in one.listeners]
    for listener in listeners:
        listener.stop_accepting()
    for listener in listeners:
        listener.finish()
    done = all(await asyncio.gather(*(one.gate.emptied(within) for one in opened)))
    for one in opened:
        one.gate.open = False
    for listener in listeners:
        listener.finish()
    # What was answered is in the kernel's hands after one more turn of the loop.
    await asyncio.sleep(0)
    for one in opened:
        one.abort()
    return done


class Serving:
    """The listeners of a node, on the VIP and on its own address."""

    def __init__(
        self, me: str, config: ClusterConfig, layout: Layout, world: World, service: Service
    ) -> None:
        self._me = me
        self._config = config
        self._layout = layout
        self._world = world
        self._service = service
        self._ports: list[Port] = []  # of the VIP, which listen already
        self._vip: _Open | None = None
        self._own: _Open | None = None
        self._has_served = False

    async def take_vip(self) -> None:
        """Listen on the VIP's device port, then on its GUI port. Connections wait in the kernel's queue."""
        vip = self._config.vip
        for port in (vip.device_port, vip.gui_port):
            self._ports.append(await self._take(vip.host, port))

    async def open(self) -> None:
        """Serve on the VIP, then on the node's own address; the first answer leaves when all is open."""
        self._vip = self._make()
        ports, self._ports = self._ports, []
        await self._vip.serve(*ports)
        await self._open_own()
        self._vip.gate.open = True

    async def open_alone(self) -> None:
        """Serve on the node's own address only: a stand-alone server."""
        await self._open_own()

    async def open_pages(self, app: ASGIApp, tls: ssl.SSLContext | None) -> None:
        """Serve pages on the node's own address, and no devices: a server that was discarded."""
        own = self._config.node(self._me)
        self._own = _Open(Gate(), [])
        gui = self._world.listener(self._own.gate.wrap(app), tls)
        self._own.listeners.append(gui)
        await gui.serve(self._world.bind(own.host, own.gui_port, ours=self._ours()))
        self._own.gate.open = True

    async def give_up_vip(self, within: float) -> bool:
        """Close the VIP's listeners and, after their answers, its connections; the own address goes on."""
        vip, self._vip = self._vip, None
        return vip is None or await _drain([vip], within)

    async def drain(self, within: float) -> bool:
        """Close the listeners, let what is inside finish, then close all connections (rule 8)."""
        done = await _drain(self._opened(), within)
        self.abort()
        return done

    def abort(self) -> None:
        """Fall silent now: no listener, no connection, no answer (rule 3)."""
        for port in self._ports:
            port.close()
        self._ports = []
        for opened in self._opened():
            opened.abort()
        self._vip = self._own = None

    @property
    def holds_vip(self) -> bool:
        """Whether it answers on the VIP."""
        return self._vip is not None and self._vip.gate.open

    def _opened(self) -> list[_Open]:
        return [opened for opened in (self._vip, self._own) if opened is not None]

    def _make(self) -> _Open:
        gate, world, service = Gate(), self._world, self._service
        refusal = NOT_ACTIVE if self._has_served else BOOTING
        return _Open(
            gate,
            [
                world.listener(gate.wrap(service.device_app()), service.device_tls()),
                world.listener(gate.wrap(service.gui_app(), refusal), service.gui_tls()),
            ],
        )

    async def _open_own(self) -> None:
        own = self._config.node(self._me)
        self._own = self._make()
        for listener, port in zip(self._own.listeners, (own.device_port, own.gui_port), strict=True):
            await listener.serve(self._world.bind(own.host, port, ours=self._ours()))
        self._own.gate.open = self._has_served = True

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
