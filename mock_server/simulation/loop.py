"""Event loops on one virtual clock: a scheduler runs one callback of one loop at a time, as its seed says.

Each simulated process has a loop. Nothing takes time but waiting: when no loop has anything to run, the clock
goes on to the next timer. A loop that is paused keeps its timers, and what arrives, for later; a loop that is
killed is never run again. The same seed gives the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import itertools
import os
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar, cast

__all__ = ["Scheduler", "StalledError", "VirtualLoop", "wall_clocks"]

T = TypeVar("T")

_BUSY = 200_000  # callbacks without any time passing: somebody spins


class StalledError(Exception):
    """Nothing will ever happen any more, or something runs without end while no time passes."""


class Call:
    """A callback that waits for its turn or for its time: what `asyncio.Handle` is to asyncio."""

    __slots__ = ("_cancelled", "args", "callback", "context", "due")

    def __init__(
        self, callback: Callable[..., Any], args: Any, context: contextvars.Context | None, due: float
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context or contextvars.copy_context()
        self.due = due
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self.callback, self.args = _nothing, ()

    def cancelled(self) -> bool:
        return self._cancelled

    def when(self) -> float:
        return self.due

    def run(self) -> None:
        self.context.run(self.callback, *self.args)


def _nothing() -> None:
    pass


def _run(work: Callable[..., T], *args: Any) -> T:
    return work(*args)


class Scheduler:
    """The loops, the clock, and the seed that orders everything. `now`: virtual seconds."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)  # noqa: S311 - an order, no secret
        self.now = 1_000.0
        self.wall = time.time() - self.now
        """What a right wall clock shows at the virtual second 0."""
        self.loops: list[VirtualLoop] = []
        self._gone: list[VirtualLoop] = []
        self.count = itertools.count()
        self.failures: list[BaseException] = []
        self._spinning = 0

    def loop(self, name: str) -> VirtualLoop:
        """A new loop. Times of executors and of what arrives are drawn from the scheduler's seed."""
        loop = VirtualLoop(self, name)  # type: ignore[abstract]
        self.loops.append(loop)
        return loop

    def run(self, done: Callable[[], bool], within: float) -> bool:
        """Run until `done`, for `within` virtual seconds at most; whether it was done."""
        until = self.now + within
        while not done():
            if not self._step(until):
                self.now = max(self.now, until)
                return done()
        return True

    def result(self, loop: VirtualLoop, work: Coroutine[Any, Any, T], within: float = 600.0) -> T:
        """Run a coroutine in a loop to its end. TimeoutError: it has not ended `within` virtual seconds."""
        task = loop.create_task(work)
        if not self.run(task.done, within):
            task.cancel()
            raise TimeoutError(f"not done within {within} virtual seconds")
        return task.result()

    def _step(self, until: float) -> bool:
        able = [loop for loop in self.loops if loop.able]
        if not able:
            self._spinning = 0
            times = [loop.timers[0][0] for loop in self.loops if loop.runs and loop.timers]
            if not times or min(times) > until:
                return False
            self.now = max(self.now, min(times))
            return True
        self._spinning += 1
        if self._spinning > _BUSY:
            raise StalledError(f"{', '.join(loop.name for loop in able)} never wait for anything")
        (able[0] if len(able) == 1 else self.random.choice(able)).turn()
        return True

    def bury(self, loop: VirtualLoop) -> None:
        """This loop is never run again. What was under way in it is kept: its end would be seen."""
        self.loops.remove(loop)
        self._gone.append(loop)

    def close(self) -> None:
        """Cancel all that is under way in any loop; nothing of it can be seen any more."""
        for loop in [*self.loops, *self._gone]:
            loop.dispose()
        self.loops, self._gone = [], []


class VirtualLoop(asyncio.AbstractEventLoop):
    """What of an event loop a node and a device need. Files, sockets and signals are not part of it."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self.name = name
        self.runs = True
        self.ready: deque[Call] = deque()
        self.timers: list[tuple[float, int, Call]] = []
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.undelivered: dict[int, Any] = {}
        self._scheduler = scheduler
        self.skew = 0.0
        """Seconds by which the wall clock of this process is wrong."""
        self.slow_until = 0.0
        """Up to then its disk is a slow one: what an executor does takes up to half a second."""
        self.job: Callable[..., Any] = _run
        """Runs what an executor was given; who ends the process in the middle of it is put here."""
        self._busy_until: dict[Any, float] = {}
        self._ended = False
        self._last_turns: int | None = None
        self._when_over: Callable[[], None] = _nothing

    # --- for the scheduler

    @property
    def able(self) -> bool:
        """Whether there is something to run now."""
        return self.runs and bool(self.ready or (self.timers and self.timers[0][0] <= self._scheduler.now))

    def pause(self) -> None:
        """SIGSTOP: nothing runs, all is kept."""
        self.runs = False

    def resume(self) -> None:
        """SIGCONT, unless it was killed."""
        self.runs = not self._ended

    def kill(self) -> None:
        """SIGKILL: not one callback more."""
        self.runs = False
        self._ended = True
        self._scheduler.bury(self)

    def end_after(self, turns: int, end: Callable[[], None]) -> None:
        """After so many callbacks more call `end`, in place of the next one."""
        self._last_turns, self._when_over = turns, end

    def spare(self) -> None:
        """What was to end it does not come any more."""
        self._last_turns, self.job = None, _run

    def turn(self) -> None:
        """Run one callback."""
        if self._last_turns is not None:
            self._last_turns -= 1
            if self._last_turns < 0:
                self._last_turns = None
                self._when_over()
                return
        now = self._scheduler.now
        while self.timers and self.timers[0][0] <= now:
            self.ready.append(heapq.heappop(self.timers)[2])
        self._call(self.ready.popleft())

    def _call(self, call: Call) -> None:
        asyncio._set_running_loop(self)
        try:
            call.run()
        except Exception as error:  # noqa: BLE001 - the loop's own task: the run must show it
            self.call_exception_handler({"message": "a callback failed", "exception": error})
        finally:
            asyncio._set_running_loop(None)

    def dispose(self) -> None:
        """Cancel every task and let it end, with executors that refuse; then the loop is empty."""
        self._ended = True
        self.runs = False
        for _ in range(10):  # what waits for something else while it is cancelled is cancelled again
            for task in list(self.tasks):
                task.cancel()
            while self.ready:
                self._call(self.ready.popleft())
        self.timers.clear()

    # --- time and callbacks

    def time(self) -> float:
        return self._scheduler.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        call = Call(callback, args, context, self._scheduler.now)
        self.ready.append(call)
        return cast(asyncio.Handle, call)

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        call = Call(callback, args, context, when)
        heapq.heappush(self.timers, (when, next(self._scheduler.count), call))
        return cast(asyncio.TimerHandle, call)

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._scheduler.now + delay, callback, *args, context=context)

    # --- tasks and futures

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self.tasks[task] = None
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        del self.tasks[task]

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run it in this thread at a later time; jobs of one executor one after the other, in order."""
        future: asyncio.Future[T] = self.create_future()
        if self._ended:
            future.cancel()
            return future
        chance, key = self._scheduler.random, executor
        took = chance.uniform(0.0001, 0.003) if chance.random() < 0.97 else chance.uniform(0.003, 0.08)
        if self._scheduler.now < self.slow_until:
            took = chance.uniform(0.02, 0.5)
        done = max(self._scheduler.now, self._busy_until.get(key, 0.0)) + took
        self._busy_until[key] = done
        self.call_at(done, self._job, future, func, args)
        return future

    def _job(self, future: asyncio.Future[T], func: Callable[..., T], args: Any) -> None:
        # What runs is not undone by a caller that has gone, and a kill may come before anybody hears of it.
        try:
            result = self.job(func, *args)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            self.call_later(0.0001, _fail, future, error)
            return
        if not self._ended:  # else it was killed while it ran
            self.undelivered[id(future)] = result
            self.call_later(0.0001, self._deliver, future, result)

    def _deliver(self, future: asyncio.Future[T], result: T) -> None:
        self.undelivered.pop(id(future), None)
        if not future.done():
            future.set_result(result)

    # --- what asyncio asks a loop

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context.get("message"))
        if not self._ended:
            self._scheduler.failures.append(error)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


@contextlib.contextmanager
def wall_clocks(scheduler: Scheduler, chance: random.Random) -> Iterator[None]:
    """`time.time` and `os.urandom` are those of the simulated process that asks, as long as this lasts."""
    real, entropy = time.time, os.urandom

    def now() -> float:
        loop = asyncio._get_running_loop()
        return scheduler.wall + scheduler.now + loop.skew if isinstance(loop, VirtualLoop) else real()

    time.time = now
    os.urandom = chance.randbytes
    try:
        yield
    finally:
        time.time, os.urandom = real, entropy
