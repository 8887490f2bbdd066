"""CSSM's process.

    python -m mock_server.cssm.main --folder F --listen-fd 3 --parent-fd 4

It serves the listening socket that it is given, and ends on SIGTERM or when the process that started it is
gone. One JSON line on its standard output says that it is there, or why it cannot be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from mock_server.cluster import started
from mock_server.cluster.config import Layout
from mock_server.cluster.control import ControlServer, describe
from mock_server.cluster.processes import myself
from mock_server.cssm.service import CssmService
from mock_server.errors import SmartlicError
from mock_server.files import write_private

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until it is told to end."""
    parser = argparse.ArgumentParser(prog="mock_server.cssm.main")
    parser.add_argument("--folder", type=Path, required=True, help="the cluster's")
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--parent-fd", type=int)
    options = parser.parse_args(argv)
    os.umask(0o077)
    layout = Layout(options.folder)
    layout.cssm_log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    started.log_to(layout.cssm_log)
    try:
        service = CssmService(layout.cssm)
    except SmartlicError as error:
        started.say({"error": describe(error)})
        return error.exit_code
    listening = socket.socket(fileno=options.listen_fd)
    try:
        asyncio.run(_serve(service, layout, listening, options.parent_fd))
    finally:
        service.close()
    return 0


async def _serve(service: CssmService, layout: Layout, listening: socket.socket, parent: int | None) -> None:
    ending = started.ending(parent)
    control = ControlServer("the mock CSSM", layout.cssm_log, service.dispatch)
    path = await control.open(listening=listening)
    me = myself()
    told = {"pid": me.pid, "started": me.started, "control": str(path)}
    write_private(layout.cssm_json, json.dumps(told).encode() + b"\n")
    log.info("process %d of the mock CSSM", me.pid)
    started.say({"ready": True, "control": str(path)})
    try:
        await ending.wait()
        log.info("ending")
    finally:
        await control.close()


if __name__ == "__main__":
    sys.exit(main())
