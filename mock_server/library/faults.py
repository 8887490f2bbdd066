"""Faults on purpose, for whoever has a cluster in a program or a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mock_server.faults import Kind

__all__ = ["ClusterFaults"]


class ClusterFaults:
    """Faults on purpose, at the Active, until they are cleared or it is Active no more."""

    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        self._ask = ask

    def set(self, kind: Kind, **how: Any) -> None:
        """Let requests meet a fault. `how`: endpoint ("devices"), times, rate, seconds, status, retry_after.

        Raises fault-unusable. docs/reference/faults.md has the kinds.
        """
        self._ask("fault.set", kind=kind, **how)

    def clear(self, kind: Kind | None = None) -> int:
        """End one kind, or all; how many there were."""
        return int(self._ask("fault.clear", kind=kind)["cleared"])

    def reset(self, seed: int = 0) -> None:
        """No fault, an empty journal, and chances from the beginning of a seed."""
        self._ask("fault.reset", seed=seed)

    def listed(self) -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = self._ask("fault.list")["faults"]
        return faults

    def requests(self, limit: int = 50) -> list[dict[str, Any]]:
        """The last requests, the newest first: at, endpoint, method, path, status, what, fault, nearest."""
        found: list[dict[str, Any]] = self._ask("fault.requests", limit=limit)["requests"]
        return found
