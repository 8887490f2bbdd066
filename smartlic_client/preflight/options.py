"""How to check: what the command line's options mean, read already."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smartlic_client.names import CertificateNames, Host, Policy
from smartlic_client.preflight.observation import ServerFacts

__all__ = ["Earlier", "Node", "Options"]

DAY = 86400.0


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A server of the cluster by its own address. `port`: None for that of the target."""

    role: str
    host: Host
    port: int | None = None


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier check saw of a target: its certificate, the issuers behind it, and who was Active."""

    at: str
    fingerprint: str
    names: CertificateNames
    issuers: tuple[str, ...]
    active: str | None


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`now`: seconds since the epoch. `wanted`: the ids to look for, and `families` those that they are of;
    None for all. `anchors`: PEM. `earlier`: by the target's label.
    """

    now: float
    policy: Policy = Policy.COMMON_NAME
    wanted: frozenset[str] | None = None
    families: frozenset[str] | None = None
    anchors: bytes | None = None
    fingerprint: str | None = None
    nodes: tuple[Node, ...] = ()
    earlier: Mapping[str, Earlier] = {}
    resolve: Mapping[tuple[str, int], tuple[str, ...]] = {}
    expected_name: Host | None = None
    expires_within: float = 30 * DAY
    proxy: str | None = None
    proxy_in_environment: str | None = None
    timeout: float = 10.0
    jobs: int = 32
    server: ServerFacts | None = None

    def looks_for(self, *families: str) -> bool:
        """Whether any finding of these families is looked for."""
        return self.families is None or not self.families.isdisjoint(families)
