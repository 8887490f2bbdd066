"""What other programs take from the environment changes nothing here: roots, proxies, credentials, keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartlic_client.errors import TrustError
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.sync import SyncTransport
from smartlic_client.transport.tls import context_for
from smartlic_client.transport.urls import Destination
from tests.unit.client.tls_servers import Authority, ConnectProxy, RawServer

AUTHORITY = Authority()


@pytest.fixture
def hostile_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Authority:
    """Everything that other programs take roots and proxies from, set to another root and a dead proxy."""
    other = Authority("Root of the Environment")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(other.pem)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password secret\n")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    return other


def test_the_environment_brings_neither_roots_nor_proxies(
    hostile_environment: Authority, tmp_path: Path
) -> None:
    """Our server passes without the proxy and without credentials, and one of the other root does not."""
    anchors = AUTHORITY.pem + Authority("Only for this test").pem  # a context that no test made before
    with SyncTransport(anchors, connect_timeout=5, read_timeout=5) as transport:
        with RawServer(AUTHORITY.issue("127.0.0.1")) as server:
            destination = Destination.parse(f"https://127.0.0.1:{server.port}", TransportKind.SMART)
            transport.post(destination, b"{}", "application/json")
        with RawServer(hostile_environment.issue("127.0.0.1")) as impostor:
            destination = Destination.parse(f"https://127.0.0.1:{impostor.port}", TransportKind.SMART)
            with pytest.raises(TrustError) as caught:
                transport.post(destination, b"{}", "application/json")
            impostor.settle()
    assert caught.value.code == "untrusted-chain"
    assert impostor.received == 0
    assert b"authorization" not in server.requests[0].lower()
    assert not (tmp_path / "keys.log").exists()


def test_the_store_never_grows(hostile_environment: Authority) -> None:
    """Before, between and after requests, direct and through a proxy, it holds the anchors given."""
    context = context_for(AUTHORITY.pem)
    sizes = [context.cert_store_stats()["x509"]]
    with RawServer(AUTHORITY.issue("127.0.0.1")) as server, ConnectProxy(server.port) as proxy:
        destination = Destination.parse(f"https://127.0.0.1:{server.port}", TransportKind.SMART)
        for through in (None, f"http://127.0.0.1:{proxy.port}"):
            with SyncTransport(AUTHORITY.pem, connect_timeout=5, read_timeout=5, proxy=through) as transport:
                for _ in range(2):
                    transport.post(destination, b"{}", "application/json")
                    sizes.append(context.cert_store_stats()["x509"])
    assert sizes == [1] * 5
    assert context_for(AUTHORITY.pem) is context
    assert len(proxy.asked) == 1
