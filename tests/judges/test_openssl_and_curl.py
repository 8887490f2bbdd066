"""OpenSSL's command line and curl judge certificates, signatures and what a cluster shows.

They judge the chain, the key usages, the subject alternative name and ECDSA/RSA signatures. That the Common
Name counts is our own rule: no stock tool demands it, so none can judge it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mock_server.demo.stage import Stage
from smartlic_client.device import Device
from smartlic_client.protocol import callhome, signing
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.flow import pack, unpack
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.transports import TransportKind
from tests.support import cluster, token

pytestmark = pytest.mark.judge

SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"


def _run(*command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with cluster(tmp_path_factory.mktemp("judged")) as stage:
        yield stage


@pytest.fixture(scope="module")
def identity(stage: Stage) -> Record:
    """The record of a device that has registered with the cluster."""
    folder = stage.devices / "judged"
    Device.create(folder, Udi(pid="C9300-24T", sn="FOC1"), hostname="judged")
    with Device.open(folder) as device:
        device.set_destination(stage.url)
        device.trust(stage.anchor.read_bytes())
        device.register(IdToken(token(stage)))
        return device.record


def _pem(path: Path, *chain: str) -> Path:
    certificates = [x509.load_der_x509_certificate(base64.b64decode(der)) for der in chain]
    path.write_bytes(b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates))
    return path


def _purpose(stage: Stage, record: Record, folder: Path, purpose: str) -> bool:
    assert record.identity is not None
    leaf = _pem(folder / "leaf.pem", record.identity.certificate)
    between = _pem(folder / "between.pem", *record.identity.chain)
    done = _run(
        "openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(stage.anchor),
        "-untrusted", str(between), str(leaf),
    )  # fmt: skip
    return done.returncode == 0


def test_an_id_certificate_is_for_clients_and_for_no_server(
    stage: Stage, identity: Record, tmp_path: Path
) -> None:
    """OpenSSL takes an ID certificate as a client's, and refuses it as a TLS server's."""
    assert _purpose(stage, identity, tmp_path, "sslclient")
    assert not _purpose(stage, identity, tmp_path, "sslserver")


@pytest.mark.parametrize("port", ["device_port", "gui_port"])
def test_what_the_vip_shows_is_trusted_by_openssl(stage: Stage, port: str) -> None:
    """Chain, validity, server purpose and the VIP as name hold for `openssl s_client` on both listeners."""
    vip = stage.config.vip
    done = _run(
        "openssl", "s_client", "-connect", f"{vip.host}:{getattr(vip, port)}", "-CAfile", str(stage.anchor),
        "-verify_return_error", "-verify_ip", vip.host, "-x509_strict", "-purpose", "sslserver", "-brief",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"Verification: OK" in done.stderr


def test_another_root_is_not_trusted_by_openssl(stage: Stage, tmp_path: Path) -> None:
    """The same connection fails against another licensing root, so the judge can say no."""
    from mock_server.cssm.root import Root

    Root(tmp_path / "other").ensure()
    vip = stage.config.vip
    done = _run(
        "openssl", "s_client", "-connect", f"{vip.host}:{vip.device_port}", "-brief",
        "-CAfile", str(tmp_path / "other" / "root.pem"), "-verify_return_error",
    )  # fmt: skip
    assert done.returncode != 0


def test_the_page_answers_curl(stage: Stage) -> None:
    """curl trusts the browser certificate by the VIP and gets the page."""
    vip = stage.config.vip
    done = _run("curl", "-sSL", "--cacert", str(stage.anchor), f"https://{vip.host}:{vip.gui_port}/")
    assert done.returncode == 0, done.stderr.decode()
    assert b"On-Prem License Workspace" in done.stdout
    assert b"authorizes no real product" in done.stdout


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("transport", list(TransportKind))
def test_a_messages_signature_is_verified_by_openssl(
    tmp_path: Path, kind: str, transport: TransportKind
) -> None:
    """The signature over the bytes of the request string holds for `openssl dgst`, and not for others."""
    key = signing.new_key(kind)
    agent = Agent(Record(udi=Udi(pid="C9300-24T", sn="FOC1"), software_id=SOFTWARE))
    agent.register(IdToken.make("0" * 8 + "-0000-4000-8000-" + "0" * 12, 1, b"s" * 32), key, os.urandom)
    sent = agent.next_request(1_700_000_000.0, os.urandom)
    assert sent is not None
    content, body = pack(transport, sent, now=1_700_000_000.0, serial="FOC1", to="https://192.0.2.1/x")
    assert (content == callhome.CONTENT_TYPE) == (transport is TransportKind.CALLHOME)
    envelope = json.loads(unpack(transport, body))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(public)
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signature"]["value"]))
    command = (
        "openssl", "dgst", "-sha256", "-verify", str(tmp_path / "key.pem"),
        "-signature", str(tmp_path / "signature"),
    )  # fmt: skip
    assert _run(*command, stdin=envelope["request"].encode()).returncode == 0
    assert _run(*command, stdin=envelope["request"].encode() + b" ").returncode != 0
