"""No listener speaks less than TLS 1.2, whoever asks; those of the nodes to each other speak TLS 1.3."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import Iterator

import pytest

from mock_server import Cluster
from mock_server.cluster.config import NODES, Layout

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as made:
        yield made


def listeners(cluster: Cluster) -> dict[str, tuple[str, int]]:
    """Every TCP listener of an Active on its address and on the VIP, and both nodes' for each other."""
    here = cluster.config
    found = {f"{name} peer": (here.node(name).host, here.node(name).peer_port) for name in NODES}
    for name, where in (("VIP", here.vip), ("own", here.nodes.primary)):
        found |= {
            f"{name} devices": (where.host, where.device_port),
            f"{name} pages": (where.host, where.gui_port),
        }
    return found


def speaks(where: tuple[str, int], version: ssl.TLSVersion, cluster: Cluster | None = None) -> str | None:
    """The version that is agreed on when no other is offered, with a node's key if a cluster is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    if cluster is not None:
        layout = Layout(cluster.folder)
        context.load_cert_chain(layout.certificate("primary"), layout.key("primary"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection(where, timeout=5) as raw, context.wrap_socket(raw) as made:
            return made.version()
    except (ssl.SSLError, ConnectionError):
        return None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused_everywhere(cluster: Cluster, version: ssl.TLSVersion) -> None:
    """On the VIP and a server's own address, devices' and pages', and between the nodes."""
    said = {name: speaks(where, version) for name, where in listeners(cluster).items()}
    assert len(said) == 6
    assert set(said.values()) == {None}


def test_present_versions_are_spoken(cluster: Cluster) -> None:
    """1.2 and 1.3 for devices and browsers; 1.3 alone between the nodes, with a key that the other trusts."""
    for name, where in listeners(cluster).items():
        own = cluster if name == "secondary peer" else None
        if own is None and "peer" in name:
            continue
        older, newer = (
            speaks(where, version, own) for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        )
        assert (older, newer) == (None if own else "TLSv1.2", "TLSv1.3"), name


def test_a_stranger_says_nothing_to_a_node(cluster: Cluster) -> None:
    """Without a key, or with another than the peer's, a node's peer port ends before the first message."""

    async def told(certificate: str | None) -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        layout = Layout(cluster.folder)
        if certificate is not None:
            context.load_cert_chain(layout.certificate(certificate), layout.key(certificate))
        where = listeners(cluster)["secondary peer"]
        reader, writer = await asyncio.open_connection(*where, ssl=context)
        try:
            writer.write(b"\x00\x00\x00\x01x")
            return await reader.read(100)
        finally:
            writer.close()

    for certificate in (None, "secondary"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert not asyncio.run(told(certificate))
            raise ConnectionResetError
