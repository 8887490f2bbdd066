"""One supervisor a folder: its lock, and what one that was killed has left behind."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os

from mock_server.cluster.companion import former_process
from mock_server.cluster.config import NODES, Layout
from mock_server.cluster.problems import ALREADY_RUNNING
from mock_server.cluster.processes import open_pidfd, read_node_file

_PATIENCE = 8.0


def take_lock(layout: Layout) -> int:
    """The descriptor that holds the folder's lock until it is closed."""
    descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 20).decode().strip() or "unknown"
        os.close(descriptor)
        raise ALREADY_RUNNING(folder=str(layout.folder), pid=pid) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


async def wait_for(layout: Layout) -> None:
    """The nodes, and CSSM, of a supervisor that was killed are stopping now."""
    loop = asyncio.get_running_loop()
    nodes = [read_node_file(layout.node_json(name)) for name in NODES]
    old = [node.process for node in nodes if node is not None]
    for process in [*old, *filter(None, [former_process(layout)])]:
        descriptor = open_pidfd(process)
        if descriptor is None:
            continue
        gone = asyncio.Event()
        loop.add_reader(descriptor, gone.set)
        try:
            async with asyncio.timeout(_PATIENCE):
                await gone.wait()
        except TimeoutError:
            raise ALREADY_RUNNING(folder=str(layout.folder), pid=process.pid) from None
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def control(layout: Layout) -> str | None:
    """The control socket of a supervisor that was killed: its lock is free, so it is dead."""
    try:
        return str(json.loads(layout.control_json.read_bytes())["control"])
    except (OSError, ValueError, KeyError):
        return None
