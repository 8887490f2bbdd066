"""The connections to the other node: heartbeat and replication, over TLS with pinned certificates.

A node that is not Active connects to its peer's `peer_port`, twice; the Active accepts. Both sides send a
keepalive on each every 100 ms, from the loop that serves: what cannot serve cannot claim to be alive
(rule 4).
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import ssl
from collections.abc import Callable
from typing import Protocol

from mock_server.cluster import identity, wire
from mock_server.cluster.config import ClusterConfig, Layout, peer_of
from mock_server.cluster.decide import HUNG_AFTER
from mock_server.cluster.link import Link
from mock_server.cluster.processes import ProcessId
from mock_server.cluster.world import HANDSHAKE, Server, World

log = logging.getLogger(__name__)

RELEASE = importlib.metadata.version("smartlic")
_RETRY = 0.1


class Owner(Protocol):
    """What the connections ask of their node, and tell it."""

    def hello(self, kind: wire.Kind) -> wire.Hello: ...
    def welcome(self) -> wire.Welcome: ...
    def beat(self, sent: float, echo: float) -> wire.Beat: ...
    def peer_seen(self, process: ProcessId) -> None: ...
    def peer_beat(self, beat: wire.Beat) -> None: ...
    def replication_accepted(self, link: Link) -> Callable[[wire.Message], None]: ...
    def replication_made(self, link: Link) -> Callable[[wire.Message], None]: ...
    async def replication_ended(self) -> None: ...
    def link_lost(self, kind: wire.Kind) -> None: ...


class Peers:
    """The listener, the connectors, and the two connections that are in use."""

    def __init__(self, me: str, config: ClusterConfig, layout: Layout, world: World, owner: Owner) -> None:
        self._me = me
        self._peer = peer_of(me)
        self._config = config
        self._world = world
        self._owner = owner
        self._layout = layout
        self._client_tls: ssl.SSLContext | None = None
        self.refusal = ""
        """Why the two do not talk to each other, if that is known; `ha_status` shows it."""
        self._links: dict[wire.Kind, Link] = {}
        self._accepted: dict[Link, None] = {}
        self._server: Server | None = None
        self._seekers: dict[wire.Kind, asyncio.Task[None]] = {}
        self._heard = 0.0
        self._known: ProcessId | None = None
        self._last_byte = world.time()
        self._cut_until: dict[wire.Kind, float] = {}

    # --- life

    async def open(self) -> None:
        """Listen on this node's peer port."""
        address = self._config.node(self._me)
        world = self._world
        self._last_byte = world.time()
        layout, me = self._layout, self._me
        server_tls, self._client_tls = identity.contexts(
            layout.certificate(me), layout.key(me), layout.trusted(me), self._handshake_failed
        )
        self._server = await world.listen(
            address,
            lambda: Link(self._first_message, self._accepted_lost, self._accepted_made, now=world.time),
            server_tls,
        )

    def seek(self) -> None:
        """Connect to the peer, and again whenever a connection is lost."""
        for kind in ("heartbeat", "replication"):
            if kind not in self._seekers:
                self._seekers[kind] = asyncio.create_task(self._seek(kind), name=f"seek {kind}")

    async def stop_seeking(self, *kinds: wire.Kind) -> None:
        """Close the connections that this node has made, and make no others."""
        for kind in kinds:
            task = self._seekers.pop(kind, None)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """No connection, no listener."""
        await self.stop_seeking("heartbeat", "replication")
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """Close what was accepted from the peer."""
        for link in list(self._accepted):
            link.abort()

    def cut(self, kind: wire.Kind, seconds: float) -> None:
        """A drill: this connection alone is cut, and cannot be made for a while."""
        self._cut_until[kind] = self._world.time() + seconds
        if kind in self._links:
            self._links[kind].abort()

    # --- facts

    @property
    def connections(self) -> int:
        """How many of the two are open."""
        return len(self._links)

    def connected(self, kind: wire.Kind) -> bool:
        return kind in self._links

    def heard(self, kind: wire.Kind, now: float) -> bool:
        """Whether the connection is there and the peer has spoken on it lately: a hung one has not."""
        link = self._links.get(kind)
        return link is not None and now - link.last_byte < HUNG_AFTER

    def silence(self, now: float) -> float:
        """Seconds since the last byte on either, or since the start."""
        for link in self._links.values():
            self._last_byte = max(self._last_byte, link.last_byte)
        return now - self._last_byte

    # --- keepalives

    def tick(self) -> None:
        """Send a keepalive on both."""
        if self._links:
            beat = self._owner.beat(self._world.time(), self._heard)
            for link in self._links.values():
                link.send(beat)

    def _beat(self, beat: wire.Beat) -> None:
        first = self._heard == 0
        self._heard = max(self._heard, beat.sent)
        self._owner.peer_beat(beat)
        if first:
            self.tick()  # the Active's answers wait for the first echo

    # --- accepted connections

    def _first_message(self, link: Link, message: wire.Message) -> None:
        why = self._unacceptable(message) if isinstance(message, wire.Hello) else "it does not say who it is"
        if why is not None:
            self._refuse(f"the {self._peer.capitalize()} was refused: {why}")
            link.send(wire.Refused(why))
            link.close()
            return
        assert isinstance(message, wire.Hello)  # noqa: S101 - narrows the type
        if self._is_cut(message.kind):
            link.abort()
            return
        self._seen(ProcessId(message.pid, message.started))
        welcome = self._owner.welcome()
        link.send(welcome)
        if not welcome.active:
            link.close()
            return
        older = self._links.get(message.kind)
        if older is not None:
            older.abort()
            self._lost(message.kind, older)
        self._use(message.kind, link, self._owner.replication_accepted)
        link.on_lost = self._accepted_lost

    def _accepted_made(self, link: Link) -> None:
        self._accepted[link] = None

    def _unacceptable(self, hello: wire.Hello) -> str | None:
        """Why this is not the peer."""
        if hello.version != wire.VERSION:
            return f"it speaks version {hello.version} of the protocol, not {wire.VERSION}"
        if hello.cluster != self._config.cluster:
            return "it belongs to another cluster"
        if hello.node != self._peer:
            return f"it says that it is the {hello.node.capitalize()[:20]}"
        if hello.release != RELEASE:
            return f"it runs release {hello.release[:20]}, not {RELEASE}"
        return None

    def _refuse(self, why: str) -> None:
        """Say it once, and keep it for `ha_status` until the two talk to each other."""
        if why != self.refusal:
            self.refusal = why
            log.warning("%s", why)

    def _handshake_failed(self, error: BaseException) -> None:
        why = identity.why_refused(error, self._peer.capitalize())
        if why is not None:
            self._refuse(why)

    def _accepted_lost(self, link: Link) -> None:
        self._accepted.pop(link, None)
        for kind, used in list(self._links.items()):
            if used is link:
                self._lost(kind, link)

    # --- made connections

    async def _seek(self, kind: wire.Kind) -> None:
        try:
            while True:
                if not self._is_cut(kind):
                    try:
                        await self._connect(kind)
                    except (OSError, ssl.SSLError, TimeoutError, ConnectionError) as error:
                        log.debug("no %s connection: %s", kind, error)
                        self._handshake_failed(error)
                    if kind == "replication":
                        await self._owner.replication_ended()
                await asyncio.sleep(_RETRY)
        finally:
            link = self._links.get(kind)
            if link is not None and link not in self._accepted:
                link.abort()
                self._lost(kind, link)
            if kind == "replication":
                await self._owner.replication_ended()

    async def _connect(self, kind: wire.Kind) -> None:
        """Make one connection, and stay until it is lost or the peer turns out not to be Active."""
        loop = asyncio.get_running_loop()
        lost = asyncio.Event()
        answer: asyncio.Future[wire.Message] = loop.create_future()

        def answered(_link: Link, message: wire.Message) -> None:
            if not answer.done():
                answer.set_result(message)
                if isinstance(message, wire.Welcome) and message.active:
                    # In the same step: the next message may be in the same read.
                    self._seen(ProcessId(message.pid, message.started))
                    self._use(kind, _link, self._owner.replication_made)

        def gone(link: Link) -> None:
            lost.set()
            if not answer.done():
                answer.set_exception(link.error or ConnectionResetError("closed before it was welcomed"))
                answer.exception()  # nobody may come to wait for it: the loop need not complain
            if self._links.get(kind) is link:
                self._lost(kind, link)

        address = self._config.node(self._peer)
        link = Link(answered, gone, now=self._world.time)
        assert self._client_tls is not None  # noqa: S101 - `open` comes before `seek`
        await self._world.connect(address, link, self._client_tls)
        try:
            link.send(self._owner.hello(kind))
            async with asyncio.timeout(HANDSHAKE):
                welcome = await answer
            if isinstance(welcome, wire.Refused):
                self._refuse(f"the {self._peer.capitalize()} refuses this server: {welcome.reason[:200]}")
            if isinstance(welcome, wire.Welcome) and welcome.active:
                await lost.wait()
        finally:
            link.abort()

    # --- both

    def _use(
        self, kind: wire.Kind, link: Link, session: Callable[[Link], Callable[[wire.Message], None]]
    ) -> None:
        if not self._links:
            self._heard = 0.0
        self._links[kind] = link
        self.refusal = ""
        handle = session(link) if kind == "replication" else None

        def received(_link: Link, message: wire.Message) -> None:
            if isinstance(message, wire.Beat):
                self._beat(message)
            elif handle is not None:
                handle(message)

        link.on_message = received
        log.info("%s connection with %s is open", kind, self._peer)
        self.tick()

    def _lost(self, kind: wire.Kind, link: Link) -> None:
        self._last_byte = max(self._last_byte, link.last_byte)
        self._links.pop(kind, None)
        log.info("%s connection with %s is closed", kind, self._peer)
        self._owner.link_lost(kind)

    def _seen(self, process: ProcessId) -> None:
        if process != self._known:
            self._known = process
            self._heard = 0.0
        self._owner.peer_seen(process)

    def _is_cut(self, kind: wire.Kind) -> bool:
        return self._world.time() < self._cut_until.get(kind, 0.0)
