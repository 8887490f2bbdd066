"""A mock of a Cisco SSM On-Prem high-availability cluster, to test against. It authorizes no real product.

from mock_server import Cluster
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mock_server.library.cluster import AsyncCluster, Cluster

__all__ = ["AsyncCluster", "Cluster"]


def __getattr__(name: str) -> Any:
    """What is exported is imported when it is first used: the command line must start quickly."""
    if name in __all__:
        from mock_server import extra

        extra.require()
        from mock_server.library import cluster

        return getattr(cluster, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
