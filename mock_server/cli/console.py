"""`smartlic-mock console NODE COMMAND`."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from mock_server.cli.common import folder_of
from mock_server.cluster.client import console
from mock_server.errors import SmartlicError
from smartlic_client.cli.output import emit, printable, say, wants_json

_LONGEST = 4000


@click.command("console", context_settings={"ignore_unknown_options": True})
@click.option("--yes", is_flag=True, help="Answer every question with yes.")
@click.argument("node", type=click.Choice(["primary", "secondary"]))
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND")
@click.pass_context
def command(context: click.Context, node: str, words: tuple[str, ...], yes: bool) -> None:
    """Run COMMAND on a server's console; `help` lists the commands, such as ha_status and ha_cluster_stop.

    What it asks is asked here, or read from standard input (`echo yes | …`); the end of input is no. It exits
    with 0 when done or so already, 1 when refused or answered with no, 3 when the server started and waits
    for the other one.
    """
    run = Run(yes=yes)
    result = run.run(context, node, words[0] if len(words) == 1 else shlex.join(words))
    code = int(result["exit_code"])
    told = {"ok": code == 0, "node": node, "lines": run.lines, "questions": run.questions, **result}
    emit(told, "")
    context.exit(code)


class Run:
    """A command under way: its lines are shown as they come, and its questions asked."""

    def __init__(self, *, yes: bool) -> None:
        self.lines: list[str] = []
        self.questions: list[dict[str, str]] = []
        self._yes = yes

    def run(self, context: click.Context, node: str, line: str) -> dict[str, Any]:
        """The outcome and its exit code."""
        talk = console(folder_of(context), node, line, self.answer)
        try:
            while True:
                text = next(talk)
                self.lines.append(text)
                if not wants_json():
                    say(printable(text))
        except StopIteration as end:
            result: dict[str, Any] = end.value
            return result
        except SmartlicError as error:
            error.context.setdefault("lines", self.lines)
            raise

    def answer(self, text: str) -> str:
        """Ask a person, or whoever writes to standard input. No answer, or Ctrl-C, is no."""
        try:
            click.echo(printable(text).rstrip() + " ", nl=False, err=wants_json())
            given = "yes\n" if self._yes else _read_line()
        except (KeyboardInterrupt, UnicodeDecodeError):
            given = ""
        if self._yes or not given.endswith("\n") or not sys.stdin.isatty():
            click.echo(printable(given.rstrip("\n")), err=wants_json())
        self.questions.append({"question": text, "answer": given.strip()})
        return given.strip()


def _read_line() -> str:
    return sys.stdin.readline(_LONGEST) if sys.stdin is not None else ""
