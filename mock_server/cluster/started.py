"""What a process that the supervisor has started does around its work: its log, its one line, its end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

__all__ = ["ending", "log_to", "say"]


def log_to(path: Path, level: str = "INFO") -> None:
    """Write the log, warnings too, to a file."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)


def say(message: dict[str, Any]) -> None:
    """The JSON line on standard output that the supervisor waits for."""
    sys.stdout.write(json.dumps(message, default=str) + "\n")
    sys.stdout.flush()


def ending(parent: int | None) -> asyncio.Event:
    """Set on SIGTERM and SIGINT, and when the process at the other end of the pipe `parent` is gone."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if parent is not None:
        loop.add_reader(parent, _parent_gone, parent, loop, told)
    return told


def _parent_gone(descriptor: int, loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    if not os.read(descriptor, 1):
        loop.remove_reader(descriptor)
        told.set()
