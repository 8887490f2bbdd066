"""A run as text, JSON, JUnit XML, SARIF or one line. Each report is pure: `report(run) -> str`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Run

__all__ = ["FORMATS", "render"]

FORMATS = ("text", "json", "junit", "sarif", "summary")


def render(form: str, run: Run) -> str:
    """The report in one of the `FORMATS`; only its module is imported."""
    text: str = import_module(f"{__name__}.{form}").report(run)
    return text
