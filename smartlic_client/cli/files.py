"""Files that a verb writes for its user: whole or not at all, and for their owner alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from smartlic_client.errors import CallerError, problem

__all__ = ["write_file"]

FILE_UNWRITABLE = problem(
    "file-unwritable",
    CallerError,
    "{path} cannot be written: {why}.",
    "Make room there, or name another file; nothing else has changed.",
)


def write_file(path: str | Path, data: bytes, mode: int = 0o600) -> None:
    """Raises file-unwritable; a file that was there before is then as it was."""
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
            os.replace(temporary, target)  # noqa: PTH105
        except BaseException:
            os.unlink(temporary)  # noqa: PTH108
            raise
    except OSError as error:
        raise FILE_UNWRITABLE(path=str(path), why=error.strerror) from None
