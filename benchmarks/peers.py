"""A signed HELLO beside JSON stubs of WireMock, mountebank and moto: CPU time of each server, one client.

All answer over TLS on kept connections, with a key of the same kind, to requests and with answers of about
the same size. Ours reads the message, and signs its answer; the others send the same bytes each time. Turns
alternate. moto's server closes each connection, and so pays for handshakes too. CPU time of the server's
process is judged; wall rates are shown, as the client shares the machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

from benchmarks import raw, stubs
from benchmarks.figures import Figure, SkippedError, median
from benchmarks.load import Prepared, send_kept
from benchmarks.unavoidable import Work
from mock_server import Cluster, pki
from smartlic_client.protocol.agent import Outgoing
from smartlic_client.protocol.flow import pack, unpack
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.tls import context_for
from smartlic_client.transport.urls import Destination

__all__ = ["measure"]

_AT_ONCE = 16
_EACH = 1_000
_WARM = 3_000
_TURNS = 5
_HELLOS = 50
_LIMITS = {"moto": 1.0, "WireMock": 2.0, "mountebank": 2.0}


@dataclass
class _Server:
    pid: int
    port: int
    host: str
    context: SSLContext
    requests: list[bytes]
    turns: list[raw.Turn] = field(default_factory=list)

    def say(self, count: int) -> raw.Turn:
        return raw.spent(self.pid, self.port, self.context, self.requests, count, _AT_ONCE, host=self.host)

    def median(self, what: str) -> float:
        return median(self.samples(what))

    def samples(self, what: str) -> list[float]:
        return [getattr(turn, what) for turn in self.turns]


def measure() -> Iterator[Figure]:
    work = Work()
    with (
        ExitStack() as stack,
        tempfile.TemporaryDirectory(prefix="smartlic-bench-") as name,
        Cluster(servers=1, processes=True) as ssm,
    ):
        ours, heard, said = _ours(ssm)
        print(f"     a HELLO has {heard} bytes, and its answer {said}")
        servers = {}
        for peer in stubs.STUBS:
            try:
                stub = stack.enter_context(
                    stubs.started(peer, Path(name) / peer, work, heard=heard, said=said)
                )
            except SkippedError as reason:
                print(f"     {peer} is skipped: {reason}")
                continue
            context = context_for(pki.to_pem(work.root.certificate))
            server = _Server(stub.pid, stub.port, "127.0.0.1", context, [stub.request])
            if peer == "moto":
                raw.spent(stub.pid, stub.port, context, [stubs.moto_parameter(said)], 1, 1)
            servers[peer] = server
        if not servers:
            raise SkippedError("none of WireMock, mountebank and moto can be had")
        _turns([ours, *servers.values()])
    for peer, server in servers.items():
        print(f"     {peer}: an answer of {len(server.turns[-1].last)} bytes, {_connections(server)}")
        yield _figure(ours, server, peer)
        yield Figure(
            f"wall time of a HELLO, {_AT_ONCE} at once",
            ours.median("wall"),
            server.median("wall"),
            "ms",
            f"a stub of {peer}",
            None,
            ours.samples("wall"),
        )


def _figure(ours: _Server, server: _Server, peer: str) -> Figure:
    return Figure(
        "CPU of the server for a signed HELLO",
        ours.median("cpu"),
        server.median("cpu"),
        "ms",
        f"a stub of {peer}",
        _LIMITS[peer],
        ours.samples("cpu"),
    )


def _turns(servers: list[_Server]) -> None:
    for server in servers:
        server.say(_WARM)
    for _ in range(_TURNS):
        for server in servers:
            server.turns.append(server.say(_EACH))


def _connections(server: _Server) -> str:
    opened = max(turn.opened for turn in server.turns)
    return "kept connections" if opened <= _AT_ONCE else f"{opened} connections for {_EACH} requests"


def _ours(ssm: Cluster) -> tuple[_Server, int, int]:
    """The server, with HELLOs of a device that is registered; bytes of one, and of its answer."""
    anchors = ssm.trust_anchor.encode()
    callhome = Destination.parse(ssm.url, TransportKind.CALLHOME)
    device = Prepared(callhome, IdToken(ssm.token()), "PEER1", keep=True)
    (answer,) = asyncio.run(send_kept([device], callhome, anchors, 1))
    device.accept(answer, anchors)
    to = Destination.parse(f"https://{callhome.authority}/SmartTransport", TransportKind.SMART)
    said = [_hello(device, to) for _ in range(_HELLOS)]
    pid = int(json.loads((ssm.folder / "nodes" / "primary" / "node.json").read_bytes())["pid"])
    server = _Server(pid, to.port, to.host.text, context_for(anchors), [request for _, request in said])
    last = server.say(1).last.partition(b"\r\n\r\n")[2]
    # Of the requests the first was said. What is measured is an answer that a device believes.
    device.agent.receive(said[0][0], unpack(TransportKind.SMART, last), anchors, time.time())
    return server, len(said[0][1].partition(b"\r\n\r\n")[2]), len(last)


def _hello(device: Prepared, to: Destination) -> tuple[Outgoing, bytes]:
    sent = device.agent.hello(time.time(), os.urandom)
    content, body = pack(TransportKind.SMART, sent, now=time.time(), serial="PEER1", to=to.url)
    head = f"POST {to.path} HTTP/1.1\r\nHost: {to.authority}\r\nContent-Type: {content}\r\n"
    return sent, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
