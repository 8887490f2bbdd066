"""Waiting in an event loop for what comes first. Apart: who waits for nothing loads no asyncio."""

from __future__ import annotations

import asyncio

__all__ = ["any_of"]


async def any_of(*events: asyncio.Event, seconds: float) -> None:
    """Until one of them is set, or the time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
