"""SARIF 2.1.0, for code scanning dashboards (OASIS, sections 3.14, 3.27, 3.49)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from smartlic_client import __version__
from smartlic_client.preflight.catalogue import CATALOGUE, Entry, Finding, Severity
from smartlic_client.preflight.reports.words import iso

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Run

__all__ = ["report"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def report(run: Run) -> str:
    found = [finding for result in run.results for finding in result.findings]
    ids = list(dict.fromkeys(finding.id for finding in found))
    data = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "smartlic check",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": [_rule(CATALOGUE[each]) for each in ids],
                    }
                },
                "invocations": [{"executionSuccessful": True, "startTimeUtc": iso(run.at)}],
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, ids.index(finding.id)) for finding in found],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n"


def _rule(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "shortDescription": {"text": entry.title + "."},
        "fullDescription": {"text": f"Expected: {entry.expected}."},
        "help": {"text": f"{entry.mend} ({entry.reference})"},
        "defaultConfiguration": {"level": _LEVELS[entry.severity]},
        "properties": {"family": entry.family},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": quote(finding.target, safe=":/[]@!$&'()*+,;=-._~%")}}
    }
    if finding.at:
        place["logicalLocations"] = [{"name": finding.at, "kind": "resource"}]
    digest = hashlib.sha256("\0".join((finding.id, finding.target, finding.at or "")).encode()).hexdigest()
    return {
        "ruleId": finding.id,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.seen} What to do: {finding.mend}"},
        "locations": [place],
        "partialFingerprints": {"smartlic/v1": digest},
        "properties": {"expected": finding.expected, "mend": finding.mend, "reference": finding.reference},
    }
