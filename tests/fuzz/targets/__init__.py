"""All that is fuzzed, by name. A target's module is loaded when it is asked for: each process has one."""

from __future__ import annotations

from importlib import import_module

from tests.fuzz.target import Target

__all__ = ["MODULES", "NAMES", "target"]

MODULES = {
    "messages": "messages",
    "call-home": "messages",
    "answers": "answers",
    "rest": "rest",
    "pages": "pages",
    "rest-answers": "onprem",
    "certificates": "certificates",
    "names": "names",
    "lines": "lines",
    "usage-files": "usage",
    "acknowledgements": "usage",
    "sync-files": "synchronization",
    "inventories": "inventories",
    "device-store": "stores",
    "fleet-store": "stores",
    "journal": "journals",
    "changes": "journals",
    "folders": "folders",
    "wire": "wire",
    "planted": "planted",
}
NAMES = tuple(name for name in MODULES if name != "planted")
"""Those that read what the project reads; the other one shows that what is there is found."""


def target(name: str) -> Target:
    targets: tuple[Target, ...] = import_module(f"tests.fuzz.targets.{MODULES[name]}").TARGETS
    return next(one for one in targets if one.name == name)
