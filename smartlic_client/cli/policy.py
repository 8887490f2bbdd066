"""`smartlic policy`."""

from __future__ import annotations

import click
import msgspec

from smartlic_client.cli.common import opened
from smartlic_client.cli.output import emit


@click.command("policy")
@click.option("--interval", type=int, default=30, show_default=True, metavar="DAYS", help="1 to 365.")
@click.pass_context
def command(context: click.Context, interval: int) -> None:
    """Report usage by a policy instead of registering (Smart Licensing Using Policy).

    Reports are closed every so many days. A trust code lets them be sent: `smartlic trust idtoken`.
    """
    with opened(context) as device:
        device.use_policy(interval)
        usage = device.record.usage
    if usage is None:
        raise RuntimeError("usage is not measured")
    emit(
        {"policy": msgspec.to_builtins(usage.policy), "interval_days": usage.interval_days},
        f"Uses policy {usage.policy.name}, reports every {usage.interval_days} days",
    )
