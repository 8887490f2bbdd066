"""Runs where the public parsers are installed: texts of `show license` in, what each parser reads out.

Standard input: {state: {command: text}}; standard output: {state: {parser: {"read": …} or {"refused": why}}}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

GENIE = {
    "status": "ShowLicenseStatus",
    "summary": "ShowLicenseSummary",
    "usage": "ShowLicenseUsage",
    "all": "ShowLicenseAll",
    "udi": "ShowLicenseUdi",
    "tech support": "ShowLicenseTechSupport",
    "history message": "ShowLicenseHistoryMessage",
    "eventlog": "ShowLicenseEventlog2",
    "rum id all": "ShowLicenseRumIdAll",
}
NTC = {"ntc ios status": ("cisco_ios", "status"), "ntc asa all": ("cisco_asa", "all")}


def _attempt(reading: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"read": reading()}
    except Exception as error:  # noqa: BLE001 - whatever a parser raises, it has refused the text
        return {"refused": f"{type(error).__name__}: {error}"}


def main() -> None:
    parsers = import_module("genie.libs.parser.iosxe.show_license")
    parse_output = import_module("ntc_templates.parse").parse_output
    device = SimpleNamespace(os="iosxe", custom={})
    read: dict[str, dict[str, Any]] = {}
    for state, texts in json.load(sys.stdin).items():
        answers = read[state] = {}
        for command, name in GENIE.items():
            parser, text = getattr(parsers, name)(device=device), texts[command]
            answers[f"genie {command}"] = _attempt(lambda p=parser, t=text: p.parse(output=t))  # type: ignore[misc]
        for name, (platform, command) in NTC.items():
            given = {"platform": platform, "command": f"show license {command}", "data": texts[command]}
            answers[name] = _attempt(lambda g=given: parse_output(**g))  # type: ignore[misc]
    json.dump(read, sys.stdout)


if __name__ == "__main__":
    main()
