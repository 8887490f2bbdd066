"""Small private files, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def write_private(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Replace `path` by a file with `data` that only this user can read."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_new(temporary, data, sync=sync)
    temporary.replace(path)
    if sync:
        sync_folder(path.parent)


def write_new(path: Path, data: bytes, *, sync: bool) -> None:
    """Write a new file of mode 0600; what a broken earlier attempt left under the name is removed first.

    Removed, not overwritten: it may be linked to another name as well."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(path: Path) -> int | None:
    """The descriptor that holds the file's lock until it is closed; None: another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
