"""A fleet in processes of its own: each has a share of the devices, and tells its figures twice a second.

The processes are forked, so that the inventory is in memory once. A share ends with its parent: at the end of
the pipe it stops as at Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from smartlic_client.device import SystemEnvironment
from smartlic_client.errands import Settings
from smartlic_client.errors import PROBLEMS, CommunicationError, SmartlicError, problem
from smartlic_client.fleet.engine import Fleet, Pace
from smartlic_client.fleet.figures import Figures
from smartlic_client.fleet.inventory import Inventory
from smartlic_client.fleet.store import FleetStore
from smartlic_client.protocol.identity import IdToken

__all__ = ["Job", "Shares", "enough_connections"]

SHARE_ENDED = problem(
    "fleet-process-ended",
    CommunicationError,
    "A process of the fleet has ended ({how}).",
    "Start the fleet again: what was under way is kept, and goes on.",
)

_TELL = 0.5
_SPARE = 128
"""File descriptors beside those of connections: the store, pipes, name resolution."""


@dataclass(frozen=True)
class Job:
    """All that a share needs. `processes`: how many shares there are."""

    inventory: Inventory
    state: Path
    settings: Settings
    token: IdToken | None
    pace: Pace
    processes: int = 1
    once: bool = False
    anew: bool = False
    resolve: dict[tuple[str, int], str] | None = None


class _Said(msgspec.Struct):
    """What a share tells its parent. `error`: code and context of what ended it."""

    figures: Figures
    ended: bool = False
    error: dict[str, Any] | None = None


def enough_connections(wanted: int) -> int:
    """As many connections as a process may have, at most `wanted`; the limit is raised where it may be."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(min(wanted, soft - _SPARE), 1)


class Shares:
    """The processes of a job, as their parent holds them. Make it before any thread and any event loop."""

    def __init__(self, job: Job) -> None:
        forked = multiprocessing.get_context("fork")
        self._pipes: list[Connection] = []
        self._processes = []
        self.figures: list[Figures] = []
        self._error: SmartlicError | None = None
        for number in range(job.processes):
            ours, theirs = multiprocessing.Pipe()
            # A child holds no end of its sisters' pipes, or they would not see their parent end.
            process = forked.Process(target=_share, args=(job, number, theirs, [*self._pipes, ours]))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
            self.figures.append(Figures())

    def whole(self) -> Figures:
        """The figures of all shares together."""
        return Figures.sum(self.figures)

    def tell(self, word: bytes) -> None:
        """`stop`: end what is under way, and keep the rest; `now`: end."""
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.send_bytes(word)

    async def run(self, each: Callable[[], None], seconds: float) -> None:
        """Until all have ended; `each` is called every so many seconds. Raises what ended one of them."""
        loop = asyncio.get_running_loop()
        open_ = set(range(len(self._pipes)))
        over = asyncio.Event()

        def heard(number: int) -> None:
            if not self._hear(number):
                loop.remove_reader(self._pipes[number].fileno())
                open_.discard(number)
                if not open_:
                    over.set()

        for number, pipe in enumerate(self._pipes):
            loop.add_reader(pipe.fileno(), heard, number)
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await over.wait()
            each()
        if self._error is not None:
            raise self._error

    def _hear(self, number: int) -> bool:
        """Take what a share says; False once it has said its last."""
        try:
            said = msgspec.msgpack.decode(self._pipes[number].recv_bytes(), type=_Said)
        except (EOFError, OSError):
            self._processes[number].join()
            code = self._processes[number].exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit status {code}"
            self._error = self._error or SHARE_ENDED(how=how)
            self.tell(b"stop")
            return False
        self.figures[number] = said.figures
        if said.error is not None:
            self._error = self._error or PROBLEMS[said.error["code"]](**said.error["context"])
            self.tell(b"stop")
        return not said.ended

    def close(self) -> None:
        """Wait for the processes; they end with their pipes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


# ---- in a share's process ---------------------------------------------------------------------------------
def _share(job: Job, number: int, pipe: Connection, others: list[Connection]) -> None:
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # What a device needs is let go without the collector's help: it looks for cycles where there are none.
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(job, number, pipe))
    # Not the parent's cleaning up, which it does itself.
    os._exit(0)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


async def _run(job: Job, number: int, pipe: Connection) -> None:
    from smartlic_client.fleet.transport import FleetTransport

    loop = asyncio.get_running_loop()
    error: SmartlicError | None = None
    figures = Figures()
    try:
        with FleetStore(job.state) as store:
            transport = FleetTransport(
                (job.settings.anchors or "").encode(),
                connections=job.pace.at_once,
                anew=job.anew,
                resolve=job.resolve,
                proxy=job.settings.proxy,
            )
            share = range(number, len(job.inventory), job.processes)
            fleet = Fleet(
                job.inventory,
                share,
                store,
                job.settings,
                job.token,
                job.pace,
                transport.post,
                SystemEnvironment(),
                seed=number,
            )
            figures = fleet.figures
            running = asyncio.ensure_future(fleet.run(once=job.once))
            loop.add_reader(pipe.fileno(), _obey, pipe, fleet, running)
            telling = asyncio.ensure_future(_tell(pipe, figures))
            try:
                await running
            finally:
                telling.cancel()
                loop.remove_reader(pipe.fileno())
                await transport.aclose()
    except SmartlicError as met:
        error = met
    except asyncio.CancelledError:
        pass  # told to end now: what is meant is saved
    last = _Said(figures, True, None if error is None else {"code": error.code, "context": error.context})
    with contextlib.suppress(OSError):
        pipe.send_bytes(msgspec.msgpack.encode(last))


def _obey(pipe: Connection, fleet: Fleet, running: asyncio.Future[None]) -> None:
    try:
        word = pipe.recv_bytes()
    except (EOFError, OSError):
        word = b"stop"
        asyncio.get_running_loop().remove_reader(pipe.fileno())
    if word == b"now":
        running.cancel()
    else:
        fleet.stop()


async def _tell(pipe: Connection, figures: Figures) -> None:
    while True:
        with contextlib.suppress(OSError):
            pipe.send_bytes(msgspec.msgpack.encode(_Said(figures)))
        await asyncio.sleep(_TELL)
