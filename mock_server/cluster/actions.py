"""What the actions of a node stand on: its ledger and its journal, which are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_server.cluster.ledger import ClusterLedger
from mock_server.journal import JournalWorker

if TYPE_CHECKING:
    from mock_server.cluster.node import Node

__all__ = ["WITNESS_RETRY", "NodeActions"]

WITNESS_RETRY = 0.2
"""Seconds until a record that could not be written is tried again."""


class NodeActions:
    """A room of actions of `roles.Action`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def _ledger(self) -> ClusterLedger:
        if self._node.ledger is None:
            raise RuntimeError("the journal is closed")
        return self._node.ledger

    @property
    def _worker(self) -> JournalWorker:
        if self._node.worker is None:
            raise RuntimeError("the journal is closed")
        return self._node.worker
