"""JSON, for programs and for --compare-with (`document` has the form)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from smartlic_client.preflight.reports.document import build

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Run

__all__ = ["report"]


def report(run: Run) -> str:
    return msgspec.json.format(msgspec.json.encode(build(run)), indent=2).decode() + "\n"
