"""Writes the pages of docs/reference that are made from the code, or checks that they are up to date.

python -m docs.generate            write them
python -m docs.generate --check    exit 1 if one differs from what would be written
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import mock_server
import smartlic_client
from mock_server.cluster import roles
from mock_server.domain import accounts
from mock_server.domain.state import AccountStatus
from smartlic_client.errors import PROBLEMS
from smartlic_client.protocol import states, timers, usage
from smartlic_client.protocol.rum import RumState

_REFERENCE = Path(__file__).parent / "reference"
_MADE = "<!-- Made by `make docs`; change the code, not this page. -->\n\n"


_LOCUSTS = "smartlic_client.fleet.locust"
"""Read by Locust only, and it defines no problem."""


def _all_modules() -> None:
    """Problems are defined where they are raised: all rooms have to be in."""
    for package in (smartlic_client, mock_server):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__") and module.name != _LOCUSTS:
                importlib.import_module(module.name)


def errors() -> str:
    """One row a problem, by its code."""
    _all_modules()
    lines = [
        "# Errors\n",
        _MADE,
        "Every error has a code that never changes, a sentence, and what to do. In `{}` stands what the\n"
        "error tells of the case. `--format json` prints all of it under `error`.\n",
        "Kinds: *CallerError* is something to change on your side; *BusyError* is held by another;\n"
        "*UsageError* was not understood; *CommunicationError* may work later, and is the only kind that\n"
        "`--wait` retries; *TrustError* means that nothing was sent; *AnswerError* is an answer that cannot\n"
        "be believed; *RefusedError* is a no.\n",
        "| code | kind | exit | what happened | what to do |",
        "|---|---|---|---|---|",
    ]
    for code, known in sorted(PROBLEMS.items()):
        cells = (f"`{code}`", known.kind.__name__, str(known.kind.exit_code), known.sentence, known.mend)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def machines() -> str:
    """The state machines, drawn from their tables; those of a product instance cell by cell."""
    device = (
        (
            "Registration of a product instance",
            states.mermaid(states.REGISTRATION, states.Registration.NOT_REGISTERED),
            states.rows(states.REGISTRATION),
        ),
        (
            "License authorization of a product instance",
            states.mermaid(states.AUTHORIZATION, states.Authorization.NONE),
            states.rows(states.AUTHORIZATION),
        ),
        (
            "The trust code of a product instance (Smart Licensing Using Policy)",
            states.mermaid(states.TRUST, states.Trust.NONE),
            states.rows(states.TRUST),
        ),
        (
            "A usage report (Smart Licensing Using Policy)",
            states.mermaid(usage.REPORT, RumState.OPEN),
            states.rows(usage.REPORT),
        ),
    )
    parts = [
        "# State machines\n\n",
        _MADE,
        "Each is one table in the code; a step that is not drawn is illegal. A table's *timer* is when the\n"
        "machine speaks by itself next, and *to say* is what it has to tell then, or at once. Both machines\n"
        "share one outbox: one message is in flight, and it stays until it is answered.\n",
    ]
    for title, drawing, table in device:
        parts.append(f"\n## {title}\n\n```mermaid\n{drawing.rstrip()}\n```\n\n{table}")
    parts.append("\n## How long things take\n\n| what | how long | source |\n|---|---|---|\n")
    for name, (seconds, source) in timers.DURATIONS.items():
        parts.append(f"| {name} | {_length(seconds)} | {source} |\n")
    servers = (
        ("A server of the mock cluster", roles.mermaid()),
        ("A local account of the mock", states.mermaid(accounts.LIFE, AccountStatus.REQUESTED)),
    )
    parts += [f"\n## {title}\n\n```mermaid\n{drawing.rstrip()}\n```\n" for title, drawing in servers]
    return "".join(parts)


def _length(seconds: float) -> str:
    """The largest unit that it is whole in: `30 days`, `12 hours`, `2 seconds`."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return f"{seconds:g} seconds"


def _helps(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    with click.Context(command, info_name=name, parent=parent, max_content_width=100) as context:
        yield f"## {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
        if isinstance(command, click.Group):
            for verb in command.list_commands(context):
                found = command.get_command(context, verb)
                if found is not None:
                    yield from _helps(found, verb, context)


def command_line() -> str:
    """The help texts of both programs."""
    from mock_server.cli import cli as mock
    from smartlic_client.cli import cli as client

    parts = ["# Command line\n\n" + _MADE.rstrip("\n") + "\n", *_helps(client, "smartlic")]
    return "\n".join([*parts, *_helps(mock, "smartlic-mock")])


def findings() -> str:
    """The catalogue of `smartlic check`."""
    from smartlic_client.preflight.catalogue import reference

    title, _, rest = reference().partition("\n")
    return f"{title}\n\n{_MADE.rstrip()}\n{rest}"


def consoles() -> str:
    """The consoles of servers: commands, what each does in each state, outcomes, questions."""
    from mock_server.cluster.commands import answers, table
    from mock_server.cluster.talk import ANSWER_LIMIT, ANSWER_SECONDS, Outcome

    commands = [f"| `{command.usage}` | {command.summary} |" for command in table.COMMANDS.values()]
    outcomes = [f"| `{outcome.word}` | {outcome.exit_code} | {outcome.meaning} |" for outcome in Outcome]
    return _CONSOLE.format(
        made=_MADE.rstrip(),
        commands="\n".join(commands),
        outcomes="\n".join(outcomes),
        seconds=f"{ANSWER_SECONDS:.0f}",
        limit=ANSWER_LIMIT,
        answers=answers.page(),
    )


_CONSOLE = """\
# Consoles

{made}

Each server has a console, which is there also while the cluster is stopped on it or its process is dead.

- `smartlic-mock console primary` at a terminal: a prompt `>>` with history and completion, until Ctrl-D,
  `exit` or `logout`. Ctrl-C clears the line; while a command runs it gives the prompt back, and the command
  goes on to its end. An error is shown, with what to do, and the prompt comes again: also when the server
  dies or hangs, or the whole cluster goes down and comes up.
- `smartlic-mock console primary < commands`: lines from standard input, without prompt. It ends at the first
  command that fails, with its exit code.
- `smartlic-mock console primary ha_status`: one command, with its exit code.

## Commands

| command | what it does |
|---|---|
{commands}

One console at a time changes something on a server. Another one is told which command runs (`console-busy`,
exit code 75), and may look.

## Questions

What a command asks is asked in place: at the terminal, or read from standard input
(`echo yes | smartlic-mock console primary ha_teardown`). `--yes` answers all with yes. Only `yes` and `y`, in
upper or lower case, are yes. All else is no: another word, Ctrl-C or Ctrl-D at the question, the end of
input, an answer of more than {limit} characters, none within {seconds} seconds, a client that goes away.

## What came of it

With `--format json` it stands under `outcome`; `ok` is true where the exit code is 0.

| outcome | exit code | |
|---|---|---|
{outcomes}

A command that cannot be done ends with an [error](errors.md) and its exit code: 64 for what is no command
(`command-unknown`, `command-usage`), 75 where another one has it, 2 where the same command may work later,
else 1. What was printed before is under `lines` of its context.

## In which state

Each command, in each state of a server, does one of these; the states are those of [the machine](states.md).

{answers}"""


def rest_api() -> str:
    """The REST API of the mock."""
    from docs.rest_api import page

    return page(_MADE.rstrip())


PAGES = {
    "console.md": consoles,
    "errors.md": errors,
    "states.md": machines,
    "command-line.md": command_line,
    "findings.md": findings,
    "rest-api.md": rest_api,
}


def main() -> None:
    check = "--check" in sys.argv[1:]
    stale = []
    for name, make in PAGES.items():
        path, text = _REFERENCE / name, make()
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"not up to date: {', '.join(stale)}; write them with `make docs`")


if __name__ == "__main__":
    main()
