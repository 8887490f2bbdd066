"""What a fleet costs on its own side: devices that wait, and reading an inventory."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.figures import Figure
from mock_server import Cluster
from smartlic_client.device import SystemEnvironment
from smartlic_client.errands import Settings
from smartlic_client.fleet.engine import Fleet, Pace
from smartlic_client.fleet.inventory import Inventory, Kind, read_inventory
from smartlic_client.fleet.schedule import Schedule
from smartlic_client.fleet.store import FleetStore, Row
from smartlic_client.fleet.transport import FleetTransport
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.urls import Destination

DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"
DEVICES = 100_000
LINES = 1_000_000


def inventory(count: int) -> Inventory:
    return Inventory([Kind("sw-{n}", "C9300-24T", "FOC{n:06}", None, SOFTWARE, ((DNA, Schedule(2)),), count)])


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="smartlic-bench-") as folder:
        FleetStore.make(Path(folder) / "fleet")
        yield Path(folder)


async def _nobody(_destination: Destination, _body: bytes, _content_type: str) -> bytes:
    raise AssertionError("an idle device has nothing to say")


def _resident() -> int:
    """Bytes of memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _registered(ssm: Cluster, folder: Path) -> Row:
    """The row of a device that has just registered."""

    async def register() -> Row:
        with FleetStore(folder / "fleet") as store:
            transport = FleetTransport(ssm.trust_anchor.encode(), connections=1)
            fleet = _fleet(ssm, inventory(1), store, transport, Pace())
            await fleet.run(once=True)
            await transport.aclose()
            row = store.load("sw-1")
            assert row is not None
            return row

    return asyncio.run(register())


def _fleet(
    ssm: Cluster, devices: Inventory, store: FleetStore, transport: FleetTransport, pace: Pace
) -> Fleet:
    settings = Settings(url=ssm.url, transport=TransportKind.CALLHOME, anchors=ssm.trust_anchor)
    token = IdToken(ssm.token())
    return Fleet(
        devices, range(len(devices)), store, settings, token, pace, transport.post, SystemEnvironment()
    )


def _idle(row: Row, folder: Path) -> list[Figure]:
    """100,000 registered devices in one process that want nothing for weeks."""
    devices = inventory(DEVICES)

    async def fill(store: FleetStore) -> None:
        for start in range(0, DEVICES, 5000):
            rows = []
            for index in range(start, start + 5000):
                member = devices[index]
                record = msgspec.structs.replace(row.record, udi=member.udi, hostname=member.name)
                rows.append(store.save(row._replace(name=member.name, record=record)))
            await asyncio.gather(*rows)

    async def rest(store: FleetStore, before: int) -> tuple[float, float, float]:
        settings = Settings(url="https://127.0.0.1/", anchors="")
        fleet = Fleet(devices, range(DEVICES), store, settings, None, Pace(), _nobody, SystemEnvironment())
        began = time.perf_counter()
        running = asyncio.ensure_future(fleet.run())
        while fleet.figures.settled < DEVICES or fleet.figures.busy or fleet.due_now():
            await asyncio.sleep(0.1)
        looked = time.perf_counter() - began
        memory = (_resident() - before) / DEVICES
        cpu = time.process_time()
        await asyncio.sleep(5.0)
        share = (time.process_time() - cpu) / 5.0
        fleet.stop()
        await running
        return looked, memory, share

    with FleetStore(folder / "fleet") as store:
        asyncio.run(fill(store))
    before = _resident()
    with FleetStore(folder / "fleet") as store:
        looked, memory, share = asyncio.run(rest(store, before))
    print(f"     {DEVICES} devices were read and looked at in {looked:.1f} s")
    return [
        Figure("memory of a registered idle device", memory / 1024, 4.0, "KiB", "what it may take", 1.0),
        Figure(f"processor time of {DEVICES} of them", 100 * share, 1.0, "% of a core", "what they may", 1.0),
    ]


def _lines(folder: Path) -> Figure:
    """An inventory of a million lines, beside reading them with csv alone."""
    import csv

    path = folder / "million.csv"
    with path.open("w") as file:
        file.write("name,pid,sn,licenses\n")
        for number in range(LINES):
            file.write(f'sw-{number},C9300-24T,FOC{number:07},"{DNA}=2"\n')
    began = time.perf_counter()
    with path.open(newline="") as file:
        rows = sum(1 for _ in csv.reader(file))
    alone = time.perf_counter() - began
    began = time.perf_counter()
    assert len(read_inventory(path)) == LINES == rows - 1
    took = time.perf_counter() - began
    return Figure(f"an inventory of {LINES} lines", took, alone, "s", "csv alone", 30.0)


def measure() -> list[Figure]:
    with Cluster(processes=True) as ssm, _folder() as folder:
        row = _registered(ssm, folder)
        return [*_idle(row, folder), _lines(folder)]
