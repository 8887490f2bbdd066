"""The device of `smartlic_client.device` in an event loop; it does the same, by the same errands.

    async with await AsyncDevice.open(folder) as device:
        await device.register(IdToken(text), wait=60)
        await device.request(tag, 3)

It needs httpx: `pip install 'smartlic[async]'`. Files are written in threads, one write of a device after the
other. A call that is cancelled ends at once, or when the write that it is in has ended. The message that was
under way stays, and the next call goes on with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cryptography import x509

from smartlic_client.device import (
    DEFAULT_SOFTWARE_ID,
    Device,
    DeviceFolder,
    Keeping,
    MemoryFolder,
    SystemEnvironment,
    pause,
    tell,
)
from smartlic_client.driving import drive_async
from smartlic_client.errands import Answer, Errand, Errands, Outcome, Persist, Send, Settings, Step, Wait
from smartlic_client.errors import BusyError, RemoteError, SmartlicError
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Environment
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.logs import Logged
from smartlic_client.protocol.record import LicenseKind, Record
from smartlic_client.transport.common import async_transport
from smartlic_client.transport.urls import Destination
from smartlic_client.waiting import any_of

if TYPE_CHECKING:
    from smartlic_client.transport.aio import AsyncTransport

__all__ = ["AsyncDevice"]

_POLL = 0.05

T = TypeVar("T")
AsyncPost = Callable[[Destination, bytes, str], Awaitable[bytes]]
"""As `device.Post`, awaited."""


class AsyncDevice:
    """Use `await AsyncDevice.create` once, then `async with await AsyncDevice.open(folder) as device`.

    The methods are those of `Device`. An object belongs to one event loop; tasks may share it, and what they
    ask for is done one after the other.
    """

    def __init__(
        self,
        folder: Keeping,
        environment: Environment | None = None,
        transport: Callable[[bytes, str | None], AsyncTransport] | None = None,
        *,
        resolve: Mapping[tuple[str, int], str] | None = None,
        post: AsyncPost | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        on_log: Callable[[Logged], None] | None = None,
        proxy: str | None = None,
    ) -> None:
        """Hooks as those of `Device`; `post` and `sleep` are awaited. `transport`: makes one from anchors and
        proxy. Raises httpx-needed where neither is given."""
        self.errands = Errands(Agent(folder.record), folder.settings, environment or SystemEnvironment())
        self._folder = folder
        self._post_instead = post
        if transport is None and post is None:
            kind = async_transport()
            transport = partial(_new_transport, kind, resolve)
        self._new_transport = transport
        self._sleep = sleep
        self._on_log = on_log
        self._proxy = proxy
        self._changed = asyncio.Event()
        self._transport: AsyncTransport | None = None
        self._busy = asyncio.Lock()

    @property
    def record(self) -> Record:
        return self.errands.record

    @property
    def settings(self) -> Settings:
        return self.errands.settings

    # ---- life ---------------------------------------------------------------------------------------------
    @classmethod
    async def create(
        cls, folder: Path, udi: Udi, *, software: str = DEFAULT_SOFTWARE_ID, hostname: str | None = None
    ) -> None:
        """As `Device.create`."""
        await _in_thread(partial(Device.create, folder, udi, software=software, hostname=hostname))

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        lock_timeout: float = 5.0,
        environment: Environment | None = None,
        resolve: Mapping[tuple[str, int], str] | None = None,
        post: AsyncPost | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        on_log: Callable[[Logged], None] | None = None,
        proxy: str | None = None,
    ) -> Self:
        """As `Device.open`, and `aclose` ends it. Raises httpx-needed too."""
        if post is None:
            async_transport()
        keeping = await _opened(folder, lock_timeout)
        return cls(keeping, environment, resolve=resolve, post=post, sleep=sleep, on_log=on_log, proxy=proxy)

    @classmethod
    async def in_memory(
        cls, udi: Udi, *, software: str = DEFAULT_SOFTWARE_ID, hostname: str | None = None, **hooks: Any
    ) -> Self:
        """As `Device.in_memory`."""
        return cls(MemoryFolder(udi, software=software, hostname=hostname), **hooks)

    @classmethod
    async def peek(cls, folder: Path) -> tuple[Record, Settings]:
        """As `Device.peek`."""
        return await _in_thread(partial(Device.peek, folder))

    async def aclose(self) -> None:
        """Finish what is under way, hang up, and unlock the folder."""
        async with self._busy:
            try:
                await self._hang_up()
            finally:
                await _in_thread(self._folder.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # ---- settings -----------------------------------------------------------------------------------------
    async def set_destination(self, url: str) -> Destination:
        """As `Device.set_destination`."""
        return await self._run(self.errands.set_destination(url))

    async def trust(self, pem: bytes) -> list[x509.Certificate]:
        """As `Device.trust`."""
        return await self._run(self.errands.trust(pem))

    # ---- what the device does -----------------------------------------------------------------------------
    async def register(self, token: IdToken | str, *, force: bool = False, wait: float = 0.0) -> Outcome:
        """As `Device.register`."""
        return await self._run(self.errands.register(token, force=force, wait=wait))

    async def request(
        self,
        tag: str,
        count: int,
        *,
        wait: float = 0.0,
        at_once: bool = True,
        export_controlled: bool = False,
        kind: LicenseKind | None = None,
    ) -> Outcome:
        """As `Device.request`."""
        return await self._run(
            self.errands.request(
                tag, count, wait=wait, at_once=at_once, export_controlled=export_controlled, kind=kind
            )
        )

    async def release(self, tag: str, *, wait: float = 0.0) -> Outcome:
        """As `Device.release`."""
        return await self.request(tag, 0, wait=wait)

    async def report(self, *, wait: float = 0.0) -> Outcome:
        """As `Device.report`."""
        return await self._run(self.errands.report(wait=wait))

    async def deregister(self, *, wait: float = 0.0) -> Outcome:
        """As `Device.deregister`."""
        return await self._run(self.errands.deregister(wait=wait))

    async def renew(self, *, wait: float = 0.0) -> Outcome:
        """As `Device.renew`."""
        return await self._run(self.errands.renew(wait=wait))

    async def configure(
        self,
        *,
        custom_id: str | None = None,
        hostname_private: bool | None = None,
        version_private: bool | None = None,
        transport_off: bool | None = None,
    ) -> None:
        """As `Device.configure`."""
        await self._run(
            self.errands.configure(
                custom_id=custom_id,
                hostname_private=hostname_private,
                version_private=version_private,
                transport_off=transport_off,
            )
        )

    async def factory_reset(self) -> None:
        """As `Device.factory_reset`."""
        await self._run(self.errands.factory_reset())

    # ---- Smart Licensing Using Policy ---------------------------------------------------------------------
    async def use_policy(self, interval_days: int = 30) -> None:
        """As `Device.use_policy`."""
        await self._run(self.errands.use_policy(interval_days))

    async def get_trust_code(
        self, token: IdToken | str, *, force: bool = False, wait: float = 0.0
    ) -> Outcome:
        """As `Device.get_trust_code`."""
        return await self._run(self.errands.get_trust_code(token, force=force, wait=wait))

    async def sync_usage(self, *, wait: float = 0.0) -> Outcome:
        """As `Device.sync_usage`."""
        return await self._run(self.errands.sync_usage(wait=wait))

    async def save_usage(self) -> bytes:
        """As `Device.save_usage`."""
        return await self._run(self.errands.save_usage())

    async def import_acknowledgement(self, data: bytes) -> None:
        """As `Device.import_acknowledgement`."""
        await self._run(self.errands.import_acknowledgement(data))

    # ---- left alone ---------------------------------------------------------------------------------------
    async def attend(self, *, first: bool = False) -> float | None:
        """As `Device.attend`."""
        return await self._run(self.errands.attend(first=first))

    async def run(
        self, stop: asyncio.Event | None = None, *, token: Callable[[], IdToken | None] | None = None
    ) -> None:
        """Honour the timers until `stop` is set or the task is cancelled; other calls come in between.

        `token`: as in `Device.run`.
        """
        stop, first = stop or asyncio.Event(), True
        while not stop.is_set():
            await self.attend(first=first)
            first = False
            if token is not None and self.errands.forgotten() and (fresh := token()) is not None:
                with suppress(RemoteError):  # it is in the record and in the log
                    await self.register(fresh, force=True)
            self._changed.clear()  # what changed up to here is in the deadline
            at = self.errands.agent.next_deadline()
            await any_of(stop, self._changed, seconds=pause(at, self.errands.environment.now()))

    # ---- the driver (errands, "An errand is a generator") -------------------------------------------------
    async def _run(self, errand: Errand[T]) -> T:
        async with self._busy:
            self._changed.set()  # whoever sleeps by the timers looks at them again
            return await drive_async(errand, self._do)

    async def _do(self, step: Step) -> Answer:
        if isinstance(step, Send):
            return await self._post(step)
        if isinstance(step, Persist):
            await _in_thread(partial(self._folder.save, self._folder.state()))
            tell(self.errands.agent.take_logs(), self._on_log)
        elif isinstance(step, Wait):
            await self._sleep(step.seconds)
        else:
            await self._hang_up()
        return None

    async def _post(self, step: Send) -> bytes | SmartlicError:
        destination, anchors = self.errands.destination()
        if self._post_instead is not None:
            try:
                return await self._post_instead(destination, step.body, step.content_type)
            except RemoteError as error:
                return error
        if self._transport is None:
            if self._new_transport is None:
                raise RuntimeError("neither `post` nor a transport")
            self._transport = self._new_transport(anchors, self._proxy or self.settings.proxy)
        try:
            return (await self._transport.post(destination, step.body, step.content_type)).body
        except RemoteError as error:
            return error

    async def _hang_up(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await _whole(asyncio.ensure_future(transport.aclose()))


def _in_thread(work: Callable[[], T]) -> Awaitable[T]:
    return _whole(asyncio.get_running_loop().run_in_executor(None, work))


async def _whole(work: asyncio.Future[T]) -> T:
    """Wait until `work` is done, also where the caller is cancelled meanwhile; it is cancelled after that."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not work.cancelled():
            work.exception()  # looked at: who is cancelled hears of nothing else
        raise cancelled
    return work.result()


async def _opened(folder: Path, lock_timeout: float) -> DeviceFolder:
    """Open a folder. No thread waits while another holds it: the holder may need one to save."""
    deadline = time.monotonic() + lock_timeout
    loop = asyncio.get_running_loop()
    while True:
        opening = loop.run_in_executor(None, DeviceFolder.open, folder, 0.0)
        try:
            return await _whole(opening)
        except asyncio.CancelledError:
            if not opening.cancelled() and opening.exception() is None:
                opening.result().close()
            raise
        except BusyError:
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_POLL)


def _new_transport(
    kind: type[AsyncTransport],
    resolve: Mapping[tuple[str, int], str] | None,
    anchors: bytes,
    proxy: str | None,
) -> AsyncTransport:
    return kind(anchors, resolve=resolve, proxy=proxy)
