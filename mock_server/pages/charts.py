"""Charts as SVG documents of their own, by pygal. They are shown as images, with a table beside them."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from mock_server.domain.history import Point
from mock_server.pages.live import Lag

__all__ = ["CSP", "Stay", "lag", "roles", "use"]

CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""pygal writes its style into the document; nothing else is in it, and an image runs no script."""
_BLUE, _ORANGE, _GREY = "#3b82c4", "#c2680a", "#7a828c"
_DARK: Final = (
    "inline: @media (prefers-color-scheme: dark) { {{ id }} text, {{ id }}.axis .guides "
    "{ fill: #c8ced6 !important } }"
)

Stay = tuple[float, float, str]
"""From, to (Unix seconds), and which server was Active."""


def use(points: Sequence[Point]) -> bytes:
    """In use against purchased: each holds until the next point."""
    chart = _chart("In use and purchased over time", include_x_axis=False)
    chart.y_labels = _ticks(max(max(one.purchased, one.in_use) for one in points))
    chart.add("Purchased", _steps([(one.at, one.purchased) for one in points]))
    chart.add("In use", _steps([(one.at, one.in_use) for one in points]), fill=True)
    return _svg(chart)


def lag(samples: Sequence[Lag]) -> bytes:
    """Changes that the Standby lacks; a gap where there was none."""
    chart = _chart("Replication lag over time, in changes")
    chart.y_labels = _ticks(max((one.behind or 0 for one in samples), default=0))
    chart.add("Changes behind", [(_when(one.at), one.behind) for one in samples if one.behind is not None])
    return _svg(chart)


def roles(stays: Sequence[Stay]) -> bytes:
    """Which server was Active, over time."""
    chart = _chart("Which server was Active over time", range=(0, 3))
    chart.y_labels = [{"label": "Secondary", "value": 1}, {"label": "Primary", "value": 2}]
    chart.show_legend = False
    line: list[tuple[Any, int | None]] = []
    for begin, end, who in stays:
        level = 2 if who == "primary" else 1
        line += [(_when(begin), level), (_when(end), level)]
    chart.add("Active", line)
    return _svg(chart)


def _ticks(highest: int) -> list[int]:
    """Whole numbers from 0 to `highest` or a little above, some five of them, in steps of 1, 2 or 5."""
    step, tens = 1, 1
    while step * 5 < highest:
        step, tens = next(
            (factor * tens, tens) if factor < 10 else (10 * tens, 10 * tens)
            for factor in (1, 2, 5, 10)
            if factor * tens > step
        )
    return list(range(0, max(highest, 1) + step, step))


def _steps(points: Sequence[tuple[float, int]]) -> list[tuple[datetime.datetime, int]]:
    steps: list[tuple[datetime.datetime, int]] = []
    for at, value in points:
        if steps:
            steps.append((_when(at), steps[-1][1]))
        steps.append((_when(at), value))
    return steps


def _when(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


@cache
def _pygal() -> tuple[Any, Any]:
    """The library and its class of styles, loaded when a chart is asked for.

    It puts a finder of an older form into Python's list, for plug-ins that nobody has here; later imports
    would warn of it (ImportWarning).
    """
    import pygal
    from pygal.style import Style

    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, pygal.PluginImportFixer)]
    return pygal, Style


def _chart(title: str, **options: Any) -> Any:
    pygal, Style = _pygal()
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=_GREY,
        foreground_strong=_GREY,
        foreground_subtle=_GREY,
        guide_stroke_color="rgba(128, 136, 146, .45)",
        major_guide_stroke_color="rgba(128, 136, 146, .45)",
        stroke_width="2",
        opacity=".18",
        opacity_hover=".3",
        colors=(_BLUE, _ORANGE),
        font_family="system-ui, sans-serif",
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=14,
        title_font_size=15,
    )
    return pygal.DateTimeLine(
        title=title,
        style=style,
        css=["file://style.css", "file://graph.css", _DARK],
        js=[],
        width=720,
        height=260,
        show_dots=False,
        legend_at_bottom=True,
        x_label_rotation=0,
        x_labels_major_count=4,
        show_minor_x_labels=False,
        margin=8,
        x_value_formatter=lambda moment: moment.strftime("%d %b %H:%M:%S"),
        value_formatter=lambda value: f"{value:g}",
        truncate_label=-1,
        no_data_text="Nothing yet",
        **options,
    )


def _without_scripts(root: Any) -> Any:
    """pygal writes its settings as a script, for its own pop-ups."""
    for script in list(root.iter("{*}script")):
        script.getparent().remove(script)
    return root


def _svg(chart: Any) -> bytes:
    chart.add_xml_filter(_without_scripts)
    made: bytes = chart.render(is_unicode=False)
    return made
