"""`smartlic shell`: a device's own words, at a prompt or from standard input.

At a terminal it stays, whatever fails. Lines from standard input are a script: no prompt, and it ends at the
first line that fails, with the exit code of that one.
"""

from __future__ import annotations

import os
import sys
from typing import Protocol

import click

from smartlic_client.cli.common import device_folder_of, home_of
from smartlic_client.cli.output import complain, emit, printable, say, wants_json
from smartlic_client.cli.resolve import resolve_option
from smartlic_client.cli.words import Line, read, usage_lines
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.identity import IdToken

_LONGEST = 4000
_USAGE = 64


class Reader(Protocol):
    """Where lines come from."""

    lasting: bool
    """Whether somebody is there who sees an error and goes on."""

    def line(self, prompt: str) -> str | None:
        """The next line; None at the end."""


@click.command("shell")
@resolve_option
@click.pass_context
def command(context: click.Context, resolve: tuple[tuple[tuple[str, int], str], ...]) -> None:
    """Take the words that devices take: license smart register idtoken TOKEN force, show license all.

    Words can be shortened; `help` lists them. Without a terminal it reads commands from standard input, and
    ends at the first that fails. A token is kept in no history.
    """
    folder = device_folder_of(context)
    options = ["--home", str(home_of(context)), "--device", folder.name]
    if wants_json():
        options += ["--format", "json"]
    if proxy := context.find_root().meta.get("smartlic.proxy"):
        options += ["--proxy", proxy]
    shell = Shell(folder.name, options, [f"{n}:{p}:{a}" for (n, p), a in resolve])
    context.exit(shell.interact(reader()))


class Shell:
    """Lines of one device; each that asks for something is a call of a verb."""

    def __init__(self, name: str, options: list[str], resolve: list[str]) -> None:
        self._name = name
        self._options = options
        self._resolve = resolve
        self._configuring = False

    @property
    def prompt(self) -> str:
        return f"{printable(self._name)}{'(config)' if self._configuring else ''}#"

    def interact(self, source: Reader) -> int:
        """Exit code: 0, or that of the line that ended it."""
        while True:
            try:
                line = source.line(self.prompt)
            except KeyboardInterrupt:
                continue
            if line is None:
                return 0
            code = self.take(line)
            if code is None:
                return 0
            if code and not source.lasting:
                return code

    def take(self, line: str) -> int | None:
        """The exit code of one line; None: it leaves the shell."""
        try:
            found = read(line)
            if found is None:
                return 0
            if found.verb[0] in ("exit", "end", "configure", "enable", "help"):
                return self._here(found.verb[0])
            return self._call(found)
        except SmartlicError as error:
            return complain(error.as_dict(), error.exit_code, wants_json())

    def _here(self, word: str) -> int | None:
        if word == "exit" and not self._configuring:
            return None
        if word == "help":
            emit({"commands": list(usage_lines())}, "\n".join(usage_lines()))
        if word != "help":
            self._configuring = word == "configure"
        return 0

    def _call(self, line: Line) -> int:
        """A verb of this program, in this process: so a token is on no command line."""
        from smartlic_client.cli import cli

        token = IdToken(line.token) if line.token is not None else None
        words = _license(line.verb) if line.verb[0] == "show" else list(line.verb)
        if words[0] in _TALKING and words[1:2] != ["anchor"]:
            words += [part for one in self._resolve for part in ("--resolve", one)]
        try:
            _refuse_options(line.verb)
            with cli.make_context("smartlic", [*self._options, *words], obj=token) as context:
                cli.invoke(context)
        except click.exceptions.Exit as left:
            return left.exit_code
        except click.UsageError as error:
            wrong = {
                "code": "usage",
                "sentence": error.format_message(),
                "mend": "`help` lists the commands.",
            }
            return complain({**wrong, "context": {}}, _USAGE, wants_json())
        except (click.Abort, KeyboardInterrupt):
            say("") if not wants_json() else None
            return 130
        return 0


def _refuse_options(verb: tuple[str, ...]) -> None:
    if any(word.startswith("-") and word not in _OURS for word in verb):
        raise click.UsageError("No word of a device begins with a dash.")


_TALKING = ("register", "deregister", "renew", "trust", "sync", "request", "release", "report")
_OURS = ("--interval", "--save", "--import", "--force", "--none", "--yes")


def _license(verb: tuple[str, ...]) -> list[str]:
    """`show license WORDS` is the verb of that name, or, for what it has of its own, `show WORD`."""
    from smartlic_client.cli.show import command as show

    if "license" in show.commands:
        return list(verb)
    rest = [name for name in show.commands if verb[2:] and name.startswith(verb[2].lower())]
    return ["show", *(rest[:1] if len(verb) == 3 else verb[2:])]


class Lines:
    """Standard input as it is."""

    def __init__(self) -> None:
        self.lasting = self._typed = sys.stdin is not None and sys.stdin.isatty()

    def line(self, prompt: str) -> str | None:
        if self._typed:
            click.echo(prompt, nl=False, err=True)
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
    try:
        from smartlic_client.cli.prompt import Prompt
    except ModuleNotFoundError as error:
        if error.name != "prompt_toolkit":
            raise
        return Lines()
    return Prompt()
