"""What of an observation is right and wrong: pure functions, each next to the findings that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module

from smartlic_client.preflight.catalogue import Finding
from smartlic_client.preflight.observation import Observation
from smartlic_client.preflight.options import Options

__all__ = ["findings", "load"]

Rule = Callable[[Observation, Options], Iterator[Finding]]

_ROOMS: dict[str, tuple[tuple[str, ...], Callable[[Observation, Options], object]]] = {
    "destination": (("destination", "resolution"), lambda *_: True),
    "reach": (("reach",), lambda *_: True),
    "chain": (("chain",), lambda seen, _: seen.endpoints),
    "names": (("names",), lambda seen, _: seen.endpoints),
    "clients": (("names",), lambda seen, _: seen.endpoints),
    "cluster": (("cluster",), lambda *_: True),
    "failover": (("cluster",), lambda _, options: options.earlier),
    "service": (("service",), lambda seen, _: seen.service),
    "server": (("server",), lambda _, options: options.server and options.server.api),
    "files": (("file",), lambda seen, _: seen.target.file),
}
"""Module → the families of its findings, and where it has anything to say."""


def load() -> None:
    """Define all findings."""
    for room in _ROOMS:
        import_module(f"{__name__}.{room}")


@lru_cache(maxsize=len(_ROOMS))
def _rule(room: str) -> Rule:
    rule: Rule = import_module(f"{__name__}.{room}").find
    return rule


def findings(observation: Observation, options: Options) -> list[Finding]:
    """All that is to be said of one target, the gravest first. Pure."""
    found: dict[tuple[str, str | None], Finding] = {}
    for room, (families, has_a_say) in _ROOMS.items():
        if options.looks_for(*families) and has_a_say(observation, options):
            for finding in _rule(room)(observation, options):
                found.setdefault((finding.id, finding.at), finding)
    wanted = options.wanted
    return sorted(
        (finding for finding in found.values() if wanted is None or finding.id in wanted),
        key=lambda finding: finding.severity.rank,
    )
