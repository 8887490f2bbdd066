"""`smartlic-mock instances`."""

from __future__ import annotations

import click

from mock_server.cli import elsewhere
from mock_server.cli.common import ask, page, page_options, rows_of, table
from mock_server.cli.elsewhere import elsewhere_options
from mock_server.domain.state import Mode
from smartlic_client.cli.output import emit


@click.command("instances")
@page_options
@elsewhere_options
@click.pass_context
def command(context: click.Context, /, limit: int, offset: int, **given: str | None) -> None:
    """The product instances and the licenses that each uses."""
    found = elsewhere.instances(given, limit, offset)
    told = found is None
    if found is None:
        found = ask(context, "instance.list", limit=limit, offset=offset)
    rows = rows_of(found["instances"], "name", "product_type", "last_contact", "virtual_account")
    headers = ["Name", "Product type", "Last contact", "Virtual account"]
    policies = any(instance.get("mode") == Mode.POLICY for instance in found["instances"])
    if policies:  # who has registered devices only need not read these columns
        headers += ["Mode", "Last report"]
    headers += ["Alerts", "Licenses"] if told else ["Licenses"]
    for row, instance in zip(rows, found["instances"], strict=True):
        if policies:
            row += [instance["mode"], instance["last_report"] or "-"]
        if told:  # the REST API has no alerts of an instance
            row.append(", ".join(instance["alerts"]))
        row.append(", ".join(f"{used['license']} {used['count']}" for used in instance["licenses"]))
    emit(found, page(found, rows, offset, table(headers, rows, "No product instance is registered.")))
