"""Devices that are left alone: each in a thread of its own, until they are told to stop.

A device is opened when something is due, and closed again, so that the other verbs work beside it: what they
change is seen within a second. That nobody else attends to it is kept by a lock of its own, `run/` in the
device's folder.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smartlic_client.device import Device, pause
from smartlic_client.errors import BusyError, RemoteError, SmartlicError, problem
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.logs import Logged
from smartlic_client.protocol.record import Record
from smartlic_client.store import Store

__all__ = ["Attended", "Health", "alone"]

RUNS_ALREADY = problem(
    "runs-already",
    BusyError,
    "The device in {folder} is attended to already, by {command} (process {pid}, since {since}).",
    "One `smartlic run` a device is enough; the other verbs work beside it.",
)

# How soon a change by another verb is seen, seconds: files tell it by no event that is there on every system.
LOOK = 1.0


@dataclass
class Health:
    """How a device is. `next`: Unix seconds, None where nothing is ahead. `failure`: what hinders it."""

    registration: str
    authorization: str
    next: float | None = None
    failure: dict[str, Any] | None = None

    @property
    def well(self) -> bool:
        return self.failure is None


@dataclass
class Attended:
    """One device. `told` hears `(name, event)` of each log event, `changed` that the health is another."""

    name: str
    folder: Path
    told: Callable[[str, Logged], None]
    changed: Callable[[str, Health], None]
    token: Callable[[], IdToken] | None = None
    resolve: Mapping[tuple[str, int], str] = field(default_factory=dict)
    proxy: str | None = None
    health: Health | None = None
    seen: object = None

    def run(self, stop: threading.Event) -> None:
        """Attend to it until `stop` is set. What fails is its health, and is tried again."""
        first, at = True, None
        while not stop.is_set():
            try:
                at = self._attend(first)
                first = False
            except BusyError:
                at = time.time() + LOOK  # another verb has it
            except SmartlicError as error:
                at = None
                self._failed(error)
            self._sleep(stop, at)

    def _attend(self, first: bool) -> float | None:
        with self._opened() as device:
            at = device.attend(first=first)
            if self.token is not None and (device.errands.forgotten() or (first and _fresh(device.record))):
                with contextlib.suppress(RemoteError):  # it is in the record
                    device.register(self.token(), force=True)
                at = device.errands.agent.next_deadline()
            self.seen = self._stamp()  # while nobody else can change it
        self._report(device.record, at)
        return at

    def _opened(self) -> Device:
        return Device.open(
            self.folder,
            resolve=self.resolve,
            proxy=self.proxy,
            on_log=lambda event: self.told(self.name, event),
        )

    def _sleep(self, stop: threading.Event, at: float | None) -> None:
        """Until `at`, a minute, or a change of the file: by the clock, which may have been set."""
        until = time.monotonic() + pause(at, time.time())
        while (left := until - time.monotonic()) > 0 and not stop.wait(min(LOOK, left)):
            if self._stamp() != self.seen:
                return

    def _stamp(self) -> object:
        try:
            found = (self.folder / "device.json").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _report(self, record: Record, at: float | None) -> None:
        usage = record.usage
        attempts = [record.registering, record.authorizing]
        attempts += [usage.trusting, usage.reporting] if usage is not None else []
        failure = next((one.failure for one in attempts if one.failure is not None), None)
        self._is(Health(record.registration.value, record.authorization.value, at, failure))

    def _failed(self, error: SmartlicError) -> None:
        self.seen = self._stamp()
        before = self.health or Health("unknown", "unknown")
        self._is(Health(before.registration, before.authorization, None, error.as_dict()))

    def _is(self, health: Health) -> None:
        if health != self.health:
            self.health = health
            self.changed(self.name, health)


def _fresh(record: Record) -> bool:
    """Never registered, and nothing is under way or was refused."""
    known = record.identity is not None or record.usage is not None or record.in_flight is not None
    return not known and record.registering.failure is None


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else attends to the device in `folder` meanwhile. Raises runs-already, store-unwritable."""
    store = Store(folder / "run")
    try:
        with store.locked(timeout=0.0):
            yield
    except BusyError as error:
        if error.code != "store-busy" or error.context.get("folder") != str(store.folder):
            raise
        raise RUNS_ALREADY(**{**error.context, "folder": str(folder)}) from None
