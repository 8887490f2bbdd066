"""The licensing service with its journal left out: no disk, no Standby, the answer leaves at once.

`python -m benchmarks.nodisk FOLDER PRIMARY SECONDARY VIP` is a cluster with it: what replication and two
disks cost is the difference to it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence

from mock_server.cluster import config
from mock_server.cluster.hosts import Processes
from mock_server.cluster.machine import Event, Ledger, NodeContext
from mock_server.cluster.supervisor import Supervisor
from mock_server.domain.apply import LicensingMachine
from mock_server.service import LicensingService

_NO_KEYS: Mapping[str, bytes] = {}


class MemoryLedger:
    """A ledger that keeps nothing: changes are applied, and everything is settled."""

    def __init__(self, machine: LicensingMachine, epoch: int) -> None:
        self._machine = machine
        self._keys: dict[str, bytes] = {}
        self.index = 0
        self.epoch = epoch

    def propose(self, payload: bytes, keys: Mapping[str, bytes] = _NO_KEYS) -> int:
        self._machine.apply(payload)
        self._keys.update(keys)
        self.index += 1
        return self.index

    async def settled(self, index: int | None = None) -> None:
        """At once."""

    def key(self, name: str) -> bytes:
        return self._keys[name]

    async def read_events(
        self,
        after: int = 0,  # noqa: ARG002 - the protocol's names
        limit: int = 100,  # noqa: ARG002
        newest_first: bool = False,  # noqa: ARG002
    ) -> Sequence[Event]:
        return []


class Service(LicensingService):
    async def activate(self, ledger: Ledger) -> None:
        await super().activate(MemoryLedger(self.machine, ledger.epoch))


def make(context: NodeContext) -> Service:
    """The factory that the nodes of such a cluster call."""
    return Service(context)


def main(folder: str, *hosts: str) -> None:
    supervisor = Supervisor(
        folder, config.configure(*hosts), Processes("benchmarks.nodisk:make", "mock_server.cssm.main")
    )
    asyncio.run(supervisor.serve(lambda _status: print("up", flush=True)))


if __name__ == "__main__":
    main(*sys.argv[1:])
