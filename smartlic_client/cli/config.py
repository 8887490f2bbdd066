"""`smartlic config`."""

from __future__ import annotations

import click

from smartlic_client.cli.common import home_of
from smartlic_client.cli.configuration import SETTINGS, config_path, found, masked
from smartlic_client.cli.output import emit, printable

_EPILOG = """\b
The file is ~/.config/smartlic/config.toml, or the one that SMARTLIC_CONFIG names:
  home = "/srv/devices"
  device = "pi37"
  format = "json"
  wait = 60
  proxy = "http://USER:PASSWORD@proxy.example.com:3128"

\b
The environment is stronger than the file: SMARTLIC_HOME, SMARTLIC_DEVICE, SMARTLIC_FORMAT,
SMARTLIC_WAIT, SMARTLIC_PROXY. An option is stronger than both. HTTPS_PROXY is not looked at.
A proxy's password belongs into the file, which only its owner can read (chmod 600), or into the
environment: on a command line others can see it."""


@click.command("config", epilog=_EPILOG)
@click.pass_context
def command(context: click.Context) -> None:
    """Show the settings of this command line, each with where its value came from."""
    settings = found(context)
    rows = []
    for name, (given, source) in settings.items():
        value = given
        if name == "home" and value is None:
            value = str(home_of(context))
        if name == "proxy" and value is not None:
            value = masked(value)
        rows.append((name, value, source))
    path = config_path()
    lines = [f"file      {printable(str(path))}{'' if path.exists() else ' (not there)'}"]
    for name, value, source in rows:
        shown = "-" if value is None else f"{value:g}" if isinstance(value, float) else printable(str(value))
        lines.append(f"{name:9} {shown}  ({printable(source)})")
    data = {
        name: {"value": value, "source": source, "help": SETTINGS[name].help} for name, value, source in rows
    }
    emit({"file": str(path), "settings": data}, "\n".join(lines))
