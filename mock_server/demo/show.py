"""How a play looks: Rich on a terminal, plain text elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mock_server.demo.play import Played, Shown
from mock_server.demo.stage import Stage

__all__ = ["Screen", "words"]


class Screen:
    """Prints steps as they are played, and the tables at the scenes that show them."""

    def __init__(self, *, quiet: bool = False) -> None:
        # Neither markup nor highlighting: what is printed is data.
        self.console = Console(highlight=False, markup=False, quiet=quiet)
        if not self.console.is_terminal:
            self.console.width = 120

    def title(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def step(self, played: Played) -> None:
        mark = Text("ok", style="green") if played.ok else Text("WRONG", style="bold red")
        lines = Table.grid(padding=(0, 2))
        lines.add_column(min_width=5, no_wrap=True)
        lines.add_column(min_width=7, no_wrap=True)
        lines.add_column(overflow="fold")
        lines.add_row(played.id, mark, Text(played.title, style="bold"))
        if played.done:
            lines.add_row("", Text("did", style="dim"), played.done)
        lines.add_row("", Text("checked", style="dim"), words(played.observed))
        if not played.ok:
            lines.add_row("", Text("wanted", style="red"), words(played.expected))
        self.console.print(lines)

    def table(self, shown: Shown, stage: Stage) -> None:
        """The table that a step shows after it; none for ""."""
        if shown:
            {"servers": self._servers, "accounts": self._accounts, "instances": self._instances}[shown](stage)

    def _servers(self, stage: Stage) -> None:
        status = stage.status()
        table = _titled("Both servers", "", *(name.capitalize() for name in status["servers"]))
        for field in ("address", "role", "cluster", "database"):
            table.add_row(field, *(str(server[field]) for server in status["servers"].values()))
        holder = status["vip"]["holder"]
        table.add_row("VIP", *(status["vip"]["host"] if name == holder else "" for name in status["servers"]))
        self.console.print(table)
        self.console.print(f"Heartbeat: {status['heartbeat']}")

    def _accounts(self, stage: Stage) -> None:
        table = _titled("Accounts", "Name", "Status", "Last synchronization")
        for found in stage.accounts():
            table.add_row(found["name"], found["status"], found["last_sync"] or "never")
        self.console.print(table)

    def _instances(self, stage: Stage) -> None:
        table = _titled("Product Instances", "Name", "Product type", "Last contact", "Licenses")
        for name, found in stage.instances().items():
            used = ", ".join(f"{entry['license']}: {entry['count']}" for entry in found["licenses"])
            table.add_row(name, found["product_type"], found["last_contact"], used)
        self.console.print(table)

    def say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=True)


def _titled(title: str, *headers: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="")
    for header in headers:
        table.add_column(header)
    return table


def words(value: Any) -> str:
    """An observation as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, dict):
        inner = (
            f"{key} ({words(item)})" if isinstance(item, dict) else f"{key}: {words(item)}"
            for key, item in value.items()
        )
        return ", ".join(inner) or "nothing"
    if isinstance(value, (list, tuple)):
        return ", ".join(words(item) for item in value) or "nothing"
    return str(value)
