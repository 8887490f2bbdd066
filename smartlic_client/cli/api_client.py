"""Where the secret of an API client comes from: standard input, a file, the environment; no argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from smartlic_client.errors import CallerError, problem

if TYPE_CHECKING:
    from smartlic_client.onprem.secret import Secret

__all__ = ["VARIABLE", "secret_of"]

VARIABLE: Final = "SMARTLIC_API_SECRET"
_LONGEST: Final = 4096

SECRET_NEEDED = problem(
    "api-secret-needed",
    CallerError,
    "The client secret is missing.",
    "Give it with --api-secret, from a file or from standard input (-), or in SMARTLIC_API_SECRET.",
)
SECRET_UNREADABLE = problem(
    "api-secret-unreadable",
    CallerError,
    "The client secret cannot be read from {path}: {why}.",
    "Give a file that this user may read; the secret itself does not belong on a command line.",
)


def secret_of(given: str | None) -> Secret:
    """The secret that `--api-secret` means, or the environment's. Raises the two problems above."""
    from smartlic_client.onprem.secret import Secret

    if given is None:
        text = os.environ.get(VARIABLE, "")
    elif given == "-":
        text = "" if sys.stdin is None else _text(sys.stdin.buffer.read(_LONGEST))
    else:
        try:
            with Path(given).expanduser().open("rb") as file:
                text = _text(file.read(_LONGEST))
        except OSError as error:
            # Not which file: what was given may be the secret itself.
            raise SECRET_UNREADABLE(path="what was given", why=error.strerror) from None
    if not text.strip():
        raise SECRET_NEEDED()
    return Secret(text.strip())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
