"""Clients that mean harm, from an address of their own: honest products register meanwhile.

The short versions are part of `make test`; the long ones print how much longer a registration takes than
before, which is not judged here (it is a figure of a machine).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mock_server.demo.stage import Stage
from smartlic_client.device import Device
from smartlic_client.protocol.identity import IdToken, Udi
from tests.support import cluster, token

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with cluster(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@contextmanager
def hostile(stage: Stage, kind: str, count: int) -> Iterator[dict[str, Any]]:
    """The load is there in the block; after it, what the client met."""
    vip = stage.config.vip
    command = [sys.executable, "-m", "tests.reliability.hostile", kind, vip.host, str(vip.device_port)]
    process = subprocess.Popen(
        [*command, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    met: dict[str, Any] = {}
    try:
        assert process.stdout.readline() == "ready\n"
        yield met
        out, _err = process.communicate("", timeout=60)
        met |= json.loads(out)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0


def registered(stage: Stage, folder: Path, name: str, count: int) -> list[float]:
    """Products that register one after the other; the seconds that each took."""
    secret = IdToken(token(stage))
    anchor = stage.ask("certificates")["trust_anchor"].encode()
    took = []
    for number in range(count):
        one = folder / f"{name}-{number}"
        Device.create(one, Udi(pid="C9300-24T", sn=f"{name}{number}"), hostname=one.name)
        with Device.open(one) as device:
            device.set_destination(stage.url)
            device.trust(anchor)
            began = time.perf_counter()
            device.register(secret, wait=60)
            took.append(time.perf_counter() - began)
            assert device.record.identity is not None
    return took


@pytest.mark.parametrize(
    ("kind", "count"),
    [("silent", 300), ("idle", 200), ("head", 100), ("body", 100), ("large", 5), ("handshakes", 50)],
)
def test_honest_products_register(stage: Stage, tmp_path: Path, kind: str, count: int) -> None:
    """Whatever a hostile client does meanwhile; what it sends is refused or waited for."""
    with hostile(stage, kind, count) as met:
        assert len(registered(stage, tmp_path, kind, 3)) == 3
    if kind == "large":
        assert {key for key in met if key.startswith("HTTP")} <= {"HTTP/1.1 413 Request Entity Too Large"}
        assert met.get("HTTP/1.1 200 OK", 0) == 0


@pytest.mark.drill
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("silent", 10_000),
        ("idle", 10_000),
        ("head", 2_000),
        ("body", 2_000),
        ("large", 20),
        ("handshakes", 200),
    ],
)
def test_drill_of_hostile_clients(
    stage: Stage, tmp_path: Path, kind: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same at full size; it prints the median of registrations, quiet and meanwhile."""
    quiet = registered(stage, tmp_path, f"q{kind}", 30)
    with hostile(stage, kind, count) as met:
        loaded = registered(stage, tmp_path, f"l{kind}", 30)
    ratio = statistics.median(loaded) / statistics.median(quiet)
    with capsys.disabled():
        print(
            f"\n{kind} {count}: a registration takes {statistics.median(loaded) * 1000:.0f} ms "
            f"(longest {max(loaded) * 1000:.0f}), quiet {statistics.median(quiet) * 1000:.0f} "
            f"(longest {max(quiet) * 1000:.0f}): {ratio:.1f} times; it met {met}"
        )
