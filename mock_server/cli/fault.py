"""`smartlic-mock fault set|list|clear|reset|requests|node`."""

from __future__ import annotations

from typing import Any

import click

from mock_server.cli.common import ask
from mock_server.faults import ENDPOINTS, KINDS
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit

_DRILLS = ("kill", "hang", "resume", "disk-full", "disk-ok", "heartbeat-cut", "replication-cut")


@click.group("fault", cls=VerbGroup)
def command() -> None:
    """Faults on purpose, at the Active, until they are cleared or it is Active no more.

    docs/reference/faults.md says of each what clients get wrong with it.
    """


@command.command("set")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--endpoint", type=click.Choice(ENDPOINTS), default="devices", show_default=True)
@click.option("--times", type=click.IntRange(min=1), metavar="N", help="For the next N requests.")
@click.option("--rate", type=float, default=1.0, metavar="CHANCE", help="Each request with this chance.")
@click.option("--seconds", type=float, default=0.0, help="How slow (slow), or how far off (skew).")
@click.option("--status", type=int, default=503, show_default=True, help="Of status: 429, 500, 502 or 503.")
@click.option("--retry-after", type=int, metavar="SECONDS", help="Of status: the field Retry-After.")
@click.pass_context
def set_(context: click.Context, /, **fields: Any) -> None:
    """Let requests meet a fault; the same kind again replaces it."""
    _said(ask(context, "fault.set", **fields))


@command.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """What is set."""
    _said(ask(context, "fault.list"))


@command.command("clear")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.pass_context
def clear(context: click.Context, kind: str | None) -> None:
    """End one kind of fault, or all."""
    _said(ask(context, "fault.clear", kind=kind))


@command.command("reset")
@click.option("--seed", type=int, default=0, show_default=True, help="Which requests a rate meets.")
@click.pass_context
def reset(context: click.Context, seed: int) -> None:
    """No fault, an empty journal of requests, and chances from their beginning."""
    _said(ask(context, "fault.reset", seed=seed))


@command.command("requests")
@click.option("--limit", type=click.IntRange(min=-1), default=50, show_default=True)
@click.pass_context
def requests(context: click.Context, limit: int) -> None:
    """The last requests, newest first: what came, what it met, and which path may have been meant."""
    found = ask(context, "fault.requests", limit=limit)
    lines = [
        f"{one['at']}  {one['endpoint']:<8}{one['status'] or '-':>4}  {one['method']} {one['path']}"
        + (f"  {one['what']}" if one["what"] else "")
        + (f"  fault: {one['fault']}" if one["fault"] else "")
        + (f"  meant: {one['nearest']}?" if one["nearest"] else "")
        for one in found["requests"]
    ]
    emit(found, "\n".join(lines) or "No request yet.")


@command.command("node")
@click.argument("node", type=click.Choice(("primary", "secondary")))
@click.argument("kind", type=click.Choice(_DRILLS))
@click.option(
    "--seconds", type=float, default=5.0, show_default=True, help="Of heartbeat- and replication-cut."
)
@click.pass_context
def node(context: click.Context, node: str, kind: str, seconds: float) -> None:
    """What a server itself may suffer: its process killed or hung, its disk full, its connections cut."""
    ask(context, "drill", node=node, kind=kind, seconds=seconds)
    emit({"node": node, "kind": kind}, f"{node.capitalize()}: {kind}")


def _said(found: dict[str, Any]) -> None:
    lines = []
    for one in found["faults"]:
        how = f"the next {one['times']}" if one["times"] else "all"
        if one["rate"] < 1:
            how += f", with a chance of {one['rate']:g}"
        more = f", {one['seconds']:g} s" if one["seconds"] else ""
        if one["kind"] == "status":
            more += f", {one['status']}"
        lines.append(f"{one['kind']}{more}: {one['endpoint']}, {how}")
    emit(found, "\n".join(lines) or "No fault is set.")
