"""How a play looks: Rich on a terminal, plain text elsewhere. And `steps.json`, for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mock_server.demo.play import Played
from mock_server.demo.stage import Stage

__all__ = ["Screen", "write_steps"]


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

    def servers(self, status: dict[str, Any]) -> None:
        table = Table(title="Both servers", title_justify="left", title_style="")
        table.add_column("")
        for name in status["servers"]:
            table.add_column(name.capitalize())
        for field in ("address", "role", "cluster", "database"):
            table.add_row(field, *(str(server[field]) for server in status["servers"].values()))
        holder = status["vip"]["holder"]
        table.add_row("VIP", *(status["vip"]["host"] if name == holder else "" for name in status["servers"]))
        self.console.print(table)
        self.console.print(f"Heartbeat: {status['heartbeat']}")

    def instances(self, stage: Stage) -> None:
        table = Table(title="Product Instances", title_justify="left", title_style="")
        for header in ("Name", "Product type", "Last contact", "Licenses"):
            table.add_column(header)
        for name, found in stage.instances().items():
            used = ", ".join(f"{entry['license']}: {entry['count']}" for entry in found["licenses"])
            table.add_row(name, found["product_type"], found["last_contact"], used)
        self.console.print(table)

    def say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=True)


def words(value: Any) -> str:
    """An observation as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        inner = (
            f"{key} ({words(item)})" if isinstance(item, dict) else f"{key}: {words(item)}"
            for key, item in value.items()
        )
        return ", ".join(inner) or "nothing"
    if isinstance(value, (list, tuple)):
        return ", ".join(words(item) for item in value) or "nothing"
    return str(value)


def write_steps(path: Path, scenario: str, played: Sequence[Played]) -> None:
    """id, done, observed, expected and ok of each step."""
    data = {
        "scenario": scenario,
        "ok": bool(played) and all(step.ok for step in played),
        "steps": [step.as_dict() for step in played],
    }
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
