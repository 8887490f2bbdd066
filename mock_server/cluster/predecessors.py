"""One supervisor a folder: its lock, and what one that was killed has left behind."""

from __future__ import annotations

import os

from mock_server.cluster.client import control_path
from mock_server.cluster.companion import former_process
from mock_server.cluster.config import NODES, Layout
from mock_server.cluster.problems import ALREADY_RUNNING
from mock_server.cluster.processes import ended, read_node_file
from mock_server.errors import SmartlicError
from mock_server.files import lock

_PATIENCE = 8.0


def take_lock(layout: Layout) -> int:
    """The descriptor that holds the folder's lock until it is closed."""
    descriptor = lock(layout.lock)
    if descriptor is None:
        pid = layout.lock.read_text(encoding="ascii").strip() or "unknown"
        raise ALREADY_RUNNING(folder=str(layout.folder), pid=pid)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


async def wait_for(layout: Layout) -> None:
    """The nodes, and CSSM, of a supervisor that was killed are stopping now."""
    nodes = [read_node_file(layout.node_json(name)) for name in NODES]
    old = [node.process for node in nodes if node is not None]
    for process in [*old, *filter(None, [former_process(layout)])]:
        if not await ended(process, _PATIENCE):
            raise ALREADY_RUNNING(folder=str(layout.folder), pid=process.pid)


def control(layout: Layout) -> str | None:
    """The control socket of a supervisor that was killed: its lock is free, so it is dead."""
    try:
        return control_path(layout.folder)
    except SmartlicError:
        return None
