"""A product instance: the agent with its folder on disk and a connection to its server.

    with Device.open(folder) as device:
        device.register(IdToken(text), wait=60)
        device.request("regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71", 3)

While it is open, the folder is locked against other processes. What was meant is on disk before it is sent:
after a crash, the next call goes on with the same message. What a device does, and in which order, is in
`smartlic_client.errands`; here it is carried out in the calling thread, in `device_async` in an event loop.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from cryptography import x509

from smartlic_client.driving import drive
from smartlic_client.errands import Answer, Errand, Errands, Outcome, Persist, Send, Settings, Step, Wait
from smartlic_client.errors import RemoteError, SmartlicError
from smartlic_client.folders import DEFAULT_SOFTWARE_ID, NO_DEVICE, DeviceFolder, Keeping, MemoryFolder
from smartlic_client.protocol import signing
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Environment
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.logs import Logged
from smartlic_client.protocol.record import LicenseKind, Record
from smartlic_client.transport.urls import Destination

if TYPE_CHECKING:
    from smartlic_client.transport.sync import SyncTransport

__all__ = [
    "DEFAULT_SOFTWARE_ID",
    "NO_DEVICE",
    "Device",
    "DeviceFolder",
    "Keeping",
    "MemoryFolder",
    "Outcome",
    "Post",
    "Settings",
    "SystemEnvironment",
    "pause",
]

# A sleeping driver looks at the clock as often, in seconds: it may have been set.
WAKE: Final = 60.0

# syslog's severities in `%SMART_LIC-<severity>-…`, for `logging`.
_LEVELS: Final = {3: logging.ERROR, 4: logging.WARNING, 5: logging.INFO, 6: logging.INFO}
_LOGGER: Final = logging.getLogger("smartlic")
_LOGGER.addHandler(logging.NullHandler())  # nothing is printed unless somebody sets logging up

T = TypeVar("T")
Post = Callable[[Destination, bytes, str], bytes]
"""Sends a body of a content type to a destination and returns the answer's; raises RemoteError."""


class SystemEnvironment:
    """The real clock, the system's randomness, real keys (protocol.flow.Environment)."""

    now = staticmethod(time.time)
    random = staticmethod(os.urandom)
    new_key = staticmethod(signing.new_key)


class Device:
    """Use `Device.create` once, then `with Device.open(folder) as device`.

    All methods that talk to the server take `wait`: the seconds for which communication failures are retried
    (a failover takes less than one). They raise SmartlicError; TrustError means that nothing was sent.
    """

    def __init__(
        self,
        folder: Keeping,
        environment: Environment | None = None,
        resolve: Mapping[tuple[str, int], str] | None = None,
        *,
        post: Post | None = None,
        sleep: Callable[[float], object] = time.sleep,
        on_log: Callable[[Logged], None] | None = None,
        proxy: str | None = None,
    ) -> None:
        """Hooks for an emulator. `environment`: clock, chance and keys; `post` instead of TLS; `sleep`;
        `on_log` hears each `%SMART_LIC-…` event, which also goes to the logger "smartlic". `proxy`: in place
        of the one in the settings, `http://[USER:PASSWORD@]HOST:PORT`."""
        self.errands = Errands(Agent(folder.record), folder.settings, environment or SystemEnvironment())
        self._folder = folder
        self._resolve = resolve
        self._post_instead = post
        self._sleep = sleep
        self._on_log = on_log
        self._proxy = proxy
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
        post: Post | None = None,
        sleep: Callable[[float], object] = time.sleep,
        on_log: Callable[[Logged], None] | None = None,
        proxy: str | None = None,
    ) -> Device:
        """Lock the folder and read the device. Raises no-device, store-busy, store-damaged and so on.

        `resolve` sends a (host, port) to another address before DNS knows the name; the name that is checked
        stays the URL's. The other hooks are those of the constructor.
        """
        keeping = DeviceFolder.open(folder, lock_timeout)
        return cls(keeping, environment, resolve, post=post, sleep=sleep, on_log=on_log, proxy=proxy)

    @classmethod
    def in_memory(
        cls, udi: Udi, *, software: str = DEFAULT_SOFTWARE_ID, hostname: str | None = None, **hooks: Any
    ) -> Device:
        """A device without a folder. `hooks`: those of the constructor. Raises bad-udi, bad-tag, bad-text."""
        return cls(MemoryFolder(udi, software=software, hostname=hostname), **hooks)

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
    def register(self, token: IdToken | str, *, force: bool = False, wait: float = 0.0) -> Outcome:
        """Register with an ID token. A registration that is under way is finished first, as it was meant.

        Raises registered-already unless `force`. Licenses in use are reported at once; what could not be told
        then is in the outcome's `pending`.
        """
        return self._run(self.errands.register(token, force=force, wait=wait))

    def request(
        self,
        tag: str,
        count: int,
        *,
        wait: float = 0.0,
        at_once: bool = True,
        export_controlled: bool = False,
        kind: LicenseKind | None = None,
    ) -> Outcome:
        """Use `count` licenses of an entitlement from now on: the absolute count.

        Not `at_once`: `run` tells it two seconds later, together with other changes. `export_controlled`
        raises export-controlled-not-allowed where the registration does not allow such features. `kind`:
        which part of a policy counts (unenforced-perpetual where nothing is said).
        """
        return self._run(
            self.errands.request(
                tag, count, wait=wait, at_once=at_once, export_controlled=export_controlled, kind=kind
            )
        )

    def release(self, tag: str, *, wait: float = 0.0) -> Outcome:
        """Use no license of an entitlement any more."""
        return self.request(tag, 0, wait=wait)

    def report(self, *, wait: float = 0.0) -> Outcome:
        """Tell the server the counts now, changed or not, and finish what is under way."""
        return self._run(self.errands.report(wait=wait))

    def deregister(self, *, wait: float = 0.0) -> Outcome:
        """De-register: local data goes even if the server cannot be told; `pending` then says why."""
        return self._run(self.errands.deregister(wait=wait))

    def renew(self, *, wait: float = 0.0) -> Outcome:
        """Renew the ID certificate now. Raises not-registered."""
        return self._run(self.errands.renew(wait=wait))

    def configure(
        self,
        *,
        custom_id: str | None = None,
        hostname_private: bool | None = None,
        version_private: bool | None = None,
        transport_off: bool | None = None,
    ) -> None:
        """Set custom id ("": none), privacy switches, and whether anything is sent. Raises bad-text."""
        self._run(
            self.errands.configure(
                custom_id=custom_id,
                hostname_private=hostname_private,
                version_private=version_private,
                transport_off=transport_off,
            )
        )

    def factory_reset(self) -> None:
        """Forget registration or trust code, counts, reports and history; the server is not told."""
        self._run(self.errands.factory_reset())

    # ---- Smart Licensing Using Policy ---------------------------------------------------------------------
    def use_policy(self, interval_days: int = 30) -> None:
        """Report usage instead of registering, every so many days (1 to 365). Raises registered-already."""
        self._run(self.errands.use_policy(interval_days))

    def get_trust_code(self, token: IdToken | str, *, force: bool = False, wait: float = 0.0) -> Outcome:
        """Get a trust code with an ID token: usage reports are signed and sent with it."""
        return self._run(self.errands.get_trust_code(token, force=force, wait=wait))

    def sync_usage(self, *, wait: float = 0.0) -> Outcome:
        """Close the open usage reports now, and send them. Raises uses-no-policy."""
        return self._run(self.errands.sync_usage(wait=wait))

    def save_usage(self) -> bytes:
        """A file with the usage reports that are not acknowledged, oldest first, as many as a server takes at
        once. They stay until they are acknowledged. Raises uses-no-policy."""
        return self._run(self.errands.save_usage())

    def import_acknowledgement(self, data: bytes) -> None:
        """Take an acknowledgement from a file; again has no effect. Raises no-trust-anchor, and
        acknowledgement-unreadable, -signature-not-valid, -of-another-device."""
        self._run(self.errands.import_acknowledgement(data))

    # ---- left alone ---------------------------------------------------------------------------------------
    def attend(self, *, first: bool = False) -> float | None:
        """Do what is due by now, and return when to come again (Unix seconds; None: nothing is ahead).

        `first`: also go on with a message that an earlier process left. Failures of the network and refusals
        are not raised: they are in the record and in the log.
        """
        return self._run(self.errands.attend(first=first))

    def run(
        self, stop: threading.Event | None = None, *, token: Callable[[], IdToken | None] | None = None
    ) -> None:
        """Honour the timers until `stop` is set. Nothing is lost where it ends: the next `run` goes on.

        `token`: asked for an ID token where the server has forgotten this device, to register it again.
        """
        stop, first = stop or threading.Event(), True
        while not stop.is_set():
            at = self.attend(first=first)
            first = False
            if token is not None and self.errands.forgotten() and (fresh := token()) is not None:
                at = self._register_again(fresh)
            stop.wait(pause(at, self.errands.environment.now()))

    def _register_again(self, token: IdToken) -> float | None:
        try:
            self.register(token, force=True)
        except RemoteError:
            _LOGGER.debug("registering again failed; the record says why")
        return self.errands.agent.next_deadline()

    # ---- the driver (errands, "An errand is a generator") -------------------------------------------------
    def _run(self, errand: Errand[T]) -> T:
        return drive(errand, self._do)

    def _do(self, step: Step) -> Answer:
        if isinstance(step, Send):
            return self._post(step)
        if isinstance(step, Persist):
            self._save()
        elif isinstance(step, Wait):
            self._sleep(step.seconds)
        else:
            self._hang_up()
        return None

    def _save(self) -> None:
        self._folder.save(self._folder.state())
        tell(self.errands.agent.take_logs(), self._on_log)

    def _post(self, step: Send) -> bytes | SmartlicError:
        destination, anchors = self.errands.destination()
        if self._post_instead is not None:
            try:
                return self._post_instead(destination, step.body, step.content_type)
            except RemoteError as error:
                return error
        if self._transport is None:
            from smartlic_client.transport.sync import SyncTransport  # only what sends needs requests

            proxy = self._proxy or self.settings.proxy
            self._transport = SyncTransport(anchors, resolve=self._resolve, proxy=proxy)
        try:
            return self._transport.post(destination, step.body, step.content_type).body
        except RemoteError as error:
            return error

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def pause(at: float | None, now: float) -> float:
    """Seconds that a driver may sleep before it looks at the clock again."""
    return WAKE if at is None else min(max(at - now, 0.0), WAKE)


def tell(logged: list[Logged], on_log: Callable[[Logged], None] | None) -> None:
    """Hand what was logged to the logger "smartlic" and to a callback."""
    for event in logged:
        _LOGGER.log(_LEVELS[event.severity], "%s", event.text())
        if on_log is not None:
            on_log(event)
