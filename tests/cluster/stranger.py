"""The toy service in a process that is of another release, by its `VERSION` or its `RELEASE`."""

from __future__ import annotations

from mock_server.cluster import peers, wire
from mock_server.cluster.machine import NodeContext
from tests.cluster.toy import ToyService


def VERSION(context: NodeContext) -> ToyService:
    wire.VERSION = 99
    return ToyService(context)


def RELEASE(context: NodeContext) -> ToyService:
    peers.RELEASE = "9.9"
    return ToyService(context)
