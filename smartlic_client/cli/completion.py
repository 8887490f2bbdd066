"""`smartlic completion bash|zsh|fish`."""

from __future__ import annotations

import click

from smartlic_client.cli.output import emit

_EPILOG = """\b
  bash   smartlic completion bash > ~/.local/share/bash-completion/completions/smartlic
  zsh    smartlic completion zsh > "${fpath[1]}/_smartlic"
  fish   smartlic completion fish > ~/.config/fish/completions/smartlic.fish"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes `smartlic` in a shell; put it where the shell looks for it."""
    from click.shell_completion import get_completion_class

    from smartlic_client.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise RuntimeError(f"click completes no {shell}")
    made = kind(cli, {}, "smartlic", "_SMARTLIC_COMPLETE")
    # Not `source`, which asks the bash of this machine for its version.
    script = made.source_template % made.source_vars()
    emit({"shell": shell, "script": script}, script)
