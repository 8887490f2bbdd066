"""Devices in threads that register, report and de-register through kills; each keeps what it did."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mock_server.demo.stage import Stage
from smartlic_client.device import Device
from smartlic_client.protocol.identity import IdToken, Udi
from tests.support import DNA

SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"


@dataclass
class Told:
    """What the devices know was accepted: PIIDs of registrations, and the count each told last."""

    registrations: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


class Fleet:
    """`threads` threads, each with one device after the other, until `stop`."""

    def __init__(self, stage: Stage, token: str, folder: Path, threads: int, seed: int) -> None:
        self.url = stage.url
        self.anchors = stage.ask("certificates")["trust_anchor"].encode()
        self.token = IdToken(token)
        self.folder = folder
        self.seed = seed
        self.told = Told()
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Fleet:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, timeout: float = 30.0) -> None:
        """Return when `more` further registrations have been accepted."""
        with self._progress:
            goal = len(self.told.registrations) + more
            reached = self._progress.wait_for(
                lambda: len(self.told.registrations) >= goal or bool(self.told.failures), timeout
            )
        assert reached, f"no {more} registrations within {timeout} s"
        assert not self.told.failures, self.told.failures

    def _run(self, number: int) -> None:
        chance = random.Random(f"{self.seed}/{number}")
        try:
            made = 0
            while not self._stopping.is_set():
                made += 1
                self._life(f"d{number}-{made}", chance)
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            with self._progress:
                self.told.failures.append(f"{type(error).__name__}: {error}")
                self._progress.notify_all()

    def _life(self, name: str, chance: random.Random) -> None:
        """Register, report a few counts, perhaps de-register; all is retried until it is told."""
        folder = self.folder / name
        Device.create(folder, Udi(pid="C9300-24T", sn=name.upper()), software=SOFTWARE, hostname=name)
        with Device.open(folder) as device:
            device.set_destination(self.url)
            device.trust(self.anchors)
            device.register(self.token, wait=30)
            identity = device.record.identity
            assert identity is not None
            with self._progress:
                self.told.registrations.append(identity.piid)
                self._progress.notify_all()
            for _ in range(chance.randrange(3)):
                count = chance.randrange(1, 9)
                device.request(DNA, count, wait=30)
                self.told.counts[identity.piid] = count
            if chance.random() < 0.2:
                outcome = device.deregister(wait=30)
                assert outcome.pending is None, outcome.pending
                self.told.gone.add(identity.piid)


def check(stage: Stage, fleet: Fleet) -> int:
    """What the server has is what the devices were told, exactly once. Returns the registrations."""
    told = fleet.told
    assert not told.failures, told.failures
    assert len(set(told.registrations)) == len(told.registrations), "one registration, one instance"
    listed = stage.ask("instance.list", limit=-1)["instances"]
    kept = set(told.registrations) - told.gone
    seen = {found["product_instance_identifier"]: found for found in listed}
    assert set(seen) == kept
    names = Counter(found["name"] for found in listed)
    assert not [name for name, times in names.items() if times > 1]
    used = {piid: sum(lic["count"] for lic in found["licenses"]) for piid, found in seen.items()}
    assert used == {piid: told.counts.get(piid, 0) for piid in kept}
    (pool,) = stage.ask("license.list")["licenses"]
    assert pool["in_use"] == sum(used.values())
    (token,) = stage.ask("token.list")["tokens"]
    assert token["used"] == len(told.registrations), "token uses spent = distinct registrations accepted"
    return len(told.registrations)
