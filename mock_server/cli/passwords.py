"""Where a password comes from: the prompt, a file, standard input; never an argument, never shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mock_server.cli.files import read_text
from mock_server.errors import CallerError, problem

__all__ = ["password_of", "password_option"]

F = TypeVar("F", bound=Callable[..., Any])
_LONGEST = 4096

PASSWORD_NEEDED = problem(
    "password-needed",
    CallerError,
    "No password was given.",
    "Give it on standard input (--password-file -), in a file, or at the prompt of a terminal.",
)


def password_option(command: F) -> F:
    return click.option(
        "--password-file",
        metavar="-|FILE",
        help="The password: its first line, from standard input (-) or a file. Without this option it is "
        "asked for.",
    )(command)


def password_of(given: str | None) -> str:
    """The password that `--password-file` means."""
    if given is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise PASSWORD_NEEDED()
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    if given == "-":
        data = b"" if sys.stdin is None else sys.stdin.buffer.read(_LONGEST)
        text = data.decode("utf-8", "replace")
    else:
        text = read_text(given, _LONGEST)
    lines = text.splitlines()
    if not lines or not lines[0]:
        raise PASSWORD_NEEDED()
    return lines[0]
