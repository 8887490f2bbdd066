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
from contextlib import closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from cryptography import x509

from smartlic_client.device import DEFAULT_SOFTWARE_ID, Device, DeviceFolder, SystemEnvironment
from smartlic_client.errands import Answer, Errand, Errands, Outcome, Persist, Send, Settings, Step, Wait
from smartlic_client.errors import BusyError, CallerError, RemoteError, SmartlicError, problem
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import Environment
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.record import Record
from smartlic_client.transport.urls import Destination

if TYPE_CHECKING:
    from smartlic_client.transport.aio import AsyncTransport

__all__ = ["AsyncDevice"]

HTTPX_NEEDED = problem(
    "httpx-needed",
    CallerError,
    "AsyncDevice sends with httpx, and {missing} is not installed.",
    "Install it: pip install 'smartlic[async]'",
)

_POLL = 0.05

T = TypeVar("T")


class AsyncDevice:
    """Use `await AsyncDevice.create` once, then `async with await AsyncDevice.open(folder) as device`.

    The methods are those of `Device`. An object belongs to one event loop; tasks may share it, and what they
    ask for is done one after the other.
    """

    def __init__(
        self,
        folder: DeviceFolder,
        environment: Environment,
        transport: Callable[[bytes, str | None], AsyncTransport],
    ) -> None:
        self.errands = Errands(Agent(folder.record), folder.settings, environment)
        self._folder = folder
        self._new_transport = transport
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
    ) -> Self:
        """As `Device.open`, and `aclose` ends it. Raises httpx-needed too."""
        transport = _transport_kind()
        return cls(
            await _opened(folder, lock_timeout),
            environment or SystemEnvironment(),
            lambda anchors, proxy: transport(anchors, resolve=resolve, proxy=proxy),
        )

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
    async def register(self, token: IdToken, *, force: bool = False, wait: float = 0.0) -> Outcome:
        """As `Device.register`."""
        return await self._run(self.errands.register(token, force=force, wait=wait))

    async def request(self, tag: str, count: int, *, wait: float = 0.0) -> Outcome:
        """As `Device.request`."""
        return await self._run(self.errands.request(tag, count, wait=wait))

    async def release(self, tag: str, *, wait: float = 0.0) -> Outcome:
        """As `Device.release`."""
        return await self.request(tag, 0, wait=wait)

    async def report(self, *, wait: float = 0.0) -> Outcome:
        """As `Device.report`."""
        return await self._run(self.errands.report(wait=wait))

    async def deregister(self, *, wait: float = 0.0) -> Outcome:
        """As `Device.deregister`."""
        return await self._run(self.errands.deregister(wait=wait))

    # ---- the driver (errands, "An errand is a generator") -------------------------------------------------
    async def _run(self, errand: Errand[T]) -> T:
        async with self._busy:
            with closing(errand):
                answer: Answer = None
                while True:
                    try:
                        step = errand.send(answer)
                    except StopIteration as end:
                        result: T = end.value
                        return result
                    answer = await self._do(step)

    async def _do(self, step: Step) -> Answer:
        if isinstance(step, Send):
            return await self._post(step)
        if isinstance(step, Persist):
            await _in_thread(partial(self._folder.store.save, self._folder.state()))
        elif isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
        else:
            await self._hang_up()
        return None

    async def _post(self, step: Send) -> bytes | SmartlicError:
        destination, anchors = self.errands.destination()
        if self._transport is None:
            self._transport = self._new_transport(anchors, self.settings.proxy)
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


def _transport_kind() -> type[AsyncTransport]:
    try:
        from smartlic_client.transport.aio import AsyncTransport
    except ModuleNotFoundError as error:
        if error.name not in ("httpx", "httpcore", "anyio"):
            raise
        raise HTTPX_NEEDED(missing=error.name) from None
    return AsyncTransport
