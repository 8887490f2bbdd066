"""How the command lines speak: text or JSON, errors included, and what they exit with."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import Any, NoReturn

import click

from smartlic_client.cli.lazy import NoVerbError
from smartlic_client.errors import CallerError, SmartlicError, problem

__all__ = ["complain", "emit", "note", "printable", "run", "say", "wants_json"]

USAGE = 64
DEFECT = 70
INTERRUPTED = 130

OUTPUT_FAILED = problem(
    "output-failed",
    CallerError,
    "It was done, but the result cannot be written: {why}.",
    "Make room where the output goes, and ask again: what was done is kept.",
)


def wants_json() -> bool:
    context = click.get_current_context(silent=True)
    if context is not None:
        return context.find_root().meta.get("smartlic.format") == "json"
    # The command line could not be read: look at it as it is.
    words = sys.argv[1:]
    return "--format=json" in words or any(pair == ("--format", "json") for pair in pairwise(words))


def emit(data: dict[str, Any], text: str) -> None:
    """The result on standard output: `data` with `ok: true` as JSON, or `text`."""
    if wants_json():
        _json({"ok": True, **data})
    elif text:
        say(text.rstrip("\n"))


def say(text: str) -> None:
    """A line, or lines, on standard output."""
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OUTPUT_FAILED(why=error.strerror) from None


def note(text: str) -> None:
    """A remark for a person, on standard error."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """The text with all that a terminal would act on, instead of showing it, as an escape such as \\x1b."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _json(data: dict[str, Any]) -> None:
    import msgspec

    say(msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2).decode())


def run(group: click.Group, program: str) -> NoReturn:
    """Run a command line and exit. Nothing that can happen in the field shows a traceback."""
    completing = f"_{program.replace('-', '_').upper()}_COMPLETE"
    code = _complete(group, program, completing) if os.environ.get(completing) else _run(group, program)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by the caller: `>&-`
                stream.flush()
    except OSError:
        _mute()
    sys.exit(code)


def _complete(group: click.Group, program: str, variable: str) -> int:
    """What a shell asks for: its script, or what can follow the words that it has."""
    from click.shell_completion import shell_complete

    return shell_complete(group, {}, program, variable, os.environ[variable])


def _run(group: click.Group, program: str) -> int:
    json_output = False
    try:
        with group.make_context(program, sys.argv[1:]) as context:
            try:
                group.invoke(context)
            finally:
                json_output = wants_json()
    except SmartlicError as error:
        return complain(error.as_dict(), error.exit_code, json_output)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        if isinstance(error, NoVerbError) and not wants_json():
            return _help(error)
        where = error.ctx.command_path if error.ctx else program
        mend = f"See `{where} --help`."
        wrong = {"code": "usage", "sentence": error.format_message(), "mend": mend, "context": {}}
        return complain(wrong, USAGE, wants_json())
    except (click.Abort, KeyboardInterrupt):
        mend = "Call it again: what was under way is kept, and goes on."
        stopped = {"code": "interrupted", "sentence": "Interrupted.", "mend": mend, "context": {}}
        return complain(stopped, INTERRUPTED, json_output or wants_json())
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing is wrong, and nothing can be said.
        _mute()
        return 0
    except Exception as error:
        if os.environ.get("SMARTLIC_DEBUG"):
            raise
        mend = "Please report it. SMARTLIC_DEBUG=1 shows where it happened."
        sentence = f"A defect of this program: {type(error).__name__}."
        defect = {"code": "defect", "sentence": sentence, "mend": mend, "context": {}}
        return complain(defect, DEFECT, json_output)
    return 0


def _help(error: NoVerbError) -> int:
    """No verb was given: what there is, but not as a result."""
    try:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
    except OSError:
        _mute()
    return USAGE


def complain(error: dict[str, Any], exit_code: int, json_output: bool) -> int:
    """An error (`SmartlicError.as_dict`), as all are shown; its exit code."""
    try:
        if json_output:
            _json({"ok": False, "error": error, "exit_code": exit_code})
        else:
            click.echo(f"error: {printable(error['sentence'])} [{error['code']}]", err=True)
            click.echo(f"  what to do: {printable(error['mend'])}", err=True)
    except (OSError, SmartlicError):  # nobody reads it any more, or the disk is full: the exit code says it
        _mute()
    return exit_code


def _mute() -> None:
    """Drop what could not be written, or Python's own last flush would complain about it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
