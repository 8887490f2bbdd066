"""AsyncDevices on a real cluster: many at once, and through a planned failover."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from mock_server.demo.stage import Stage
from smartlic_client.device_async import AsyncDevice
from smartlic_client.protocol.identity import IdToken, Udi
from tests.support import DNA, cluster, token


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with cluster(tmp_path_factory.mktemp("cluster")) as raised:
        raised.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=1000)
        yield raised


async def _opened(stage: Stage, name: str) -> AsyncDevice:
    folder = stage.devices / name
    await AsyncDevice.create(folder, Udi(pid="C9300-24T", sn=name.upper()), hostname=name)
    device = await AsyncDevice.open(folder)
    await device.set_destination(stage.url)
    await device.trust(stage.anchor.read_bytes())
    return device


def test_twenty_devices_at_once(stage: Stage) -> None:
    """Twenty devices in one loop register, count, report and de-register, each for itself."""
    secret = IdToken(token(stage))

    async def life(number: int) -> str:
        async with await _opened(stage, f"many-{number}") as device:
            assert (await device.register(secret, wait=30)).pending is None
            assert (await device.request(DNA, number + 1, wait=30)).changed
            await device.report(wait=30)
            identity = device.record.identity
            assert identity is not None
            if number % 2:
                assert (await device.deregister(wait=30)).pending is None
            return identity.piid

    async def main() -> None:
        piids = await asyncio.gather(*(life(number) for number in range(20)))
        assert len(set(piids)) == 20

    asyncio.run(main(), debug=True)
    counts = {row["name"]: sum(lic["count"] for lic in row["licenses"]) for row in stage.instances().values()}
    assert counts == {f"many-{number}": number + 1 for number in range(0, 20, 2)}
    assert {row["used"] for row in stage.ask("token.list")["tokens"]} == {20}


def test_a_planned_failover_is_waited_through(stage: Stage) -> None:
    """Counts go on while the Active stops: none fails, and the new Active has the last one of each device."""
    secret = IdToken(token(stage))

    async def count_until(device: AsyncDevice, over: asyncio.Future[Any]) -> int:
        count = 0
        while not over.done():
            count += 1
            assert (await device.request(DNA, count, wait=30)).pending is None
        return count

    async def life(name: str, over: asyncio.Future[Any], ready: asyncio.Barrier) -> int:
        async with await _opened(stage, name) as device:
            await device.register(secret, wait=30)
            await ready.wait()
            count = await count_until(device, over)
            await device.request(DNA, count + 1, wait=30)
            return count + 1

    async def main() -> list[int]:
        ready = asyncio.Barrier(len(names) + 1)

        async def stop() -> None:
            await ready.wait()
            await asyncio.to_thread(stage.console, "primary", "ha_cluster_stop")

        over = asyncio.ensure_future(stop())
        return await asyncio.gather(*(life(name, over, ready) for name in names))

    names = [f"through-{number}" for number in range(3)]
    counted = asyncio.run(main())
    assert stage.ask("status")["active"] == "secondary"
    seen = stage.instances()
    assert [seen[name]["licenses"][0]["count"] for name in names] == counted
