"""How the command lines speak: text or JSON, errors included, and what they exit with."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import Any, NoReturn

import click

from smartlic_client.errors import SmartlicError

__all__ = ["emit", "note", "run", "wants_json"]

USAGE = 64
DEFECT = 70
INTERRUPTED = 130


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
        click.echo(text.rstrip("\n"))


def note(text: str) -> None:
    """A remark for a person, on standard error."""
    click.echo(text, err=True)


def _json(data: dict[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2))


def run(group: click.Group, program: str) -> NoReturn:
    """Run a command line and exit. Nothing that can happen in the field shows a traceback."""
    json_output = False
    try:
        with group.make_context(program, sys.argv[1:]) as context:
            try:
                group.invoke(context)
            finally:
                json_output = wants_json()
        sys.stdout.flush()
    except SmartlicError as error:
        _failed(error.as_dict(), error.exit_code, json_output)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else program
        mend = f"See `{where} --help`."
        wrong = {"code": "usage", "sentence": error.format_message(), "mend": mend, "context": {}}
        _failed(wrong, USAGE, wants_json())
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing is wrong, and nothing can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("SMARTLIC_DEBUG"):
            raise
        mend = "Please report it. SMARTLIC_DEBUG=1 shows where it happened."
        sentence = f"A defect of this program: {type(error).__name__}."
        _failed({"code": "defect", "sentence": sentence, "mend": mend, "context": {}}, DEFECT, json_output)
    sys.exit(0)


def _failed(error: dict[str, Any], exit_code: int, json_output: bool) -> NoReturn:
    if json_output:
        _json({"ok": False, "error": error, "exit_code": exit_code})
    else:
        click.echo(f"error: {error['sentence']} [{error['code']}]", err=True)
        click.echo(f"  what to do: {error['mend']}", err=True)
    sys.exit(exit_code)
