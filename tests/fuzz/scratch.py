"""A folder for the files of one process, in memory where the system has such a place."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

__all__ = ["folder"]

_MEMORY = Path("/dev/shm")


def folder() -> Path:
    """A new private folder, which is gone with the process."""
    made = Path(tempfile.mkdtemp(prefix="smartlic-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
