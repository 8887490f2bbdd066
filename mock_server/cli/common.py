"""What the verbs share: the folder, a call to the Active, and tables."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import platformdirs

from mock_server.cluster.client import call
from mock_server.domain.state import DEFAULT_ACCOUNT, DEFAULT_VIRTUAL_ACCOUNT
from mock_server.errors import CallerError, problem
from smartlic_client.cli.output import printable

__all__ = [
    "account_option",
    "account_options",
    "ask",
    "confirm",
    "folder_of",
    "page",
    "page_options",
    "rows_of",
    "table",
    "text_only",
    "yes_option",
]

F = TypeVar("F", bound=Callable[..., Any])

NOT_TEXT = problem(
    "not-text",
    CallerError,
    "{value!r} is no text: it has bytes that are not UTF-8.",
    "Write it in UTF-8; a terminal with another character set sends other bytes.",
)
NO_NUMBER = problem(
    "no-number",
    CallerError,
    "{value} is no number that this can be done with.",
    "Give a finite one.",
)
NOT_CONFIRMED = problem(
    "not-confirmed",
    CallerError,
    "Nothing was done: the question was not answered with yes.",
    "Answer y, or call it with --yes.",
)


def folder_of(context: click.Context) -> Path:
    given = context.find_root().meta.get("smartlic.folder")
    if given:
        return Path(given).absolute()
    return platformdirs.user_data_path("smartlic-mock", appauthor=False) / "cluster"


def ask(context: click.Context, operation: str, **fields: Any) -> dict[str, Any]:
    """Ask the Active (by the supervisor) to do something. Raises its problems."""
    for value in fields.values():
        if isinstance(value, float) and not math.isfinite(value):
            raise NO_NUMBER(value=value)
        if isinstance(value, str):
            text_only(value)
    return call(folder_of(context), operation, **fields)


def text_only(value: str) -> str:
    """The value; refused if it came from bytes that are not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NOT_TEXT(value=value.encode("utf-8", "backslashreplace").decode()) from None
    return value


def account_option(command: F) -> F:
    return click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Local account.")(
        command
    )


def account_options(command: F) -> F:
    virtual = click.option(
        "--virtual-account", default=DEFAULT_VIRTUAL_ACCOUNT, show_default=True, help="Local virtual account."
    )
    return account_option(virtual(command))


def page_options(command: F) -> F:
    limit = click.option(
        "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many of them."
    )
    offset = click.option(
        "--offset", type=click.IntRange(0), default=0, help="Leave out so many before them."
    )
    return limit(offset(command))


def page(found: dict[str, Any], rows: Sequence[Any], offset: int, shown: str) -> str:
    """The table `shown`, and, where it is not all, how much of how much it is."""
    if len(rows) == found["total"]:
        return shown
    last = offset + len(rows)
    return f"{shown}\n{offset + 1} to {last} of {found['total']}" if rows else f"There are {found['total']}."


def yes_option(command: F) -> F:
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def confirm(question: str, yes: bool) -> None:
    """Go on if the answer is y or yes; otherwise, and where there is nobody to answer, nothing is done."""
    if yes:
        return
    click.echo(f"{printable(question)} [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer.endswith("\n"):
        click.echo(err=True)
    if answer.strip().lower() not in ("y", "yes"):
        raise NOT_CONFIRMED()


def rows_of(found: Iterable[dict[str, Any]], *fields: str) -> list[list[str]]:
    return [["" if row[field] is None else str(row[field]) for field in fields] for row in found]


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """A table for people; `empty` is what to say where there is nothing."""
    if not rows:
        return empty
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*map(printable, row))  # a device chooses its own name
    terminal = sys.stdout.isatty()
    width = None if terminal else 4000  # what is piped is not folded
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(made)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
