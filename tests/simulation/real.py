"""The real stand: two processes with ports, TLS and signals of the kernel; devices send over httpx."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import requests

from mock_server import Cluster
from mock_server.cluster.config import NODES, Layout, peer_of
from smartlic_client.device_async import AsyncDevice
from smartlic_client.errors import SmartlicError
from tests.simulation.fleet import DNA, Fleet, content

_WHOLE = 60.0


class RealStand:
    """What a sequence acts on. Real time passes; what the seed orders is the devices' choices only."""

    def __init__(self, folder: Path, seed: int | str) -> None:
        self.ssm = Cluster(folder / "cluster", processes=True)
        self._active = "primary"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="devices")
        self._thread.start()
        try:
            self.ssm.__enter__()
            self.ssm.wait("secondary")
            self.ssm.ask("license.add", name="DNA Premier 50M", tag=DNA, quantity=10)
            token = self.ssm.token()
            self.token_id = self.ssm.ask("token.list")["tokens"][0]["token_id"]
        except BaseException:
            self.close()
            raise
        self._anchor = folder / "anchor.pem"
        self._anchor.write_text(self.ssm.trust_anchor)
        self.fleet = Fleet(
            folder / "devices",
            self.ssm.url,
            self.ssm.trust_anchor.encode(),
            token,
            AsyncDevice.open,
            random.Random(seed),
        )

    def close(self) -> None:
        try:
            for node in NODES:
                self._quietly(lambda node=node: self.ssm.resume(node))  # type: ignore[misc]
            self.ssm.close()
        finally:
            asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    # --- what a sequence does

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def send_out(self, devices: int) -> None:
        self._loop.call_soon_threadsafe(self.fleet.send_out, devices)

    def name(self, node: str) -> str:
        """The server that "active" or "standby" is, by the witness."""
        with contextlib.suppress(ValueError, OSError):
            folder = Layout(self.ssm.folder).witness
            newest = max(folder.glob("*.json"), key=lambda path: int(path.stem))
            self._active = json.loads(newest.read_bytes())["active"]
        return self._active if node == "active" else peer_of(self._active)

    def start(self, node: str) -> None:
        self._quietly(lambda: self.ssm.start(self.name(node)))

    def stop(self, node: str) -> None:
        self._quietly(lambda: self.ssm.stop(self.name(node)))

    def kill(self, node: str) -> None:
        self._quietly(lambda: self.ssm.kill(self.name(node)))

    def hang(self, node: str) -> None:
        self._quietly(lambda: self.ssm.hang(self.name(node)))

    def resume(self, node: str) -> None:
        self._quietly(lambda: self.ssm.resume(self.name(node)))

    def cut(self, node: str, kind: str, seconds: float) -> None:
        self._drill(self.name(node), f"{kind}-cut", seconds)

    def slow(self, seconds: float) -> None:
        """The network between two processes of a machine is as fast as it is."""

    def fill_disk(self, node: str) -> None:
        self._drill(self.name(node), "disk-full")

    def empty_disk(self, node: str) -> None:
        self._drill(self.name(node), "disk-ok")

    def _drill(self, name: str, kind: str, seconds: float = 0.0) -> None:
        if not self._hangs(name):
            self._quietly(lambda: self.ssm.ask("drill", node=name, kind=kind, seconds=seconds))

    def _hangs(self, name: str) -> bool:
        reason: str = self.ssm.status()["nodes"][name]["reason"]
        return reason == "its process does not answer"

    def _quietly(self, order: Callable[[], object]) -> None:
        """What makes no sense just now is refused, and that is right."""
        with contextlib.suppress(SmartlicError):
            order()

    # --- what must hold

    def check(self) -> None:
        """One that has answered does not answer any more after the other one has."""
        for error in self.fleet.failures:
            raise error
        first = self.name("active")
        order = (first, peer_of(first), first)
        assert not all(map(self._answers, order)), "both servers answer"

    def _answers(self, node: str) -> bool:
        own = self.ssm.config.node(cast(Literal["primary", "secondary"], node))
        try:
            answer = requests.get(
                f"https://{own.host}:{own.gui_port}/", verify=str(self._anchor), timeout=0.5
            )
        except requests.exceptions.RequestException:
            return False
        return answer.status_code == 200

    def heal(self) -> None:
        """All is well again: both run and are one cluster, and every device has been told."""
        for node in NODES:
            self._quietly(lambda node=node: self.ssm.resume(node))  # type: ignore[misc]
        until = time.monotonic() + _WHOLE
        while not self._whole():
            assert time.monotonic() < until, f"not whole again: {self.ssm.status()}"
            time.sleep(0.05)

    def _whole(self) -> bool:
        nodes = self.ssm.status()["nodes"]
        for name, node in nodes.items():
            if not node["running"]:
                self._quietly(lambda name=name: self.ssm.start(name))  # type: ignore[misc]
            self._drill(name, "disk-ok")
        states = sorted(node["state"] for node in nodes.values())
        return states == ["active", "standby"] and not self.fleet.busy

    def finish(self) -> None:
        """At the end, healed and quiet."""
        self.heal()
        self.check()
        self.fleet.compare(self.ssm.ask, self.token_id)
        until = time.monotonic() + 5
        layout = Layout(self.ssm.folder)
        while content(layout.journal("primary")) != content(layout.journal("secondary")):
            assert time.monotonic() < until, "the two copies differ"
            time.sleep(0.05)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
