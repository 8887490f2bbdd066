"""AsyncDevices on a real cluster: many at once, and through a planned failover."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mock_server import Cluster
from smartlic_client.device_async import AsyncDevice
from smartlic_client.protocol.identity import IdToken, Udi
from tests.support import DNA

# The loop's debug mode is that of the devices: nodes in threads of this process would be slowed down.
pytestmark = pytest.mark.ssm_processes


async def _opened(ssm: Cluster, folder: Path, name: str) -> AsyncDevice:
    await AsyncDevice.create(folder / name, Udi(pid="C9300-24T", sn=name.upper()), hostname=name)
    device = await AsyncDevice.open(folder / name)
    await device.set_destination(ssm.url)
    await device.trust(ssm.trust_anchor.encode())
    return device


def _instances(ssm: Cluster) -> dict[str, dict[str, Any]]:
    return {found["name"]: found for found in ssm.ask("instance.list")["instances"]}


def test_twenty_devices_at_once(ssm_cluster: Cluster, ssm_token: str, tmp_path: Path) -> None:
    """Twenty devices in one loop register, count, report and de-register, each for itself."""
    secret = IdToken(ssm_token)

    async def life(number: int) -> str:
        async with await _opened(ssm_cluster, tmp_path, f"many-{number}") as device:
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
    counts = {
        row["name"]: sum(lic["count"] for lic in row["licenses"]) for row in _instances(ssm_cluster).values()
    }
    assert counts == {f"many-{number}": number + 1 for number in range(0, 20, 2)}
    assert {row["used"] for row in ssm_cluster.ask("token.list")["tokens"]} == {20}


def test_a_planned_failover_is_waited_through(ssm_cluster: Cluster, ssm_token: str, tmp_path: Path) -> None:
    """Counts go on while the Active stops: none fails, and the new Active has the last one of each device."""
    secret = IdToken(ssm_token)

    async def count_until(device: AsyncDevice, over: asyncio.Future[Any]) -> int:
        count = 0
        while not over.done():
            count += 1
            assert (await device.request(DNA, count, wait=30)).pending is None
        return count

    async def life(name: str, over: asyncio.Future[Any], ready: asyncio.Barrier) -> int:
        async with await _opened(ssm_cluster, tmp_path, name) as device:
            await device.register(secret, wait=30)
            await ready.wait()
            count = await count_until(device, over)
            await device.request(DNA, count + 1, wait=30)
            return count + 1

    async def main() -> list[int]:
        ready = asyncio.Barrier(len(names) + 1)

        async def stop() -> None:
            await ready.wait()
            await asyncio.to_thread(ssm_cluster.stop, "primary")

        over = asyncio.ensure_future(stop())
        return await asyncio.gather(*(life(name, over, ready) for name in names))

    names = [f"through-{number}" for number in range(3)]
    counted = asyncio.run(main())
    assert ssm_cluster.active == "secondary"
    seen = _instances(ssm_cluster)
    assert [seen[name]["licenses"][0]["count"] for name in names] == counted
