"""The console's commands as pure data, and how a line is read. A new one: a row here, one in `handlers`."""

from __future__ import annotations

import difflib
import importlib.metadata
import shlex
from typing import NamedTuple

from mock_server.cluster.problems import COMMAND_UNKNOWN, COMMAND_USAGE


class Command(NamedTuple):
    """`options`: each with what it does. `operands`: their names; in brackets: may be left out.

    `changes`: it changes something, so one console at a time runs such a command on a node.
    """

    name: str
    summary: str
    options: tuple[tuple[str, str], ...] = ()
    operands: tuple[str, ...] = ()
    changes: bool = False

    @property
    def usage(self) -> str:
        return " ".join([self.name, *(f"[{option}]" for option, _ in self.options), *self.operands])


class Arguments(NamedTuple):
    options: frozenset[str] = frozenset()
    operands: tuple[str, ...] = ()


_COMMANDS = (
    Command("ha_status", "Show both servers, their databases, the heartbeat and the VIP"),
    Command("ha_cluster_stop", "Stop the cluster on this server; the other one takes over", changes=True),
    Command(
        "ha_cluster_start",
        "Start the cluster on this server",
        options=(("--force", "Start it although it may lack changes that only the other one has"),),
        changes=True,
    ),
    Command("ha_generatekeys", "On the Primary: make new keys for heartbeat and replication", changes=True),
    Command(
        "ha_provision_standby",
        "On the Secondary: make it ready to be the Standby; its own data will be gone",
        operands=("[PRIMARY_ADDRESS]", "[VIP]"),
        changes=True,
    ),
    Command(
        "ha_deploy",
        "On the Primary: make a cluster of it and the provisioned Secondary",
        operands=("[VIP]",),
        changes=True,
    ),
    Command("ha_teardown", "Destroy the cluster; the Primary goes on as a stand-alone server", changes=True),
    Command("version", "Show the version"),
    Command("exit", "Leave the console; so do logout and Ctrl-D"),
    Command("help", "Show the commands, or what one of them does", operands=("[COMMAND]",)),
)
COMMANDS = {command.name: command for command in _COMMANDS}
LEAVING = ("exit", "logout")
"""At these a console is left; elsewhere they do nothing."""


def read(line: str) -> tuple[Command, Arguments] | None:
    """The command of a line and its arguments; None: an empty line. Raises what is wrong with it."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise COMMAND_USAGE(command=line.split()[0], detail=str(error).lower(), usage="help") from None
    if not words:
        return None
    name, *rest = ["exit"] if words == ["logout"] else words
    command = find(name)
    known = {option for option, _ in command.options}
    options = [word for word in rest if word.startswith("-")]
    operands = [word for word in rest if not word.startswith("-")]
    for option in options:
        if option not in known:
            raise COMMAND_USAGE(
                command=name, detail=f"there is no option {_short(option)}", usage=command.usage
            )
    least = sum(not operand.startswith("[") for operand in command.operands)
    if len(operands) > len(command.operands):
        raise COMMAND_USAGE(command=name, detail=f"{_short(operands[-1])!r} is too much", usage=command.usage)
    if len(operands) < least:
        raise COMMAND_USAGE(
            command=name, detail=f"{command.operands[len(operands)]} is missing", usage=command.usage
        )
    return command, Arguments(frozenset(options), tuple(operands))


def _short(word: str) -> str:
    """What somebody wrote, as an error repeats it."""
    return word if len(word) <= 60 else f"{word[:60]}…"


def find(name: str) -> Command:
    """A command by its name, or an error that says which one may be meant."""
    if name not in COMMANDS:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), COMMANDS, 1, 0.7)
        raise COMMAND_UNKNOWN(command=_short(name), hint=f"Did you mean {near[0]}? " if near else "")
    return COMMANDS[name]


def help_lines(arguments: Arguments = Arguments()) -> list[str]:  # noqa: B008 - it is a constant
    """`help`, `help COMMAND`."""
    if arguments.operands:
        command = find(arguments.operands[0])
        rows = [
            (command.usage, command.summary),
            *((f"  {option}", text) for option, text in command.options),
        ]
    else:
        rows = []
        for command in COMMANDS.values():
            rows.append((command.name, command.summary))
            rows += [(f"{command.name} {option}", text) for option, text in command.options]
    width = max(len(left) for left, _ in rows)
    return [f"  {left:<{width}}  {text}" for left, text in rows]


def plain(command: Command, arguments: Arguments) -> list[str] | None:
    """What is answered in the same way by everyone, whatever state the server is in; None: not so."""
    match command.name:
        case "help":
            return help_lines(arguments)
        case "version":
            return [f"smartlic mock {importlib.metadata.version('smartlic')}"]
        case "exit":
            return []
        case _:
            return None


def completions(before: str) -> list[str]:
    """The words that the last one of a line, not finished yet, may become."""
    words = before.split()
    if not before or before[-1].isspace():
        words.append("")
    *done, begun = words or [""]
    if not done or done == ["help"]:
        known = [*COMMANDS]
    else:
        command = COMMANDS.get(done[0])
        known = [option for option, _ in command.options if option not in done] if command else []
    return [word for word in known if word.startswith(begun)]
