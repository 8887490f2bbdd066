"""A command group whose verbs are imported when they are used; `--help` imports none of them.

Options that every verb shares (such as `--format`) are taken before the verb and after it, where people put
them; the last one given counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["LazyGroup", "NoVerbError", "Shared", "VerbGroup", "format_option", "shared"]

Shared = Callable[[bool], click.Option]
"""Makes an option; True: for the program itself, where an environment variable may give it too."""


def shared(*names: str, key: str, envvar: str | None = None, **settings: Any) -> Shared:
    """An option whose value is found by `shared_value(context, key)`, wherever it was given."""

    def remember(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            meta = context.find_root().meta
            meta[key] = value
            source = context.get_parameter_source(_parameter.name or "")
            meta[f"{key}.source"] = source.name.lower() if source else "commandline"

    def make(outermost: bool) -> click.Option:
        return click.Option(
            names,
            expose_value=False,
            is_eager=True,
            callback=remember,
            envvar=envvar if outermost else None,
            **settings,
        )

    return make


format_option = shared(
    "--format",
    key="smartlic.format",
    envvar="SMARTLIC_FORMAT",
    type=click.Choice(["text", "json"]),
    help="text (default) or json, errors included.",
)


class NoVerbError(click.UsageError):
    """A group was called without a verb."""


class VerbGroup(click.Group):
    """A group of verbs. Without one there is nothing to do: wrong usage, and the help says what there is."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args and not context.resilient_parsing:
            raise NoVerbError("No command was given.", context)
        return super().parse_args(context, args)


class LazyGroup(VerbGroup):
    """`verbs`: name → (module, one line of help); the module's command is called `command`."""

    def __init__(
        self,
        *args: Any,
        verbs: Mapping[str, tuple[str, str]],
        shared_options: Sequence[Shared] = (),
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._verbs = verbs
        self._shared = shared_options
        self.params += [make(True) for make in shared_options]

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self._verbs)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in self._verbs:
            return None
        command: click.Command = import_module(self._verbs[name][0]).command
        self._share(command)
        return command

    def _share(self, command: click.Command) -> None:
        taken = {parameter.name for parameter in command.params}
        command.params += [option for make in self._shared if (option := make(False)).name not in taken]
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                self._share(inner)

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs, without importing them."""
        from click.shell_completion import CompletionItem

        if incomplete[:1] == "-":
            return super().shell_complete(context, incomplete)
        return [
            CompletionItem(name, help=line)
            for name, (_, line) in self._verbs.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._verbs.items()])
