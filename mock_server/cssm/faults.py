"""Faults of CSSM, on purpose: off by default, in memory only, for what SSM On-Prem asks by the network."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any, Literal

import msgspec

from mock_server.cssm import problems

__all__ = ["Fault", "Faults"]

log = logging.getLogger(__name__)

MAX_SECONDS = 3600.0


class Fault(msgspec.Struct, kw_only=True):
    """`slow`: each answer waits for `seconds`. `refuse`: with `reason`. `cut`: as if no network led there.

    `times`: for the next so many requests; None: until it is cleared.
    """

    kind: Literal["slow", "refuse", "cut"]
    seconds: float = 0.0
    reason: str = ""
    times: int | None = None


class Faults:
    """At most one fault of a kind; setting it again replaces it."""

    def __init__(self) -> None:
        self._active: dict[str, Fault] = {}
        self._cleared = asyncio.Event()

    def set(self, fault: Fault) -> None:
        if fault.kind == "slow" and not (math.isfinite(fault.seconds) and 0 < fault.seconds <= MAX_SECONDS):
            raise problems.BAD_FAULT(why=f"{fault.seconds:g} seconds are not from 0 to {MAX_SECONDS:g}")
        if fault.kind == "refuse" and (not fault.reason.strip() or not fault.reason.isprintable()):
            raise problems.BAD_FAULT(why="a refusal has a reason, in one line")
        if fault.times is not None and fault.times < 1:
            raise problems.BAD_FAULT(why=f"{fault.times} times is not once or more")
        self._active[fault.kind] = fault

    def clear(self) -> int:
        """End all faults; who waits is answered now. How many there were."""
        count = len(self._active)
        self._active.clear()
        self._cleared.set()
        self._cleared = asyncio.Event()
        return count

    def listed(self) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(fault) for fault in self._active.values()]

    async def meet(self, op: str) -> None:
        """What a request by the network meets before it is looked at."""
        if self._fires("cut", op):
            raise problems.CSSM_UNREACHABLE(why="the network to it is cut, on purpose")
        if (slow := self._fires("slow", op)) is not None:
            try:
                async with asyncio.timeout(slow.seconds):
                    await self._cleared.wait()
            except TimeoutError:
                pass  # it has been slow enough
        if (refuse := self._fires("refuse", op)) is not None:
            raise problems.CSSM_REFUSES(reason=refuse.reason.rstrip("."))

    def _fires(self, kind: str, op: str) -> Fault | None:
        fault = self._active.get(kind)
        if fault is None:
            return None
        log.info("fault %s meets %s", kind, op)
        if fault.times is not None:
            fault.times -= 1
            if not fault.times:
                del self._active[kind]
        return fault
