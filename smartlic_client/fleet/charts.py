"""pygal, as reports want it: pictures that are part of a page, with no script and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

__all__ = ["bars", "document", "library", "lines", "svg"]

_HEIGHT = 300


@cache
def library() -> tuple[Any, Any]:
    """pygal and a style. It hangs a finder of modules into Python that Python 3.12 has no use for, and 3.11
    warns of at each later import; nothing here needs it."""
    import pygal
    from pygal.style import CleanStyle

    sys.meta_path[:] = [one for one in sys.meta_path if type(one).__name__ != "PluginImportFixer"]
    return pygal, CleanStyle


def svg(chart: Any, *, sparkline: bool = False, **size: Any) -> str:
    """The picture as part of a page. `sparkline`: only its line, of the `width` and `height` given."""
    chart.add_xml_filter(_without_scripts)
    if sparkline:
        return str(chart.render_sparkline(is_unicode=True, disable_xml_declaration=True, **size))
    return str(chart.render(is_unicode=True, disable_xml_declaration=True, **size))


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], *, x_title: str, unit: str) -> str:
    """An SVG of points that are joined, for each name of `series`."""
    pygal, style = library()
    drawn = pygal.XY(
        style=style,
        height=_HEIGHT,
        stroke=True,
        show_dots=False,
        title=title,
        x_title=x_title,
        y_title=unit,
        include_x_axis=True,
        range=None,
        js=[],
    )
    return _filled(title, drawn, series)


def bars(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], *, unit: str) -> str:
    """An SVG with a bar over each label, for each name of `series`."""
    pygal, style = library()
    drawn = pygal.Bar(style=style, height=_HEIGHT, title=title, y_title=unit, js=[])
    drawn.x_labels = labels
    return _filled(title, drawn, series)


def document(title: str, about: str, text: str, charts: Iterable[str]) -> str:
    return _PAGE.format(
        title=escape(title),
        about=escape(about),
        text=escape(text),
        charts="".join(f"<figure>{one}</figure>" for one in charts),
    )


def _filled(title: str, drawn: Any, series: Mapping[str, Sequence[Any]]) -> str:
    # Its style is bound to its id; pygal draws one by chance, and the same figures are to give the same page.
    drawn.uuid = hashlib.sha256(title.encode()).hexdigest()[:16]
    for name, values in series.items():
        drawn.add(name, list(values))
    return svg(drawn)


def _without_scripts(root: Any) -> Any:
    """pygal's settings for its own script are in each chart, also where it has none."""
    for element in [one for one in root.iter() if str(one.tag).rpartition("}")[2] == "script"]:
        parent = next(one for one in root.iter() if element in list(one))
        parent.remove(element)
    return root


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
 figure {{ margin: 1rem 0 }} figure svg {{ width: 100%; height: auto }}
 p {{ overflow-wrap: anywhere }}
 pre {{ overflow-x: auto; white-space: pre-wrap; border: 1px solid; padding: 1rem }}
</style></head><body><main>
<h1>{title}</h1>
<p>{about}</p>
<pre tabindex="0">{text}</pre>
{charts}
<p>Simulated devices against a mock for tests: no real product was authorized, and there is no affiliation
with Cisco.</p>
</main></body></html>
"""
