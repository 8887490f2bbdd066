"""`smartlic-mock console NODE COMMAND`."""

from __future__ import annotations

import click

from mock_server.cli.common import folder_of
from mock_server.cluster.client import console
from smartlic_client.cli.output import emit, say, wants_json


@click.command("console", context_settings={"ignore_unknown_options": True})
@click.argument("node", type=click.Choice(["primary", "secondary"]))
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND")
@click.pass_context
def command(context: click.Context, node: str, words: tuple[str, ...]) -> None:
    """Run COMMAND on a server's console; `help` lists the commands, such as ha_status and ha_cluster_stop."""
    lines = []
    for line in console(folder_of(context), node, " ".join(words)):
        lines.append(line)
        if not wants_json():
            say(line)
    emit({"node": node, "lines": lines}, "")
