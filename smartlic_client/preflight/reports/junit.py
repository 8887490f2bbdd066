"""JUnit XML for CI: a test case a target; an error fails it, warnings and information are its output."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from smartlic_client.preflight.catalogue import Finding, Severity
from smartlic_client.preflight.reports.words import iso, printable

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Result, Run

__all__ = ["report"]


def report(run: Run) -> str:
    failed = sum(not result.well for result in run.results)
    counts = f'tests="{len(run.results)}" failures="{failed}" errors="0"'
    when = f'time="{_seconds(run.seconds)}" timestamp="{iso(run.at)[:19]}"'
    suite = f'name="smartlic check" {counts} skipped="0" {when}'
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f"<testsuites {counts}>", f"  <testsuite {suite}>"]
    for result in run.results:
        lines += _case(result)
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _case(result: Result) -> list[str]:
    name = quoteattr(printable(result.target.name or result.target.label))
    time = _seconds(result.observation.seconds)
    errors = [finding for finding in result.findings if finding.severity is Severity.ERROR]
    others = [finding for finding in result.findings if finding.severity is not Severity.ERROR]
    lines = [f'    <testcase classname="smartlic.check" name={name} time="{time}">']
    for finding in errors:
        head = f"<failure type={quoteattr(finding.id)} message={quoteattr(printable(finding.seen))}>"
        lines.append(f"      {head}{_body(finding)}</failure>")
    if others:
        said = "\n".join(f"{each.severity.value}: {each.id}: {printable(each.seen)}" for each in others)
        lines.append(f"      <system-out>{escape(said)}</system-out>")
    return [*lines, "    </testcase>"]


def _body(finding: Finding) -> str:
    parts = (
        f"target: {finding.target}",
        f"seen: {finding.seen}",
        f"expected: {finding.expected}",
        f"what to do: {finding.mend}",
        f"reference: {finding.reference}",
    )
    return escape("\n".join(map(printable, parts)))


def _seconds(seconds: float) -> str:
    """As the schema wants it: no more than three digits after the point."""
    return f"{seconds:.3f}"
