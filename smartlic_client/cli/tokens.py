"""Where an ID token comes from: standard input, a file, the prompt; never kept, never shown."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from smartlic_client.cli.output import note
from smartlic_client.errors import CallerError, SmartlicError, problem
from smartlic_client.protocol.errors import TOKEN_NEEDED
from smartlic_client.protocol.identity import IdToken

__all__ = ["refuse_arguments", "token_from_file", "token_of", "token_option"]

F = TypeVar("F", bound=Callable[..., Any])
_LONGEST = 4096

TOKEN_UNREADABLE = problem(
    "token-unreadable",
    CallerError,
    "The ID token cannot be read from {path}: {why}.",
    "Give a file that this user may read, or the token on standard input: --token -",
)


def token_option(command: F) -> F:
    return click.option(
        "--token",
        metavar="-|FILE|TOKEN",
        help="The ID token: from standard input (-) or a file. Without this option it is asked for. A token "
        "on the command line works too, but others on this machine can see it there.",
    )(command)


def refuse_arguments(context: click.Context) -> None:
    """Wrong usage where there are arguments. Click's own message repeats them, and one may be the token."""
    if context.args:
        raise click.UsageError("The token stands behind --token; there is an argument too many.", context)


def token_of(context: click.Context, given: str | None) -> IdToken:
    """The token that `--token` means. One that the shell was given comes in the context's object."""
    if isinstance(context.obj, IdToken):
        return context.obj
    if given is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise TOKEN_NEEDED()
        text = click.prompt("ID token", hide_input=True, err=True)
    elif given == "-":
        text = "" if sys.stdin is None else _text(sys.stdin.buffer.read(_LONGEST))
    elif (inside := _read(given)) is not None:
        text = inside
    else:
        note("warning: a token on the command line can be seen in the list of processes and in the history")
        return _token_itself(given)
    if not text.strip():
        raise TOKEN_NEEDED()
    return IdToken(text)


def token_from_file(path: str) -> IdToken:
    """The token in a file that has to be there. Raises token-unreadable, token-malformed."""
    text = _read(path)
    if text is None:
        raise TOKEN_UNREADABLE(path=path, why="there is no such file")
    return IdToken(text)


def _read(given: str) -> str | None:
    """What the file `given` holds; None where there is no such file. It may be a pipe: `<(…)`."""
    try:
        with Path(given).open("rb") as file:
            return _text(file.read(_LONGEST))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise TOKEN_UNREADABLE(path=given, why=error.strerror) from None


def _token_itself(given: str) -> IdToken:
    try:
        return IdToken(given)
    except SmartlicError:
        # Not said which: what was given may be a secret with a slip in it.
        note("note: there is no file of that name, so it was taken for the token itself")
        raise


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
