"""A command group whose verbs are imported when they are used; `--help` imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

import click

__all__ = ["LazyGroup", "NoVerbError", "VerbGroup", "format_option"]

F = TypeVar("F", bound=Callable[..., Any])


def _remember(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.find_root().meta["smartlic.format"] = value


def format_option(command: F) -> F:
    """`--format text|json`, on the group and on each verb; the last one given counts."""
    return click.option(
        "--format",
        type=click.Choice(["text", "json"]),
        expose_value=False,
        is_eager=True,
        callback=_remember,
        help="text (default) or json, errors included.",
    )(command)


class NoVerbError(click.UsageError):
    """A group was called without a verb."""


class VerbGroup(click.Group):
    """A group of verbs. Without one there is nothing to do: wrong usage, and the help says what there is."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args and not context.resilient_parsing:
            raise NoVerbError("No command was given.", context)
        return super().parse_args(context, args)


class LazyGroup(VerbGroup):
    """`verbs`: name → (module, one line of help). The module's command is called `command`."""

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._verbs = verbs

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self._verbs)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in self._verbs:
            return None
        command: click.Command = import_module(self._verbs[name][0]).command
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._verbs.items()])
