"""The console of a server, to work at: a prompt at a terminal, or lines from standard input.

At a terminal it stays, whatever fails: a server that dies or hangs, a cluster that goes down and comes up
again. Lines from standard input are a script: no prompt, and it ends at the first command that fails, with
the exit code of that one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import click
import platformdirs

from mock_server.cli.common import text_only
from mock_server.cluster.client import call, console
from mock_server.cluster.commands.table import LEAVING
from mock_server.errors import SmartlicError
from smartlic_client.cli.output import complain, emit, printable, say, wants_json

PROMPT = ">> "
_LONGEST = 4000


class Reader(Protocol):
    """Where commands and answers come from. KeyboardInterrupt: what is written so far is given up; no."""

    lasting: bool
    """Whether somebody is there who sees an error and goes on."""

    def line(self) -> str | None:
        """The next line; None at the end."""

    def answer(self, question: str) -> str:
        """The answer to a question; "" at the end."""


class Lines:
    """Standard input as it is. Questions, and their answers where those are not seen else, are printed."""

    def __init__(self) -> None:
        self.lasting = self._typed = sys.stdin is not None and sys.stdin.isatty()

    def line(self) -> str | None:
        if self._typed:
            click.echo(PROMPT, nl=False, err=True)
        return _read_line()

    def answer(self, question: str) -> str:
        click.echo(f"{question} ", nl=False, err=wants_json())
        given = _read_line()
        if given is None or not self._typed:
            click.echo(printable(given or ""), err=wants_json())
        return given or ""


def _read_line() -> str | None:
    """A line; None at the end, also where input is no text. What is too long is cut: it is nothing known."""
    try:
        line = sys.stdin.readline(_LONGEST) if sys.stdin is not None else ""
    except UnicodeDecodeError:
        return None
    return line.rstrip("\r\n") if line else None


def reader() -> Reader:
    """The prompt with history and completion at a terminal that can show it; else standard input as it is."""
    able = os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    if not able or sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Lines()
    from mock_server.cli.prompt import Prompt

    return Prompt(platformdirs.user_data_path("smartlic-mock", appauthor=False) / "console-history")


class Run:
    """One command: its lines are shown as they come, its questions asked."""

    def __init__(self, answer: Callable[[str], str], *, yes: bool) -> None:
        self.lines: list[str] = []
        self.questions: list[dict[str, str]] = []
        self._answer = answer
        self._yes = yes

    def run(self, folder: Path, node: str, line: str) -> int:
        """Exit code of the command; its result is shown."""
        talk = console(folder, node, text_only(line), self._ask)
        try:
            while True:
                text = next(talk)
                self.lines.append(text)
                if not wants_json():
                    say(printable(text))
        except StopIteration as end:
            result: dict[str, Any] = end.value
        except SmartlicError as error:
            error.context.setdefault("lines", self.lines)
            raise
        code = int(result["exit_code"])
        emit({"ok": code == 0, "node": node, "lines": self.lines, "questions": self.questions, **result}, "")
        return code

    def _ask(self, question: str) -> str:
        shown = printable(question).rstrip()
        if self._yes:
            click.echo(f"{shown} yes", err=wants_json())
            given = "yes"
        else:
            given = self._heard(shown)
        self.questions.append({"question": question, "answer": given})
        return given

    def _heard(self, question: str) -> str:
        try:
            return self._answer(question).strip()
        except KeyboardInterrupt:
            click.echo("", err=wants_json())
            return ""


def interact(folder: Path, node: str, *, yes: bool) -> int:
    """Commands until the end of input, `exit` or `logout`. The exit code of the last one that ended it."""
    source = reader()
    if source.lasting and not wants_json():
        _greet(folder, node)
    while True:
        try:
            line = source.line()
        except KeyboardInterrupt:
            continue
        if line is None or line.strip() in LEAVING:
            if line is None and source.lasting:
                click.echo("logout", err=wants_json())
            return 0
        code = _one(source, folder, node, line, yes=yes)
        if code and not source.lasting:
            return code


def _one(source: Reader, folder: Path, node: str, line: str, *, yes: bool) -> int:
    if not line.strip():
        return 0
    try:
        return Run(source.answer, yes=yes).run(folder, node, line)
    except SmartlicError as error:
        complain(error.as_dict(), error.exit_code, wants_json())
        return error.exit_code
    except KeyboardInterrupt:
        if not source.lasting:
            raise
        click.echo(
            f"\n{line.split()[0]} goes on without this console; ha_status says what came of it.", err=True
        )
        return 0


def _greet(folder: Path, node: str) -> None:
    """The banner; raises what hinders the console from the start."""
    told = call(folder, "console.login", node=node, terminal=_terminal())
    if told["last"] is not None:
        at = time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(told["last"]["at"]))
        say(f"Last login: {at} on {printable(told['last']['terminal'])}")
    say(f"SSM On-Prem (mock), the {node.capitalize()} at {told['address']}. It authorizes no real product.")
    say("`help` lists the commands; Ctrl-D leaves.")


def _terminal() -> str:
    try:
        return os.ttyname(sys.stdin.fileno()).removeprefix("/dev/")
    except OSError:
        return "a terminal"
