"""One report of a run of benchmarks: as text, as data, and as a page that stands by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from benchmarks.figures import Figure
from benchmarks.machine import Machine
from smartlic_client.fleet.charts import library, svg

__all__ = ["Part", "Report", "page", "text"]

_GREEN, _RED = "#2f7d4f", "#b3372b"


@dataclass(frozen=True)
class Part:
    """What one module of benchmarks measured. `notes`: what it told besides, shown and not judged.

    `failure`: why it ended before its end; `skipped`: why it was not begun. Both are empty as a rule.
    """

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Report:
    """`began`: in UTC, for people. `interrupted`: not all parts have run."""

    machine: Machine
    began: str
    parts: list[Part]
    interrupted: bool = False

    @property
    def figures(self) -> list[Figure]:
        return [figure for part in self.parts for figure in part.figures]

    @property
    def ok(self) -> bool:
        return all(figure.ok for figure in self.figures) and not any(part.failure for part in self.parts)

    def verdict(self) -> str:
        """All of it in a sentence."""
        marks = [figure.mark for figure in self.figures]
        judged = len(marks) - marks.count("shown")
        words = [f"{marks.count('ok')} of {judged} figures within their limits"]
        words += [f"{marks.count('OVER')} over"] if "OVER" in marks else []
        words += [f"{marks.count('shown')} shown and not judged"] if "shown" in marks else []
        for what, parts in (
            ("failed", [part.name for part in self.parts if part.failure]),
            ("skipped", [part.name for part in self.parts if part.skipped]),
        ):
            words += [f"{what}: {', '.join(parts)}"] if parts else []
        return "; ".join(words) + ("; interrupted before the end." if self.interrupted else ".")

    def data(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "began": self.began,
            "machine": msgspec.to_builtins(self.machine),
            "ok": self.ok,
            "interrupted": self.interrupted,
            "verdict": self.verdict(),
            "parts": [
                {
                    "name": part.name,
                    "title": part.title,
                    "seconds": round(part.seconds, 1),
                    "failure": part.failure or None,
                    "skipped": part.skipped or None,
                    "figures": [figure.as_dict() for figure in part.figures],
                    "notes": part.notes,
                }
                for part in self.parts
            ],
        }


def text(report: Report) -> str:
    lines = [f"{word + ':':<19}{what}" for word, what in report.machine.lines()]
    for part in report.parts:
        lines += ["", f"{part.title} ({part.name}, {part.seconds:.0f} s)"]
        lines += [f"  {figure.line()}" for figure in part.figures]
        lines += [f"  shown {note}" for note in part.notes]
        lines += [f"  FAILED: {part.failure}"] if part.failure else []
        lines += [f"  skipped: {part.skipped}"] if part.skipped else []
    return "\n".join([*lines, "", report.verdict()])


def page(report: Report) -> str:
    """HTML with all figures, a bar for each against its limit, and their samples."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(bar=_bar, samples=_samples)
    return environment.get_template("report.html.j2").render(report=report, overview=_overview(report))


def _overview(report: Report) -> str:
    """A chart of what each judged figure takes of its limit, the nearest to it first; "" without any."""
    judged = [(_share(figure), figure) for figure in report.figures if figure.limit is not None]
    if not judged:
        return ""
    judged.sort(key=lambda one: -one[0])
    pygal, style = library()
    chart = pygal.HorizontalBar(
        style=style,
        height=90 + 24 * len(judged),
        width=960,
        title="Each figure as a share of its limit",
        x_title="% of the limit, at most 200 are drawn",
        range=(0, min(max(200.0 * (judged[0][0] > 1), 100.0), 200.0)),
        show_legend=False,
        truncate_label=60,
        js=[],
        value_formatter=lambda value: f"{value:.0f} %",
    )
    # pygal draws the first value lowest.
    judged.reverse()
    chart.x_labels = [figure.name for _, figure in judged]
    chart.add(
        "of its limit",
        [
            {"value": min(100 * share, 200.0), "color": _GREEN if figure.ok else _RED}
            for share, figure in judged
        ],
    )
    return svg(chart)


def _share(figure: Figure) -> float:
    return figure.ratio / figure.limit if figure.limit else 0.0


def _bar(figure: Figure) -> dict[str, Any]:
    """Where a figure's bar ends and its limit stands, of 100, in a picture that holds both."""
    limit = figure.limit or 0.0
    whole = max(figure.ratio, limit, 1e-9) * 1.05
    return {
        "ratio": round(100 * figure.ratio / whole, 1),
        "limit": round(100 * limit / whole, 1) if figure.limit else None,
    }


def _samples(figure: Figure) -> str:
    """A small line of the figure's samples; "" where it has too few for one."""
    if len(figure.samples) < 3:
        return ""
    pygal, style = library()
    chart = pygal.Line(style=style, js=[])
    chart.add(figure.unit, list(figure.samples)[:400])
    return svg(chart, width=160, height=34, sparkline=True)
