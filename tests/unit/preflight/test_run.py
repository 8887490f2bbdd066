"""Proxies and nodes, and many targets at once: what a run is beyond its probes."""

from __future__ import annotations

import socket
import threading
import time
from importlib import import_module

import pytest

from smartlic_client.hosts import parse_host
from smartlic_client.preflight.options import Node, Options
from smartlic_client.preflight.run import run
from smartlic_client.preflight.targets import read_target
from tests.unit.client.tls_servers import (
    DAY,
    Authority,
    Certificate,
    ConnectProxy,
    RawServer,
    answer_with,
)
from tests.unit.preflight.servers import (
    LOCAL,
    OK,
    Hangs,
    check,
    found,
)

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def right(authority: Authority) -> Certificate:
    return authority.issue(LOCAL, san=[LOCAL], until=365 * DAY)


# --- Proxy and nodes ------------------------------------------------------------------------------


def test_through_a_proxy(authority: Authority, right: Certificate) -> None:
    """CONNECT for the reading probe and for the checked connection; TLS goes through to the server."""
    with RawServer(right, answer_with(OK)) as server, ConnectProxy(server.port) as proxy:
        result = check(server, anchors=authority.pem, proxy=f"http://{LOCAL}:{proxy.port}")
    assert found(result) == []
    assert proxy.asked == [f"{LOCAL}:{server.port}"] * 2


def test_a_proxy_that_refuses_is_named(right: Certificate) -> None:
    """The finding says "proxy", and what the proxy said; its password is nowhere."""
    refusal = b"HTTP/1.1 403 Forbidden\r\n\r\n"
    with RawServer(right) as server, ConnectProxy(server.port, refusal) as proxy:
        result = check(server, proxy=f"http://user:s3cr3t@{LOCAL}:{proxy.port}")
    assert found(result) == ["proxy-failed"]
    assert "proxy" in result.findings[0].seen
    assert "403" in result.findings[0].seen
    assert "s3cr3t" not in repr(result.findings)


def test_a_proxy_that_is_not_there(right: Certificate) -> None:
    """A proxy that refuses connections is not taken for a server that does."""
    with Hangs() as gone:
        port = gone.port
    with RawServer(right) as server:
        assert found(check(server, proxy=f"http://{LOCAL}:{port}")) == ["proxy-failed"]


def test_the_nodes_behind_the_vip(authority: Authority, right: Certificate) -> None:
    """The node that answers with the VIP's certificate is Active, the one that refuses is Standby."""
    with Hangs() as gone:
        closed = gone.port
    with RawServer(right, answer_with(OK)) as server, RawServer(right) as node:
        nodes = (
            Node(role="primary", host=parse_host(LOCAL), port=node.port),
            Node(role="secondary", host=parse_host(LOCAL), port=closed),
        )
        result = check(server, anchors=authority.pem, nodes=nodes)
    assert found(result) == ["node-active", "node-standby"]
    assert result.well
    assert result.observation.active is not None
    assert result.observation.active.role.value == "primary"


# --- Many at once ---------------------------------------------------------------------------------


def test_many_targets_and_one_that_hangs(right: Certificate) -> None:
    """Targets do not wait for each other: one that hangs holds up nobody, and the order is kept."""
    with RawServer(right) as server, Hangs() as hanging:
        targets = [read_target(f"{LOCAL}:{port}") for port in [hanging.port, *[server.port] * 20]]
        counted: list[None] = []
        began = time.monotonic()
        done = run(targets, Options(now=time.time(), timeout=1, jobs=4), lambda: counted.append(None))
        took = time.monotonic() - began
    assert [found(result)[0] for result in done.results] == ["tls-no-answer", *["trust-not-checked"] * 20]
    assert len(counted) == 21
    assert took < 4


def test_jobs_bound_the_connections(right: Certificate) -> None:
    """No more connections are open at once than --jobs allows."""

    class Counting(RawServer):
        now = most = 0
        lock = threading.Lock()

        def serve(self, connection: socket.socket) -> None:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            try:
                super().serve(connection)
            finally:
                with self.lock:
                    self.now -= 1

    with Counting(right) as server:
        # the server notices the end of a connection a little later than the client: at most one more each
        run([read_target(f"{LOCAL}:{server.port}")] * 40, Options(now=time.time(), timeout=5, jobs=3))
        server.settle()
    assert server.connections == 40
    assert server.most <= 6


def test_a_defect_is_not_lost_in_a_thread(monkeypatch: pytest.MonkeyPatch, right: Certificate) -> None:
    """An exception that no probe expects comes out of the run, and the run does not hang."""
    module = import_module("smartlic_client.preflight.run")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(module, "read", broken)
    with RawServer(right) as server, pytest.raises(RuntimeError, match="a defect"):
        run([read_target(f"{LOCAL}:{server.port}")] * 5, Options(now=time.time(), jobs=3))
