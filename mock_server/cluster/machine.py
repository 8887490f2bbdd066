"""The seam: what a node replicates and serves, and what it offers to that in return.

The cluster carries opaque changes. A `Service` gives it a `Machine` to apply them to, and web applications to
serve while the node is Active; the `Ledger` is how the service makes changes and learns that they are safe.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mock_server.cluster.config import ClusterConfig
from mock_server.journal.machine import Machine

__all__ = [
    "ASGIApp",
    "ControlHandler",
    "Event",
    "Ledger",
    "Machine",
    "NodeContext",
    "Service",
    "ServiceFactory",
]

ASGIApp = Callable[..., Awaitable[None]]
ControlHandler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Event:
    """One change as the journal holds it."""

    index: int
    epoch: int
    payload: bytes


class Ledger(Protocol):
    """The replicated journal, seen from the service. Used from the node's loop only.

    Call `settled` before any other await after the state was read or changed: what an answer shows must be
    what it waited for. All that cannot be done now raises a CommunicationError with `retry_after`
    (`not-active`, `flush-failed`, `journal-busy`): to a client that is 503 with Retry-After.
    """

    @property
    def index(self) -> int:
        """The last change that is applied in memory."""

    @property
    def epoch(self) -> int:
        """The epoch in which this node is Active; it rises with each change of the Active."""

    def propose(self, payload: bytes, keys: Mapping[str, bytes] = {}) -> int:
        """Apply a change to the machine now, queue it for the disks, and return its index.

        `keys` are private keys by name: they are kept in the key store, in the same transaction as the
        change, and are no part of the events.
        """

    async def settled(self, index: int | None = None) -> None:
        """Return when all up to `index` (default: all that is in memory now) is on the disks of both nodes,
        or of this one when the Standby is off the witness's list. Reads wait here too."""

    def key(self, name: str) -> bytes:
        """A private key, as PEM; KeyError if there is none of this name."""

    async def read_events(
        self, after: int = 0, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Event]:
        """Changes with an index above `after`: the oldest of them first, or the newest first."""


@dataclass(slots=True)
class NodeContext:
    """What a service is told about the node that it runs in. `config` is another one after a deployment."""

    name: str
    folder: Path
    config: ClusterConfig
    status: Callable[[], dict[str, Any]]
    """Both servers' state as the control op `status` gives it; cheap, no I/O worth mentioning."""


class Service(Protocol):
    """What a node serves. Made once in a node's process, by `factory(context)`."""

    machine: Machine
    control: Mapping[str, ControlHandler]
    """Handlers of domain commands on the control socket; called on the Active only."""

    def device_app(self) -> ASGIApp: ...

    def gui_app(self) -> ASGIApp: ...

    def device_tls(self) -> ssl.SSLContext | None:
        """Called after `activate`. None: plain HTTP, for tests."""

    def gui_tls(self) -> ssl.SSLContext | None:
        """Called after `activate`. None: plain HTTP, for tests."""

    async def activate(self, ledger: Ledger) -> None:
        """This node has become Active. It may propose first changes (make certificates) and wait for them.
        No request arrives before this has returned."""

    def deactivate(self) -> None:
        """This node is Active no more: keep nothing of the ledger."""

    async def torn_down(self) -> None:
        """A teardown has made this server stand alone; it serves. Called again if that was cut short."""

    def pages(self, keys: Mapping[str, bytes]) -> tuple[ASGIApp, ssl.SSLContext | None]:
        """What a discarded server shows: pages to read, of the state that the machine holds. `keys`: the key
        store."""

    def applied(self, payload: bytes) -> None:
        """A change is in memory, on the Active or the Standby. A hook; it must not fail and not take long."""


ServiceFactory = Callable[[NodeContext], Service]
