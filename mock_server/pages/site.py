"""What the pages of one Active server share."""

from __future__ import annotations

from dataclasses import dataclass, field

from mock_server.cluster.machine import NodeContext
from mock_server.domain.attempts import Attempts
from mock_server.pages.index import InstanceIndex
from mock_server.pages.live import Live
from mock_server.pages.sessions import Sessions
from mock_server.serving import Serving

__all__ = ["Site"]


@dataclass
class Site:
    """It is there as long as the server is Active."""

    serving: Serving
    sessions: Sessions
    live: Live
    index: InstanceIndex = field(default_factory=InstanceIndex)

    @property
    def attempts(self) -> Attempts:
        return self.serving.attempts

    @property
    def context(self) -> NodeContext:
        return self.serving.context
