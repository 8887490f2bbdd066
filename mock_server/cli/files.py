"""Files that verbs read and write."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from mock_server.errors import CallerError, problem
from mock_server.files import write_private

__all__ = ["read_bytes", "read_text", "write_secret", "write_text"]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

CANNOT_WRITE = problem(
    "cannot-write",
    CallerError,
    "{path} cannot be written: {why}.",
    "Choose another place for it.",
)
CANNOT_READ = problem(
    "cannot-read",
    CallerError,
    "{path} cannot be read: {why}.",
    "Give a file that this user may read.",
)


def write_text(path: str, text: str) -> None:
    """Write it whole or not at all: a file that is carried elsewhere must not be half of one."""
    target = Path(path)
    temporary = target.with_name(f".smartlic-{os.getpid()}")
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")  # /dev/stdout, a pipe
            return
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):  # it need not be there, nor its folder
            temporary.unlink()
        raise CANNOT_WRITE(path=path, why=error.strerror) from None


def write_secret(path: str, text: str) -> None:
    """Write it whole or not at all, for this user only."""
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")  # /dev/stdout, a pipe
        else:
            write_private(target, text.encode())
    except OSError as error:
        raise CANNOT_WRITE(path=path, why=error.strerror) from None


def read_bytes(path: str, limit: int) -> bytes:
    """What is in the file, one byte more than `limit` at most: who reads it refuses that as too large."""
    try:
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise CANNOT_READ(path=path, why=error.strerror) from None


def read_text(path: str, limit: int) -> str:
    """As `read_bytes`. What is no text becomes U+FFFD: what it was in is refused as damaged."""
    text = read_bytes(path, limit).decode("utf-8", "replace")
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
