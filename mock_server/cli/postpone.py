"""`smartlic-mock postpone`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask
from smartlic_client.cli.output import emit


@click.command("postpone")
@click.argument("count", type=click.IntRange(0, 1_000_000), required=False)
@click.option("--seconds", type=click.IntRange(0, 86400), default=30, show_default=True, help="To wait.")
@click.pass_context
def command(context: click.Context, count: int | None, seconds: int) -> None:
    """Answer the next COUNT messages of devices OK_POLL: taken, and the answer comes when it is asked for.

    0 ends it; without COUNT it says how many are left. For tests of clients: real servers do so under load.
    It is of the server that is Active now, and ends with a failover; what was postponed can be asked for of
    either server.
    """
    done = (
        ask(context, "answers.show")
        if count is None
        else ask(context, "answers.postpone", next=count, seconds=seconds)
    )
    left = done["postpone_next"]
    text = f"The next {left} answers are postponed by {done['seconds']} s" if left else "Nothing is postponed"
    emit(done, text)
