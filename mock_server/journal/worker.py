"""The journal's threads: one that writes, one that reads and one that copies, so that the serving loop never
waits for a disk, and neither changes nor events wait for a copy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from mock_server.journal.store import Journal

P = ParamSpec("P")
T = TypeVar("T")


class JournalWorker:
    """Runs a journal's methods in its threads. Calls of one kind run one after another, in order."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._writer = ThreadPoolExecutor(1, "journal-writer")
        self._reader = ThreadPoolExecutor(1, "journal-reader")
        self._copier = ThreadPoolExecutor(1, "journal-copier")

    async def write(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that writes, or that must not run beside one that does."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: call(*args, **kwargs))

    async def read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that only reads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, lambda: call(*args, **kwargs))

    async def copy(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a part of a whole copy."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._copier, lambda: call(*args, **kwargs))

    async def close(self) -> None:
        """Wait for what runs, then close the journal."""
        await self.write(lambda: None)
        await self.read(lambda: None)
        await self.copy(lambda: None)
        self._writer.shutdown()
        self._reader.shutdown()
        self._copier.shutdown()
        self.journal.close()
