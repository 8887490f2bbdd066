"""`smartlic-mock console NODE [COMMAND]`."""

from __future__ import annotations

import shlex

import click

from mock_server.cli.common import folder_of


@click.command("console", context_settings={"ignore_unknown_options": True})
@click.option("--yes", is_flag=True, help="Answer every question with yes.")
@click.argument("node", type=click.Choice(["primary", "secondary"], case_sensitive=False))
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]")
@click.pass_context
def command(context: click.Context, node: str, words: tuple[str, ...], yes: bool) -> None:
    """Work at a server's console, or run one COMMAND on it; `help` lists the commands.

    Without COMMAND it is a prompt at a terminal; else it reads commands from standard input and ends at the
    first that fails. What a command asks is asked in place, or read from standard input (`echo yes | …`);
    the end of input is no. It exits with 0 when done or so already, 1 when refused or answered with no, 3
    when the server started and waits for the other one, 64 when there is no such command.
    """
    from mock_server.cli.shell import Lines, Run, interact

    folder = folder_of(context)
    if not words:
        context.exit(interact(folder, node, yes=yes))
    line = words[0] if len(words) == 1 else shlex.join(words)
    context.exit(Run(Lines().answer, yes=yes).run(folder, node, line))
