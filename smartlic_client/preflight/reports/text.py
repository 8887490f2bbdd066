"""For a person: the targets that need something first to see, each mend once at the end."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from smartlic_client.names import judge
from smartlic_client.preflight.catalogue import Finding, Severity
from smartlic_client.preflight.observation import Endpoint
from smartlic_client.preflight.reports.words import count, printable, summary

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Result, Run

__all__ = ["report"]

_WIDTH = 100
_MARKS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "info"}


def report(run: Run) -> str:
    lines: list[str] = []
    for result in run.results:
        lines += _target(result, run)
    lines += _mends([finding for result in run.results for finding in result.findings])
    return "\n".join([*lines, summary(run)]) + "\n"


def _target(result: Result, run: Run) -> list[str]:
    target = result.target
    name = f"  ({printable(target.name)})" if target.name else ""
    worst = result.findings[0].severity if result.findings else Severity.INFORMATION
    mark = {Severity.ERROR: "FAIL", Severity.WARNING: "warn", Severity.INFORMATION: "ok  "}[worst]
    lines = [f"{mark}  {printable(target.label)}{name}"]
    if (endpoint := result.observation.answered) is not None:
        lines += [f"      {printable(line)}" for line in _facts(result, endpoint, run)]
    for finding in result.findings:
        lines += _finding(finding)
    return lines if len(lines) == 1 else [*lines, ""]


def _facts(result: Result, endpoint: Endpoint, run: Run) -> list[str]:
    """The certificate in a line, and in another what each policy says of the host."""
    leaf = endpoint.chain[0]
    parts = [endpoint.where] if not result.target.file else []
    parts += [endpoint.tls.replace("TLSv", "TLS ")] if endpoint.tls else []
    parts += [", ".join(leaf.names.seen[:6]) or "no name"]
    parts += [f"until {leaf.not_after:%Y-%m-%d}"] if leaf.not_after else []
    host = run.expected_name or result.target.host
    if host is None:
        return [" | ".join(parts)]
    said = [f"{each.policy.value} {'yes' if each.holds else 'NO'}" for each in judge(host, leaf.names)]
    return [" | ".join(parts), f"{host.text} by policy: {', '.join(said)}"]


def _finding(finding: Finding) -> list[str]:
    at = f" [{printable(finding.at)}]" if finding.at else ""
    lines = [f"      {_MARKS[finding.severity]:8}{finding.id}{at}"]
    lines += _wrapped(printable(finding.seen), " " * 14)
    if finding.severity is not Severity.INFORMATION:
        lines += _wrapped(f"expected: {printable(finding.expected)}", " " * 14)
    return lines


def _mends(found: list[Finding]) -> list[str]:
    """Each mend once, the gravest first, with the findings that it mends."""
    mends: dict[str, list[Finding]] = {}
    for finding in sorted(found, key=lambda finding: finding.severity.rank):
        if finding.severity is not Severity.INFORMATION:
            mends.setdefault(finding.mend, []).append(finding)
    if not mends:
        return []
    lines = ["What to do"]
    for number, (mend, mended) in enumerate(mends.items(), 1):
        ids = ", ".join(dict.fromkeys(finding.id for finding in mended))
        targets = len({finding.target for finding in mended})
        of = f" ({count(targets, 'target')})" if targets > 1 else ""
        lines.append(f"{number:3}. {ids}{of}")
        lines += _wrapped(printable(mend), " " * 5)
    return [*lines, ""]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
