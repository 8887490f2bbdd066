"""Somebody else where the VIP should be: what reaches them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography import x509

from smartlic_client.device import Device
from smartlic_client.errors import TrustError
from smartlic_client.protocol import signing
from smartlic_client.protocol.identity import IdToken, Udi
from tests.support import cluster, token
from tests.unit.client.tls_servers import Certificate, RawServer


def _device(folder: Path, url: str, anchor: bytes) -> None:
    Device.create(folder, Udi(pid="C9300-24T", sn=folder.name.upper()), hostname=folder.name)
    with Device.open(folder) as device:
        device.set_destination(url)
        device.trust(anchor)


def test_a_registered_device_cannot_pose_as_the_server(tmp_path: Path) -> None:
    """An ID certificate that the cluster issued, shown as a server's, gets 0 application bytes."""
    with cluster(tmp_path) as stage:
        anchor, secret = stage.anchor.read_bytes(), IdToken(token(stage, uses=2))
        _device(tmp_path / "thief", stage.url, anchor)
        with Device.open(tmp_path / "thief") as device:
            device.register(secret)
            identity = device.record.identity
        assert identity is not None
        leaf = x509.load_der_x509_certificate(base64.b64decode(identity.certificate))
        shown = Certificate(leaf, signing.load_key(identity.key))  # type: ignore[arg-type]
        shown.add_chain([base64.b64decode(der) for der in identity.chain])
        with RawServer(shown) as impostor:
            _device(tmp_path / "victim", f"https://127.0.0.1:{impostor.port}", anchor)
            with Device.open(tmp_path / "victim") as victim, pytest.raises(TrustError) as refused:
                victim.register(secret)
            impostor.settle()
            assert impostor.received == 0
        assert refused.value.code in ("wrong-key-usage", "untrusted-chain")
        assert len(stage.instances()) == 1
        assert stage.ask("token.list")["tokens"][0]["used"] == 1
