"""The processes of the nodes: are they there, tell me when they end, end the old one.

A process is known by its id and its start time, so that a stranger with a reused id is never meant.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from mock_server.files import write_private


class ProcessId(NamedTuple):
    pid: int
    started: int
    """Field 22 of /proc/<pid>/stat: clock ticks since the machine's start."""


class NodeFile(msgspec.Struct, frozen=True):
    """`node.json`: what a node's process says about itself to whoever reads the folder."""

    cluster: str
    node: str
    pid: int
    started: int
    state: str
    role: str
    control: str = ""
    epoch: int = 0
    index: int = 0

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.pid, self.started)


def started(pid: int) -> int | None:
    """When a process was started; None when it is gone, also when only its parent has not noticed yet."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def myself() -> ProcessId:
    """This process."""
    return ProcessId(os.getpid(), started(os.getpid()) or 0)


def alive(process: ProcessId) -> bool:
    """Whether this very process still runs (or hangs)."""
    return started(process.pid) == process.started


def read_node_file(path: Path) -> NodeFile | None:
    """The node's last word about itself; None when it never ran."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=NodeFile)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_node_file(path: Path, node: NodeFile) -> None:
    """Replace the node's file."""
    write_private(path, msgspec.json.encode(node) + b"\n")


def open_pidfd(process: ProcessId) -> int | None:
    """A descriptor that becomes readable when this very process ends; None when it has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    # Only now, with the descriptor held, does the start time prove that it is the right one.
    if not alive(process):
        os.close(descriptor)
        return None
    return descriptor


class ProcessWatch:
    """Calls back when a process ends."""

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self._on_gone = on_gone
        self._descriptor: int | None = None
        self._process: ProcessId | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, process: ProcessId) -> None:
        """Watch this process, and no other any more."""
        if process == self._process and self._descriptor is not None:
            return
        self.close()
        self._process = process
        self._descriptor = open_pidfd(process)
        self._loop = asyncio.get_running_loop()
        if self._descriptor is None:
            self._loop.call_soon(self._on_gone)
        else:
            self._loop.add_reader(self._descriptor, self._gone)

    def close(self) -> None:
        if self._descriptor is not None and self._loop is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
        self._descriptor = None
        self._process = None

    def _gone(self) -> None:
        self.close()
        self._on_gone()


async def end(process: ProcessId, within: float = 1.0) -> bool:
    """End this very process with SIGKILL, and wait until it is gone; it may be stopped or hung."""
    return await _wait(process, within, signal.SIGKILL)


async def ended(process: ProcessId, within: float) -> bool:
    """Wait for the end of this very process; False if it has not come."""
    return await _wait(process, within)


async def _wait(process: ProcessId, within: float, number: int | None = None) -> bool:
    descriptor = open_pidfd(process)
    if descriptor is None:
        return True
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    try:
        loop.add_reader(descriptor, gone.set)
        if number is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
        async with asyncio.timeout(within):
            await gone.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return True
