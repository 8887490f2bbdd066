"""What benchmarks need of a real cluster under `smartlic-mock up`."""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks.load import Prepared
from mock_server import Cluster
from mock_server.demo.stage import Stage
from smartlic_client.protocol import callhome
from smartlic_client.protocol.flow import unpack
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.sync import SyncTransport
from smartlic_client.transport.urls import Destination


class Client:
    """What a load needs to know of a cluster; nothing of its devices is written to disk."""

    def __init__(self, stage: Stage | Cluster, prefix: str = "S") -> None:
        self.destination = Destination.parse(stage.url, TransportKind.CALLHOME)
        self.anchors = stage.ask("certificates")["trust_anchor"].encode()
        self.token = IdToken(stage.ask("token.create", days=1)["token"])
        self.prefix = prefix
        self.made = 0

    def prepare(self, *, keep: bool = False, policy: bool = False) -> Prepared:
        self.made += 1
        serial = f"{self.prefix}{self.made:08d}"
        return Prepared(self.destination, self.token, serial, keep=keep, policy=policy)

    def register(self, device: Prepared) -> None:
        """One registration over a new connection, with the client's own transport."""
        content = callhome.CONTENT_TYPE
        body = device.request.partition(b"\r\n\r\n")[2]
        with SyncTransport(self.anchors, connect_timeout=1.0, read_timeout=5.0) as transport:
            answer = transport.post(self.destination, body, content)
        device.agent.receive(device.sent, unpack(device.kind, answer.body), self.anchors, time.time())


def active_pid(stage: Stage) -> int:
    return node_pid(stage.cluster, stage.status()["active"])


def node_pid(folder: Path, name: str) -> int:
    """The process of a server, by the cluster's folder."""
    return int(json.loads((folder / "nodes" / name / "node.json").read_bytes())["pid"])
