"""The process of one node.

    python -m mock_server.cluster.main --folder F --node primary --service module:factory

It stays when the cluster is stopped on it, with its console. It ends on SIGTERM, or when the process that
started it is gone (the pipe given as --parent-fd ends), after a planned stop. One JSON line on its standard
output says that its control socket is there, or why it cannot start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import logging
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from mock_server.cluster import started
from mock_server.cluster.config import NODES, Layout
from mock_server.cluster.control import describe
from mock_server.cluster.life import live
from mock_server.cluster.machine import ServiceFactory
from mock_server.cluster.node import Node
from mock_server.cluster.problems import SERVICE_NOT_FOUND
from mock_server.errors import SmartlicError

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a node until it is told to end."""
    parser = argparse.ArgumentParser(prog="mock_server.cluster.main")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--node", choices=NODES, required=True)
    parser.add_argument("--service", required=True, help="module:factory")
    parser.add_argument("--parent-fd", type=int)
    parser.add_argument("--stopped", action="store_true", help="do not start the cluster on this node yet")
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args(argv)
    os.umask(0o077)
    # The state is many small objects that stay: looking through them for cycles is work for nothing.
    gc.set_threshold(20_000, 50, 100)
    _allow_connections()
    try:
        layout = Layout(options.folder)
        factory = load_factory(options.service)
        started.log_to(layout.log(options.node), options.log_level)
        node = Node(options.folder, options.node, factory)
    except SmartlicError as error:
        started.say({"error": describe(error)})
        return error.exit_code
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(node, options))
    return 0


async def _run(node: Node, options: argparse.Namespace) -> None:
    def ready() -> None:
        log.info("process %d of %s", os.getpid(), node.name)
        started.say({"ready": True, "control": node.control_path})

    await live(node, started.ending(options.parent_fd), ready, stopped=options.stopped)


def _allow_connections() -> None:
    """As many open files as this user may have: each device that keeps its connection is one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def load_factory(path: str) -> ServiceFactory:
    """The service's factory, given as module:factory."""
    module, _, name = path.partition(":")
    try:
        factory: ServiceFactory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SERVICE_NOT_FOUND(path=path, detail=str(error)) from error
    return factory


if __name__ == "__main__":
    sys.exit(main())
