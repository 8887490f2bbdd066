"""`smartlic-mock instances`."""

from __future__ import annotations

import click

from mock_server.cli.common import ask, page, page_options, rows_of, table
from mock_server.domain.state import Mode
from smartlic_client.cli.output import emit


@click.command("instances")
@page_options
@click.pass_context
def command(context: click.Context, limit: int, offset: int) -> None:
    """The product instances and the licenses that each uses."""
    found = ask(context, "instance.list", limit=limit, offset=offset)
    rows = rows_of(found["instances"], "name", "product_type", "last_contact", "virtual_account")
    headers = ["Name", "Product type", "Last contact", "Virtual account"]
    policies = any(instance["mode"] == Mode.POLICY for instance in found["instances"])
    if policies:  # who has registered devices only need not read these columns
        headers += ["Mode", "Last report"]
    headers += ["Alerts", "Licenses"]
    for row, instance in zip(rows, found["instances"], strict=True):
        if policies:
            row += [instance["mode"], instance["last_report"] or "-"]
        row.append(", ".join(instance["alerts"]))
        row.append(", ".join(f"{used['license']} {used['count']}" for used in instance["licenses"]))
    emit(found, page(found, rows, offset, table(headers, rows, "No product instance is registered.")))
