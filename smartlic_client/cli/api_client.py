"""An API client's ID and secret, as command lines are given them: no secret is an argument."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from smartlic_client.errors import CallerError, problem

if TYPE_CHECKING:
    from smartlic_client.onprem.secret import Secret

__all__ = ["CLIENT_HELP", "SECRET_HELP", "client_of"]

VARIABLE: Final = "SMARTLIC_API_SECRET"
CLIENT_HELP: Final = "An API client: its ID, or @FILE with client_id and client_secret as JSON."
SECRET_HELP: Final = f"The client's secret, from standard input (-) or a file; or in {VARIABLE}."
_LONGEST: Final = 4096

SECRET_NEEDED = problem(
    "api-secret-needed",
    CallerError,
    "The client secret is missing.",
    "Give it with --api-secret, from a file or from standard input (-), or in SMARTLIC_API_SECRET; or give "
    "--api-client a file with both: @FILE.",
)
CLIENT_UNREADABLE = problem(
    "api-client-unreadable",
    CallerError,
    "The API client cannot be read from {path}: {why}.",
    "Give a file that this user may read. As JSON it holds client_id and client_secret, as `smartlic-mock "
    "api-client create --save` writes it.",
)


def client_of(client: str, secret: str | None) -> tuple[str, Secret]:
    """What `--api-client` and `--api-secret` mean. Raises api-secret-needed, api-client-unreadable."""
    from smartlic_client.onprem.secret import Secret

    if client.startswith("@"):
        if secret is not None:
            raise click.UsageError("The file of --api-client has the secret: leave --api-secret out.")
        name, text = _both(client[1:])
    else:
        name, text = client, _secret(secret)
    if not text.strip():
        raise SECRET_NEEDED()
    return name, Secret(text.strip())


def _both(path: str) -> tuple[str, str]:
    try:
        found = json.loads(_read(path, path))
        return str(found["client_id"]), str(found["client_secret"])
    except (ValueError, KeyError, TypeError, RecursionError):
        why = "it is no JSON object with client_id and client_secret"
        raise CLIENT_UNREADABLE(path=path, why=why) from None


def _secret(given: str | None) -> str:
    if given is None:
        return os.environ.get(VARIABLE, "")
    if given == "-":
        return "" if sys.stdin is None else _text(sys.stdin.buffer.read(_LONGEST))
    # Not which file, where there is none: what was given may be the secret itself.
    return _read(given, "the file of --api-secret")


def _read(path: str, spoken: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            return _text(file.read(_LONGEST))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise CLIENT_UNREADABLE(path=spoken, why=why) from None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
