"""What the reports share: counts in words, times, and text that neither a terminal nor XML acts on."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from smartlic_client.preflight.catalogue import Severity

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Run

__all__ = ["count", "iso", "printable", "summary"]


def printable(text: str) -> str:
    """The text with all that is not printable as an escape such as \\x1b."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def iso(at: float) -> str:
    """A time as ISO 8601 in UTC; years that Python has not come out as seconds."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f}"


def count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def summary(run: Run) -> str:
    """One line: how many targets, how many are well, and which errors there are."""
    well = sum(result.well for result in run.results)
    found = [finding for result in run.results for finding in result.findings]
    errors = Counter(finding.id for finding in found if finding.severity is Severity.ERROR)
    warnings = sum(finding.severity is Severity.WARNING for finding in found)
    parts = [f"{count(len(run.results), 'target')}: {well} well, {len(run.results) - well} with errors"]
    if errors:
        parts.append(", ".join(f"{name} {number}" for name, number in errors.most_common()))
    parts.append(count(warnings, "warning"))
    return "; ".join(parts)
