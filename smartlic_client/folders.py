"""Where a device's record and settings are kept: a folder on disk, locked while it is open, or memory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from smartlic_client.errands import Settings
from smartlic_client.errors import CallerError, problem
from smartlic_client.protocol.identity import Udi, printable, software_id
from smartlic_client.protocol.record import Record, contradiction
from smartlic_client.protocol.signing import load_key
from smartlic_client.store import Store

__all__ = ["DEFAULT_SOFTWARE_ID", "NO_DEVICE", "DeviceFolder", "Keeping", "MemoryFolder"]

DEVICE_EXISTS = problem(
    "device-exists",
    CallerError,
    "There is a device in {folder} already.",
    "Use it, or choose another --name; `smartlic deregister` and then removing the folder ends it.",
)
NO_DEVICE = problem(
    "no-device",
    CallerError,
    "There is no device in {folder}.",
    "Make one: smartlic init --pid C9300-24T --sn FOC2705Y8X0 --name NAME",
)
NOT_A_RECORD = problem(
    "device-unreadable",
    CallerError,
    "The device in {folder} cannot be read: {why}.",
    "Its file was changed by hand or by another program: put the right one back, or make a new device.",
)

DEFAULT_SOFTWARE_ID = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"


class Keeping(Protocol):
    """Where a device's record and settings are kept: on disk, or in memory."""

    record: Record
    settings: Settings

    def state(self) -> dict[str, Any]: ...

    def save(self, state: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class MemoryFolder:
    """A device that is gone with its process: for emulators and tests. `saved`: what a disk would hold."""

    def __init__(self, udi: Udi, *, software: str = DEFAULT_SOFTWARE_ID, hostname: str | None = None) -> None:
        name = printable(hostname, "hostname") if hostname is not None else None
        self.record = Record(udi=udi.validated(), software_id=software_id(software), hostname=name)
        self.settings = Settings()
        self.saved = self.state()

    def state(self) -> dict[str, Any]:
        return _data(self.record, self.settings)

    def save(self, state: dict[str, Any]) -> None:
        self.saved = state

    def close(self) -> None:
        """Nothing is held."""


class DeviceFolder:
    """A device on disk, locked from `open` to `close`: its store, and the record and settings found there."""

    def __init__(self, store: Store, lock: AbstractContextManager[None]) -> None:
        self.store = store
        self._lock: AbstractContextManager[None] | None = lock
        self.record, self.settings = self.read(store)

    @staticmethod
    def create(folder: Path, udi: Udi, software: str, hostname: str | None) -> None:
        """Raises bad-udi, bad-tag, bad-text, device-exists, and as `Store`."""
        name = printable(hostname, "hostname") if hostname is not None else None
        record = Record(udi=udi.validated(), software_id=software_id(software), hostname=name)
        store = Store(folder)
        with store.locked():
            if store.load() is not None:
                raise DEVICE_EXISTS(folder=str(folder))
            store.save(_data(record, Settings()))

    @classmethod
    def open(cls, folder: Path, lock_timeout: float) -> Self:
        """Raises no-device, store-busy, store-damaged and so on."""
        store = _store(folder)
        lock = store.locked(timeout=lock_timeout)
        lock.__enter__()
        try:
            opened = cls(store, lock)
            _check(opened.record, folder)
        except BaseException:
            lock.__exit__(None, None, None)
            raise
        return opened

    @classmethod
    def peek(cls, folder: Path) -> tuple[Record, Settings]:
        """What is on disk, without the lock: for looking at only. Raises as `open`."""
        return cls.read(_store(folder))

    @staticmethod
    def read(store: Store) -> tuple[Record, Settings]:
        data = store.load()
        if data is None:
            raise NO_DEVICE(folder=str(store.folder))
        try:
            return Record.from_data(data["record"]), msgspec.convert(data["settings"], Settings)
        except (msgspec.ValidationError, KeyError) as error:
            raise NOT_A_RECORD(folder=str(store.folder), why=str(error)) from None

    def state(self) -> dict[str, Any]:
        """Record and settings as they are now, for `store.save`: what changes later is not in it."""
        return _data(self.record, self.settings)

    def save(self, state: dict[str, Any]) -> None:
        self.store.save(state)

    def close(self) -> None:
        if self._lock is not None:
            self._lock.__exit__(None, None, None)
            self._lock = None


def _check(record: Record, folder: Path) -> None:
    """What no device has saved. Keys that are none come from a support bundle, where they are taken out."""
    if why := contradiction(record):
        raise NOT_A_RECORD(folder=str(folder), why=why)
    known = (record.identity, record.usage.identity if record.usage is not None else None)
    for pem in (record.new_key, *(identity.key for identity in known if identity is not None)):
        try:
            if pem is not None:
                load_key(pem)
        except ValueError:
            raise NOT_A_RECORD(folder=str(folder), why="a private key in it is none") from None


def _store(folder: Path) -> Store:
    store = Store(folder)
    if not store.path.exists():
        raise NO_DEVICE(folder=str(folder))
    return store


def _data(record: Record, settings: Settings) -> dict[str, Any]:
    return {"record": record.to_data(), "settings": msgspec.to_builtins(settings)}
