"""One line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartlic_client.preflight.reports.words import summary

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Run

__all__ = ["report"]


def report(run: Run) -> str:
    return summary(run) + "\n"
