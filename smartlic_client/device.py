"""A product instance: the agent with its folder on disk and a connection to its server.

    with Device.open(folder) as device:
        device.register(IdToken(text), wait=60)
        device.request("regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71", 3)

While it is open, the folder is locked against other processes. What was meant is on disk before it is sent:
after a crash, the next call goes on with the same message.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
from cryptography import x509

from smartlic_client.errors import CallerError, RefusedError, RemoteError, SmartlicError, problem
from smartlic_client.protocol import signing
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Environment, Persist, Send, deliver
from smartlic_client.protocol.identity import IdToken, Udi, printable, software_id
from smartlic_client.protocol.messages import DeregistrationRequest, RegistrationRequest
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.store import Store
from smartlic_client.transport.urls import Destination

if TYPE_CHECKING:
    from smartlic_client.transport.sync import SyncTransport

__all__ = ["Device", "Outcome", "Settings", "SystemEnvironment"]

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
NO_DESTINATION = problem(
    "no-destination",
    CallerError,
    "This device has no destination URL.",
    "Set the Transport Gateway URL with the cluster's VIP or FQDN: smartlic transport "
    "https://VIP:PORT/Transportgateway/services/DeviceRequestHandler",
)
NO_ANCHOR = problem(
    "no-trust-anchor",
    CallerError,
    "This device has no trust anchor, so it can trust no server.",
    "Get it from the server (https://VIP:8443/trust-anchor.pem, or `smartlic-mock certificates`), compare "
    "its fingerprint, and give it: smartlic trust FILE",
)
BAD_ANCHOR = problem(
    "bad-trust-anchor",
    CallerError,
    "What was given is no trust anchor: {why}.",
    "Give one or more CA certificates in PEM.",
)

_DEFAULT_SOFTWARE_ID = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"


class Settings(msgspec.Struct, kw_only=True):
    """Where the device's server is, and whom it trusts. `anchors`: PEM of CA certificates."""

    url: str | None = None
    transport: TransportKind = TransportKind.CALLHOME
    anchors: str | None = None
    proxy: str | None = None


class SystemEnvironment:
    """The real clock, the system's randomness, real keys (protocol.flow.Environment)."""

    now = staticmethod(time.time)
    random = staticmethod(os.urandom)
    new_key = staticmethod(signing.new_key)


@dataclass(frozen=True)
class Outcome:
    """`changed`: something is different now. `pending`: what could not be told yet, and why; it is kept."""

    changed: bool
    pending: SmartlicError | None = None


class Device:
    """Use `Device.create` once, then `with Device.open(folder) as device`.

    All methods that talk to the server take `wait`: the seconds for which communication failures are retried
    (a failover takes less than one). They raise SmartlicError; TrustError means that nothing was sent.
    """

    def __init__(
        self,
        store: Store,
        record: Record,
        settings: Settings,
        environment: Environment,
        resolve: Mapping[tuple[str, int], str] | None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.environment = environment
        self.agent = Agent(record)
        self._resolve = resolve
        self._transport: SyncTransport | None = None
        self._lock: Any = None

    @property
    def record(self) -> Record:
        return self.agent.record

    # ---- life ---------------------------------------------------------------------------------------------
    @classmethod
    def create(
        cls, folder: Path, udi: Udi, *, software: str = _DEFAULT_SOFTWARE_ID, hostname: str | None = None
    ) -> None:
        """Make a device's folder. Raises bad-udi, bad-tag, bad-text, device-exists, and as `Store`."""
        name = printable(hostname, "hostname") if hostname is not None else None
        record = Record(udi=udi.validated(), software_id=software_id(software), hostname=name)
        store = Store(folder)
        with store.locked():
            if store.load() is not None:
                raise DEVICE_EXISTS(folder=str(folder))
            store.save(_data(record, Settings()))

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
        store = Store(folder)
        if not store.path.exists():
            raise NO_DEVICE(folder=str(folder))
        lock = store.locked(timeout=lock_timeout)
        lock.__enter__()
        try:
            record, settings = cls._read(store)
            device = cls(store, record, settings, environment or SystemEnvironment(), resolve)
        except BaseException:
            lock.__exit__(None, None, None)
            raise
        device._lock = lock
        return device

    @classmethod
    def peek(cls, folder: Path) -> tuple[Record, Settings]:
        """The device as it is on disk, without the lock: for looking at only. Raises as `open`."""
        store = Store(folder)
        if not store.path.exists():
            raise NO_DEVICE(folder=str(folder))
        return cls._read(store)

    @staticmethod
    def _read(store: Store) -> tuple[Record, Settings]:
        data = store.load()
        if data is None:
            raise NO_DEVICE(folder=str(store.folder))
        try:
            return Record.from_data(data["record"]), msgspec.convert(data["settings"], Settings)
        except (msgspec.ValidationError, KeyError) as error:
            raise NOT_A_RECORD(folder=str(store.folder), why=str(error)) from None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        if self._lock is not None:
            self._lock.__exit__(None, None, None)
            self._lock = None

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
        destination = Destination.parse(url, TransportKind.CALLHOME)
        self.settings.url = destination.url
        self.settings.transport = TransportKind.of_path(destination.path)
        self._drop_transport()
        self._save()
        return destination

    def trust(self, pem: bytes) -> list[x509.Certificate]:
        """Trust the CA certificates in `pem` and no others. Raises bad-trust-anchor."""
        try:
            anchors = x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise BAD_ANCHOR(why="it holds no certificate in PEM") from None
        for anchor in anchors:
            if not _is_authority(anchor):
                raise BAD_ANCHOR(why=f"{anchor.subject.rfc4514_string()} is no CA certificate")
        if b"PRIVATE KEY" in pem:
            raise BAD_ANCHOR(why="it holds a private key, which does not belong on a device")
        self.settings.anchors = pem.decode("ascii", "replace")
        self._drop_transport()
        self._save()
        return anchors

    # ---- what the device does -----------------------------------------------------------------------------
    def register(self, token: IdToken, *, force: bool = False, wait: float = 0.0) -> Outcome:
        """Register with an ID token. A registration that is under way is finished first, as it was meant.

        Raises registered-already unless `force`. Licenses in use are reported at once; what could not be told
        then is in the outcome's `pending`.
        """
        until = self._until(wait)
        if isinstance(self.record.in_flight, DeregistrationRequest):
            self._deregister(until)
        if isinstance(self.record.in_flight, RegistrationRequest):
            try:
                return self._registered(until)
            except RefusedError:
                pass  # the former token was refused: this one is another try
        self.agent.register(token, self.environment.new_key(), self.environment.random, force)
        return self._registered(until)

    def request(self, tag: str, count: int, *, wait: float = 0.0) -> Outcome:
        """Use `count` licenses of an entitlement from now on: the absolute count."""
        before = self.record.entitlements.get(tag)
        changed = (before.count if before else 0) != count
        self.agent.request(tag, count, self.environment.now())
        self._save()
        self._deliver(self._until(wait))
        return Outcome(changed)

    def release(self, tag: str, *, wait: float = 0.0) -> Outcome:
        """Use no license of an entitlement any more."""
        return self.request(tag, 0, wait=wait)

    def report(self, *, wait: float = 0.0) -> Outcome:
        """Tell the server the counts now, changed or not, and finish what is under way."""
        until = self._until(wait)
        if isinstance(self.record.in_flight, RegistrationRequest):
            return self._registered(until)
        self.agent.report()
        self._save()
        self._deliver(until)
        return Outcome(changed=False)

    def deregister(self, *, wait: float = 0.0) -> Outcome:
        """De-register: local data goes even if the server cannot be told; `pending` then says why."""
        until = self._until(wait)
        if isinstance(self.record.in_flight, RegistrationRequest):
            # It may have been accepted: ask, so that no instance is left behind on the server.
            try:
                self._registered(until)
            except RemoteError as error:
                self._forget()
                return Outcome(changed=True, pending=error)
        return self._deregister(until)

    # ---- inside -------------------------------------------------------------------------------------------
    def _deregister(self, until: float | None) -> Outcome:
        self.agent.deregister(self.environment.random)
        self._save()
        try:
            self._deliver(until)
        except RemoteError as error:
            self._forget()
            return Outcome(changed=True, pending=error)
        return Outcome(changed=True)

    def _registered(self, until: float | None) -> Outcome:
        try:
            self._deliver(until)
        except RemoteError as error:
            if isinstance(self.record.in_flight, RegistrationRequest) or self.record.identity is None:
                raise
            if self.record.registering.failure is not None:
                raise
            return Outcome(changed=True, pending=error)
        return Outcome(changed=True)

    def _forget(self) -> None:
        self.agent.forget(self.environment.now())
        self._save()

    def _until(self, wait: float) -> float | None:
        return self.environment.now() + wait if wait > 0 else None

    def _save(self) -> None:
        self.store.save(_data(self.record, self.settings))

    def _deliver(self, until: float | None) -> None:
        """Drive the flow (protocol.flow): save, send, wait."""
        if self.record.identity is None and self.record.in_flight is None:
            return
        destination, anchors = self._destination()
        flow = deliver(
            self.agent,
            self.environment,
            self.settings.transport,
            anchors,
            to=destination.url,
            until=until,
        )
        outcome: bytes | SmartlicError | None = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration:
                return
            outcome = None
            if isinstance(step, Persist):
                self._save()
            elif isinstance(step, Send):
                outcome = self._post(destination, anchors, step)
            else:
                time.sleep(step.seconds)

    def _post(self, destination: Destination, anchors: bytes, step: Send) -> bytes | SmartlicError:
        if self._transport is None:
            from smartlic_client.transport.sync import SyncTransport  # only what sends needs requests

            self._transport = SyncTransport(anchors, resolve=self._resolve, proxy=self.settings.proxy)
        try:
            return self._transport.post(destination, step.body, step.content_type).body
        except RemoteError as error:
            return error

    def _destination(self) -> tuple[Destination, bytes]:
        if self.settings.url is None:
            raise NO_DESTINATION()
        if self.settings.anchors is None:
            raise NO_ANCHOR()
        kind = self.settings.transport
        return Destination.parse(self.settings.url, kind), self.settings.anchors.encode()

    def _drop_transport(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _data(record: Record, settings: Settings) -> dict[str, Any]:
    return {"record": record.to_data(), "settings": msgspec.to_builtins(settings)}


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
