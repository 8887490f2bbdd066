"""pygal, as reports want it: pictures that are part of a page, with no script and nothing from elsewhere."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

__all__ = ["library", "svg"]


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


def _without_scripts(root: Any) -> Any:
    """pygal's settings for its own script are in each chart, also where it has none."""
    for element in [one for one in root.iter() if str(one.tag).rpartition("}")[2] == "script"]:
        parent = next(one for one in root.iter() if element in list(one))
        parent.remove(element)
    return root
