"""Devices at work: each registers, reports counts, and sometimes de-registers, through whatever happens.

They are the client's own asynchronous device; what carries their messages is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smartlic_client.device_async import AsyncDevice
from smartlic_client.errands import Outcome
from smartlic_client.errors import CommunicationError
from smartlic_client.protocol.identity import IdToken, Udi

DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"
_PATIENCE = 5.0
"""Seconds for which a device tries before it begins anew: it is told the same again, never something else."""


@dataclass
class Told:
    """What devices have heard the server accept."""

    registered: set[str] = field(default_factory=set)
    """PIIDs, each of a registration of its own."""
    leaving: set[str] = field(default_factory=set)
    """Those that have begun to de-register."""
    counts: dict[str, int] = field(default_factory=dict)
    """PIID to the last count that was accepted; one that is being changed is left out."""


class Fleet:
    """`open_device` opens a folder with the transport of the world that the devices live in."""

    def __init__(
        self,
        folder: Path,
        url: str,
        anchors: bytes,
        token: str,
        open_device: Callable[[Path], Awaitable[AsyncDevice]],
        chance: random.Random,
    ) -> None:
        self.told = Told()
        self.failures: list[BaseException] = []
        self.begun = 0
        self._folder = folder
        self._url = url
        self._anchors = anchors
        self._token = IdToken(token)
        self._open = open_device
        self._chance = chance
        self._lives: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """How many devices are not done."""
        return len(self._lives)

    def send_out(self, count: int) -> None:
        """Begin the lives of some devices. Called in the loop that they live in."""
        for _ in range(count):
            self.begun += 1
            life = asyncio.get_running_loop().create_task(self._life(f"d{self.begun}"))
            self._lives.add(life)
            life.add_done_callback(self._ended)

    def expected_use(self) -> int:
        """What the server must show in use when all is quiet."""
        return sum(count for piid, count in self.told.counts.items() if piid not in self.told.leaving)

    def present(self) -> Counter[str]:
        """PIIDs that the server must have."""
        return Counter(self.told.registered - self.told.leaving)

    def compare(self, ask: Callable[[str], dict[str, Any]], token_id: str) -> None:
        """When every device has been told: the server has what they know, no more and no less."""
        assert not self.busy
        token = next(found for found in ask("token.list")["tokens"] if found["token_id"] == token_id)
        assert token["used"] == len(self.told.registered) == self.begun
        found = {one["product_instance_identifier"] for one in ask("instance.list")["instances"]}
        assert found == set(self.present())
        assert sum(row["in_use"] for row in ask("license.list")["licenses"]) == self.expected_use()

    def _ended(self, life: asyncio.Task[None]) -> None:
        self._lives.discard(life)
        if not life.cancelled() and (error := life.exception()) is not None:
            self.failures.append(error)

    async def _life(self, name: str) -> None:
        chance, folder = self._chance, self._folder / name
        await AsyncDevice.create(
            folder, Udi(pid="C9300-24T", sn=name.upper()), software=SOFTWARE, hostname=name
        )
        async with await self._open(folder) as device:
            await device.set_destination(self._url)
            await device.trust(self._anchors)
            await until_told(lambda: device.register(self._token, wait=_PATIENCE))
            identity = device.record.identity
            assert identity is not None
            self.told.registered.add(identity.piid)
            for _ in range(chance.randint(1, 2)):
                await asyncio.sleep(chance.uniform(0, 0.5))
                await self._report(device, identity.piid, chance.randint(1, 4))
            if chance.random() < 0.25:
                self.told.leaving.add(identity.piid)
                done = await device.deregister(wait=3600)
                assert done.pending is None

    async def _report(self, device: AsyncDevice, piid: str, count: int) -> None:
        self.told.counts.pop(piid, None)
        await until_told(lambda: device.request(DNA, count, wait=_PATIENCE))
        self.told.counts[piid] = count


async def until_told(say: Callable[[], Awaitable[Outcome]], pause: float = 0.05) -> None:
    """Say it until somebody has answered; `pause`: seconds between two tries."""
    while True:
        try:
            if (await say()).pending is None:
                return
        except CommunicationError:
            await asyncio.sleep(pause)


def content(path: Path) -> list[list[tuple[Any, ...]]]:
    """Changes, aggregates and keys of a journal."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return [
            db.execute(query).fetchall()
            for query in (
                "SELECT * FROM journal ORDER BY idx",
                "SELECT kind, key, body FROM aggregate ORDER BY kind, key",
                "SELECT * FROM key_store ORDER BY name, idx",
            )
        ]
