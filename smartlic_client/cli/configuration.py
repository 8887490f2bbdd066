"""Settings of the command line: from a file, from the environment, from options; the later is the stronger.

    home = "/srv/devices"            # TOML; ~/.config/smartlic/config.toml, or the file in SMARTLIC_CONFIG
    proxy = "http://proxy.example.com:3128"

What is found is put where the options put theirs, so that a verb does not see where a value came from.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from smartlic_client.errors import CallerError, problem

__all__ = ["SETTINGS", "Found", "apply", "config_path", "found", "masked", "setting"]

CONFIG_UNREADABLE = problem(
    "config-unreadable",
    CallerError,
    "The configuration in {path} cannot be read: {why}.",
    "Correct the file (TOML; `smartlic config --help` has an example), or name another with SMARTLIC_CONFIG.",
)


class Setting(NamedTuple):
    """`kind`: the type in the file; float takes whole numbers too."""

    kind: type
    default: Any
    help: str


SETTINGS: Final[Mapping[str, Setting]] = {
    "home": Setting(str, None, "folder of all devices"),
    "device": Setting(str, None, "which device"),
    "format": Setting(str, "text", "text or json"),
    "proxy": Setting(str, None, "the proxy to the server"),
    "wait": Setting(float, 0.0, "seconds to go on trying"),
}


class Found(NamedTuple):
    """A value and where it came from: `option --NAME`, `environment NAME`, `file PATH` or `default`."""

    value: Any
    source: str


def config_path() -> Path:
    """The file that is read where it is there; one that SMARTLIC_CONFIG names has to be."""
    if given := os.environ.get("SMARTLIC_CONFIG"):
        return Path(given)
    root = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(root, "smartlic", "config.toml").expanduser()


def apply(context: click.Context) -> None:
    """Put what the file says under what options and environment said. Raises config-unreadable."""
    meta = context.find_root().meta
    if waits := os.environ.get("SMARTLIC_WAIT"):  # no option of the program itself
        meta["smartlic.wait"] = _seconds(waits)
        meta["smartlic.wait.source"] = "environment"
    path = config_path()
    for name, value in _read(path).items():
        if f"smartlic.{name}" not in meta:
            meta[f"smartlic.{name}"] = value
            meta[f"smartlic.{name}.source"] = f"file {path}"


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(text)) <= 86400:
            return seconds
    raise click.UsageError("SMARTLIC_WAIT is a number of seconds from 0 to 86400.")


def setting(name: str) -> Any:
    """The value of a setting in the command that runs, or its default."""
    context = click.get_current_context(silent=True)
    value = context.find_root().meta.get(f"smartlic.{name}") if context is not None else None
    return SETTINGS[name].default if value is None else value


def found(context: click.Context) -> dict[str, Found]:
    """All settings, each with where its value came from."""
    meta = context.find_root().meta
    return {
        name: Found(setting(name), _source(name, meta.get(f"smartlic.{name}.source"))) for name in SETTINGS
    }


def _source(name: str, kept: str | None) -> str:
    if kept is None:
        return "default"
    words = {"commandline": f"option --{name}", "environment": f"environment SMARTLIC_{name.upper()}"}
    return words.get(kept, kept)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)) and "SMARTLIC_CONFIG" not in os.environ:
            return {}
        raise CONFIG_UNREADABLE(path=str(path), why=error.strerror) from None
    import tomllib  # only where there is a file

    try:
        said = tomllib.loads(data.decode())
    except ValueError as error:
        raise CONFIG_UNREADABLE(path=str(path), why=error) from None
    return {name: _checked(path, name, value) for name, value in said.items()}


def _checked(path: Path, name: str, value: Any) -> Any:
    known = SETTINGS.get(name)
    if known is None:
        raise CONFIG_UNREADABLE(path=str(path), why=f"it knows no {name!r}, only {', '.join(SETTINGS)}")
    if known.kind is float and type(value) in (int, float) and 0 <= value <= 86400:
        return float(value)
    if known.kind is not str or not isinstance(value, str):
        raise CONFIG_UNREADABLE(path=str(path), why=f"{name} is of the wrong kind or out of range")
    if name == "format" and value not in ("text", "json"):
        raise CONFIG_UNREADABLE(path=str(path), why=f"format is text or json, not {value!r}")
    return str(Path(value).expanduser()) if name == "home" else value


def masked(url: str) -> str:
    """A proxy's URL without user and password."""
    return re.sub(r"//[^/?#\s\"]*@", "//***@", url)
