"""The world of a node: all that it does outside of its loop and its folder goes through here.

`RealWorld` is the machine that it runs on. A simulation gives another one, with a clock, processes and a
network of its own, so that the same node lives there. Blocking work goes by the loop's `run_in_executor`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias

from mock_server.cluster import processes, sockets
from mock_server.cluster.config import NodeAddress
from mock_server.cluster.link import Link
from mock_server.cluster.listeners import Listener
from mock_server.cluster.machine import ASGIApp
from mock_server.cluster.processes import ProcessId, ProcessWatch

__all__ = ["Listening", "Port", "RealWorld", "Server", "Watch", "World"]

HANDSHAKE = 2.0
"""Seconds for the connection and the TLS handshake between two nodes."""

Port: TypeAlias = Any
"""An address and port that this process holds: a listening `socket.socket`, or what stands for one."""


class Server(Protocol):
    """What accepts the peer's connections."""

    def close(self) -> None: ...


class Watch(Protocol):
    """Calls back when a process ends: `processes.ProcessWatch`."""

    def watch(self, process: ProcessId) -> None: ...
    def close(self) -> None: ...


class Listening(Protocol):
    """An application on ports: `listeners.Listener`."""

    async def serve(self, sock: Port) -> None: ...
    def stop_accepting(self) -> None: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...


class World(Protocol):
    """What a node asks of its surroundings."""

    def time(self) -> float:
        """Seconds of a clock that never goes back and that a stopped process finds advanced.

        Not the loop's: uvloop reads it once a turn, and who was stopped within a turn would find his lease
        unexpired (rule 4)."""

    # --- processes

    def myself(self) -> ProcessId: ...

    def alive(self, process: ProcessId) -> bool:
        """Whether this very process still runs, or hangs."""

    def process_watch(self, on_gone: Callable[[], None]) -> Watch: ...

    async def end(self, process: ProcessId) -> bool:
        """End this very process, and wait until it is gone; False if it does not go."""

    # --- the peer

    async def listen(self, address: NodeAddress, link: Callable[[], Link], tls: ssl.SSLContext) -> Server:
        """Accept connections on the node's peer port; each is a link of its own."""

    async def connect(self, address: NodeAddress, link: Link, tls: ssl.SSLContext) -> None:
        """Connect a link to the peer. OSError, SSLError or TimeoutError: it could not be."""

    # --- those who are served

    def bind(self, host: str, port: int, *, vip: bool = False, ours: Iterable[int] = ()) -> Port:
        """As `sockets.bind`: an address and port are granted to one process at a time."""

    def holder(self, host: str, port: int, candidates: Iterable[int]) -> int | None:
        """As `sockets.holder`."""

    def listener(self, app: ASGIApp, tls: ssl.SSLContext | None) -> Listening: ...


class RealWorld:
    """This machine: its clock, /proc, sockets and TLS."""

    time = staticmethod(time.monotonic)
    myself = staticmethod(processes.myself)
    alive = staticmethod(processes.alive)
    end = staticmethod(processes.end)
    bind = staticmethod(sockets.bind)
    holder = staticmethod(sockets.holder)
    listener = staticmethod(Listener)

    def process_watch(self, on_gone: Callable[[], None]) -> Watch:
        return ProcessWatch(on_gone)

    async def listen(self, address: NodeAddress, link: Callable[[], Link], tls: ssl.SSLContext) -> Server:
        return await asyncio.get_running_loop().create_server(
            link,
            sock=sockets.bind(address.host, address.peer_port),
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE,
        )

    async def connect(self, address: NodeAddress, link: Link, tls: ssl.SSLContext) -> None:
        async with asyncio.timeout(HANDSHAKE):
            await asyncio.get_running_loop().create_connection(
                lambda: link,
                address.host,
                address.peer_port,
                ssl=tls,
                server_hostname="",
                ssl_handshake_timeout=HANDSHAKE,
            )
