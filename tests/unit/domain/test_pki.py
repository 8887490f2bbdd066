"""Certificates of the mock, judged by others: OpenSSL's handshake and cryptography's verifier."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import idna
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from mock_server import pki
from smartlic_client.protocol import signing
from tests.unit.domain.world import Authorities, new_authorities

# OpenSSL knows only the real clock.
REAL = datetime.datetime.now(datetime.UTC)


@pytest.fixture(scope="module")
def world() -> Authorities:
    return new_authorities(REAL)


def handshake(
    folder: Path,
    chain: list[x509.Certificate],
    key_pem: bytes,
    anchor: bytes,
    host: str,
    *,
    names: bool = True,
) -> None:
    """A TLS handshake in memory, with OpenSSL's checks on the client. Raises what the client does."""
    (folder / "chain.pem").write_bytes(b"".join(map(pki.to_pem, chain)))
    (folder / "key.pem").write_bytes(key_pem)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    client_context = ssl.create_default_context(cadata=anchor.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    client_context.check_hostname = names
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return
    raise AssertionError("the handshake never ends")


def identity(world: Authorities) -> tuple[list[x509.Certificate], bytes]:
    """A device's ID certificate with its chain, and the device's key."""
    key = signing.new_key()
    certificate = world.id_ca.identity(key.public_key(), "d1a3f9a2-0000-4000-8000-000000000000", now=REAL)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return [certificate, *world.id_ca.chain], pem


@pytest.mark.parametrize("host", ["vip.lab.example", "192.0.2.10", "2001:db8::10"])
def test_the_product_certificate_is_a_tls_servers(world: Authorities, tmp_path: Path, host: str) -> None:
    """OpenSSL, in its strict mode, trusts it through the chain for its name, DNS or address."""
    product = world.ca.leaf(host, pki.PRODUCT, now=REAL, alternative_names=[host])
    chain = [product.certificate, *product.chain]
    handshake(tmp_path, chain, product.key_pem, world.anchors, host)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        handshake(tmp_path, chain, product.key_pem, world.anchors, "other.example")


def test_the_product_certificate_needs_its_chain_and_its_root(world: Authorities, tmp_path: Path) -> None:
    """Without the intermediate, or under another root, OpenSSL refuses it."""
    product = world.ca.leaf("vip.lab", pki.PRODUCT, now=REAL, alternative_names=["vip.lab"])
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get"):
        handshake(tmp_path, [product.certificate], product.key_pem, world.anchors, "vip.lab")
    chain = [product.certificate, *product.chain]
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get"):
        handshake(tmp_path, chain, product.key_pem, new_authorities(REAL).anchors, "vip.lab")


def test_an_id_certificate_cannot_pose_as_a_server(world: Authorities, tmp_path: Path) -> None:
    """OpenSSL refuses an ID certificate's purpose, even where names are not looked at."""
    chain, key_pem = identity(world)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(tmp_path, chain, key_pem, world.anchors, "vip.lab", names=False)


def test_an_answer_certificate_cannot_pose_as_a_server(world: Authorities, tmp_path: Path) -> None:
    """The certificate that signs licensing answers is none for TLS."""
    chain = [world.answers.certificate, *world.answers.chain]
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(tmp_path, chain, world.answers.key_pem, world.anchors, "vip.lab", names=False)


def test_the_id_authority_cannot_make_a_server(world: Authorities, tmp_path: Path) -> None:
    """Even a certificate for server authentication is refused below the ID CA, which is bound to clients."""
    rogue = world.id_ca.leaf("vip.lab", pki.PRODUCT, now=REAL, alternative_names=["vip.lab"])
    chain = [rogue.certificate, *rogue.chain]
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(tmp_path, chain, rogue.key_pem, world.anchors, "vip.lab")


def test_a_device_cannot_certify_anything(world: Authorities, tmp_path: Path) -> None:
    """A certificate that a device signed with its ID key is refused: it is no authority."""
    chain, key_pem = identity(world)
    device = pki.Issuer(chain[0], signing.load_key(key_pem.decode()), tuple(chain))
    rogue = device.leaf("vip.lab", pki.PRODUCT, now=REAL, alternative_names=["vip.lab"])
    with pytest.raises(ssl.SSLCertVerificationError, match=r"CA certificate|path length|purpose"):
        handshake(
            tmp_path, [rogue.certificate, *rogue.chain], rogue.key_pem, world.anchors, "vip.lab", names=False
        )


def test_another_judge_agrees(world: Authorities) -> None:
    """cryptography's verifier takes the product certificate as server and refuses the two others."""
    product = world.ca.leaf("vip.lab", pki.PRODUCT, now=REAL, alternative_names=["vip.lab"])
    store = Store([world.root.certificate])
    verifier = PolicyBuilder().store(store).time(REAL).build_server_verifier(x509.DNSName("vip.lab"))
    assert verifier.verify(product.certificate, list(product.chain))[-1] == world.root.certificate
    chain, _ = identity(world)
    for leaf, between in ((chain[0], chain[1:]), (world.answers.certificate, list(world.answers.chain))):
        with pytest.raises(VerificationError):
            verifier.verify(leaf, between)


def test_an_id_certificates_name_is_no_host(world: Authorities) -> None:
    """Its CN is the server's choice and parses neither as address nor as DNS name; it has no SAN."""
    chain, _ = identity(world)
    (name,) = chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(name.value)
    with pytest.raises(ValueError, match="does not appear"):
        ipaddress.ip_address(text)
    with pytest.raises(idna.IDNAError):
        idna.encode(text, uts46=True, std3_rules=True)
    with pytest.raises(x509.ExtensionNotFound):
        chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_an_id_certificate_is_what_the_protocol_says(world: Authorities) -> None:
    """One year, client authentication only, no CA, the PIID as serial number of its subject."""
    chain, _ = identity(world)
    leaf = chain[0]
    (piid,) = leaf.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    assert piid.value == "d1a3f9a2-0000-4000-8000-000000000000"
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert datetime.timedelta(days=365) <= leaf.not_valid_after_utc - REAL + datetime.timedelta(seconds=1)
    assert leaf.not_valid_after_utc - REAL <= datetime.timedelta(days=365)
    assert leaf.not_valid_before_utc < REAL


def test_no_leaf_carries_the_root(world: Authorities) -> None:
    """What is shown ends below the anchor, and DER and PEM forms are the same certificates."""
    shown = world.answers.der_chain
    assert pki.der_chain([world.root.certificate])[0] not in shown
    assert pki.pem_chain(shown) == b"".join(
        map(pki.to_pem, (world.answers.certificate, *world.answers.chain))
    )
    assert len(pki.fingerprint(world.root.certificate)) == len("sha256:") + 64


def test_a_certificate_ends_within_the_days_that_it_has_left() -> None:
    """It is due for renewal from the day on which its remaining time fits, and after its end."""
    certificate = new_authorities().answers.certificate
    end = certificate.not_valid_after_utc
    for days_left, due in ((31, False), (30, True), (1, True), (-1, True)):
        assert pki.ends_within(certificate, 30, end - datetime.timedelta(days=days_left)) is due
