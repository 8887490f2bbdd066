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

    def title(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def step(self, played: Played) -> None:
        mark = Text(" ok  " if played.ok else "WRONG", style="green" if played.ok else "bold red")
        self.console.print(Text(f"{played.id:<6}"), mark, Text(played.title))
        if played.done:
            self.console.print(Text(f"             did      {played.done}", style="dim"))
        self.console.print(Text(f"             checked  {_words(played.observed)}", style="dim"))
        if not played.ok:
            self.console.print(Text(f"             expected {_words(played.expected)}", style="red"))

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


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def write_steps(path: Path, scenario: str, played: Sequence[Played]) -> None:
    """id, done, observed, expected and ok of each step."""
    data = {
        "scenario": scenario,
        "ok": bool(played) and all(step.ok for step in played),
        "steps": [step.as_dict() for step in played],
    }
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
