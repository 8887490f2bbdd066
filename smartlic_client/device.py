"""A product instance: the agent with its folder on disk and a connection to its server.

    with Device.open(folder) as device:
        device.register(IdToken(text), wait=60)
        device.request("regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71", 3)

While it is open, the folder is locked against other processes. What was meant is on disk before it is sent:
after a crash, the next call goes on with the same message. What a device does, and in which order, is in
`smartlic_client.errands`; here it is carried out in the calling thread, in `device_async` in an event loop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec
from cryptography import x509

from smartlic_client.errands import Answer, Errand, Errands, Outcome, Persist, Send, Settings, Step, Wait
from smartlic_client.errors import CallerError, RemoteError, SmartlicError, problem
from smartlic_client.protocol import signing
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Environment
from smartlic_client.protocol.identity import IdToken, Udi, printable, software_id
from smartlic_client.protocol.record import Record
from smartlic_client.store import Store
from smartlic_client.transport.urls import Destination

if TYPE_CHECKING:
    from smartlic_client.transport.sync import SyncTransport

__all__ = ["DEFAULT_SOFTWARE_ID", "Device", "DeviceFolder", "Outcome", "Settings", "SystemEnvironment"]

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

T = TypeVar("T")


class SystemEnvironment:
    """The real clock, the system's randomness, real keys (protocol.flow.Environment)."""

    now = staticmethod(time.time)
    random = staticmethod(os.urandom)
    new_key = staticmethod(signing.new_key)


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
            return cls(store, lock)
        except BaseException:
            lock.__exit__(None, None, None)
            raise

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

    def close(self) -> None:
        if self._lock is not None:
            self._lock.__exit__(None, None, None)
            self._lock = None


class Device:
    """Use `Device.create` once, then `with Device.open(folder) as device`.

    All methods that talk to the server take `wait`: the seconds for which communication failures are retried
    (a failover takes less than one). They raise SmartlicError; TrustError means that nothing was sent.
    """

    def __init__(
        self,
        folder: DeviceFolder,
        environment: Environment,
        resolve: Mapping[tuple[str, int], str] | None,
    ) -> None:
        self.errands = Errands(Agent(folder.record), folder.settings, environment)
        self._folder = folder
        self._resolve = resolve
        self._transport: SyncTransport | None = None

    @property
    def record(self) -> Record:
        return self.errands.record

    @property
    def settings(self) -> Settings:
        return self.errands.settings

    # ---- life ---------------------------------------------------------------------------------------------
    @classmethod
    def create(
        cls, folder: Path, udi: Udi, *, software: str = DEFAULT_SOFTWARE_ID, hostname: str | None = None
    ) -> None:
        """Make a device's folder. Raises bad-udi, bad-tag, bad-text, device-exists, and as `Store`."""
        DeviceFolder.create(folder, udi, software, hostname)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        lock_timeout: float = 5.0,
        environment: Environment | None = None,
        resolve: Mapping[tuple[str, int], str] | None = None,
    ) -> Device:
        """Lock the folder and read the device. Raises no-device, store-busy, store-damaged and so on.

        `resolve` sends a (host, port) to another address before DNS knows the name; the name that is checked
        stays the URL's.
        """
        return cls(DeviceFolder.open(folder, lock_timeout), environment or SystemEnvironment(), resolve)

    @classmethod
    def peek(cls, folder: Path) -> tuple[Record, Settings]:
        """The device as it is on disk, without the lock: for looking at only. Raises as `open`."""
        return DeviceFolder.peek(folder)

    def close(self) -> None:
        self._hang_up()
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ---- settings -----------------------------------------------------------------------------------------
    def set_destination(self, url: str) -> Destination:
        """Set the destination URL; its path tells the transport. Raises bad-url, not-https, bad-host."""
        return self._run(self.errands.set_destination(url))

    def trust(self, pem: bytes) -> list[x509.Certificate]:
        """Trust the CA certificates in `pem` and no others. Raises bad-trust-anchor."""
        return self._run(self.errands.trust(pem))

    # ---- what the device does -----------------------------------------------------------------------------
    def register(self, token: IdToken, *, force: bool = False, wait: float = 0.0) -> Outcome:
        """Register with an ID token. A registration that is under way is finished first, as it was meant.

        Raises registered-already unless `force`. Licenses in use are reported at once; what could not be told
        then is in the outcome's `pending`.
        """
        return self._run(self.errands.register(token, force=force, wait=wait))

    def request(self, tag: str, count: int, *, wait: float = 0.0) -> Outcome:
        """Use `count` licenses of an entitlement from now on: the absolute count."""
        return self._run(self.errands.request(tag, count, wait=wait))

    def release(self, tag: str, *, wait: float = 0.0) -> Outcome:
        """Use no license of an entitlement any more."""
        return self.request(tag, 0, wait=wait)

    def report(self, *, wait: float = 0.0) -> Outcome:
        """Tell the server the counts now, changed or not, and finish what is under way."""
        return self._run(self.errands.report(wait=wait))

    def deregister(self, *, wait: float = 0.0) -> Outcome:
        """De-register: local data goes even if the server cannot be told; `pending` then says why."""
        return self._run(self.errands.deregister(wait=wait))

    # ---- the driver (errands, "An errand is a generator") -------------------------------------------------
    def _run(self, errand: Errand[T]) -> T:
        with closing(errand):
            answer: Answer = None
            while True:
                try:
                    step = errand.send(answer)
                except StopIteration as end:
                    result: T = end.value
                    return result
                answer = self._do(step)

    def _do(self, step: Step) -> Answer:
        if isinstance(step, Send):
            return self._post(step)
        if isinstance(step, Persist):
            self._save()
        elif isinstance(step, Wait):
            time.sleep(step.seconds)
        else:
            self._hang_up()
        return None

    def _save(self) -> None:
        self._folder.store.save(self._folder.state())

    def _post(self, step: Send) -> bytes | SmartlicError:
        destination, anchors = self.errands.destination()
        if self._transport is None:
            from smartlic_client.transport.sync import SyncTransport  # only what sends needs requests

            self._transport = SyncTransport(anchors, resolve=self._resolve, proxy=self.settings.proxy)
        try:
            return self._transport.post(destination, step.body, step.content_type).body
        except RemoteError as error:
            return error

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _store(folder: Path) -> Store:
    store = Store(folder)
    if not store.path.exists():
        raise NO_DEVICE(folder=str(folder))
    return store


def _data(record: Record, settings: Settings) -> dict[str, Any]:
    return {"record": record.to_data(), "settings": msgspec.to_builtins(settings)}
