"""What can be a Host Common Name, a browser certificate, and a licensing root given by option."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mock_server import pki
from mock_server.browser_chain import checked
from mock_server.control.certificates import host_common_name
from mock_server.cssm import given
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import signing

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
IPV4 = ["127.0.0.5", "127.0.0.10", "127.0.0.12"]


def refused(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(SmartlicError) as caught:
        call(*arguments)
    return caught.value.code


# ---- the Host Common Name ---------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["127.0.0.12", "fd00::1"])
@pytest.mark.parametrize("other", ["fd00::12", "::1"])
def test_b1_4_with_both_families_the_name_is_an_fqdn(name: str, other: str) -> None:
    """An address is refused, whichever family it is of; an FQDN is not."""
    both = [*IPV4[:2], other]
    assert refused(lambda: host_common_name(name, both)) == "bad-common-name"
    assert host_common_name("SSM.Example.com", both) == "ssm.example.com"


def test_with_one_family_an_address_will_do() -> None:
    """Either family by itself."""
    assert host_common_name("127.0.0.12", IPV4) == "127.0.0.12"
    assert host_common_name("FD00:0::1", ["fd00::5", "fd00::10", "fd00::1"]) == "fd00::1"


# ---- the browser certificate ------------------------------------------------------------------------------
class Authority:
    """An authority outside of the cluster: a root, one below it, and what it issues."""

    def __init__(self) -> None:
        self.root = pki.new_root("Outside Root", NOW)
        self.key = signing.new_key()
        certificate, _ = pki.new_authority(
            self.root, "Outside CA", self.key.public_key(), now=NOW, path_length=0
        )
        self.certificate = certificate

    def issue(
        self,
        key: signing.PublicKey,
        *,
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
        names: tuple[str, ...] = ("ssm.example.com",),
        begins: datetime.datetime = NOW - DAY,
        ca: bool = False,
        last: bool = False,
    ) -> x509.Certificate:
        """`last`: that it is an authority is said after all else."""
        constraints = x509.BasicConstraints(ca=ca, path_length=None)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ssm.example.com")]))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(1)
            .not_valid_before(begins)
            .not_valid_after(begins + 30 * DAY)
        )
        if not last:
            builder = builder.add_extension(constraints, critical=True)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            san = x509.SubjectAlternativeName([pki.general_name(name) for name in names])
            builder = builder.add_extension(san, critical=False)
        if last:
            builder = builder.add_extension(constraints, critical=True)
        return builder.sign(self.key, hashes.SHA256())


AUTHORITY = Authority()
KEY = signing.new_key()


def pem(*certificates: x509.Certificate) -> str:
    return b"".join(map(pki.to_pem, certificates)).decode()


@pytest.mark.parametrize("with_root", [False, True])
def test_a_chain_in_order_for_the_requests_key_is_taken(with_root: bool) -> None:
    """With the root at its end or without; the leaf comes first."""
    leaf = AUTHORITY.issue(KEY.public_key())
    more = [AUTHORITY.root.certificate] if with_root else []
    chain = checked(pem(leaf, AUTHORITY.certificate, *more), KEY.public_key(), NOW)
    assert chain == (leaf, AUTHORITY.certificate, *more)


def test_every_flaw_of_a_chain_has_its_code() -> None:
    """Unreadable, another key, not valid now, not in order, not for servers."""
    leaf = AUTHORITY.issue(KEY.public_key())
    middle, root = AUTHORITY.certificate, AUTHORITY.root.certificate
    issue = AUTHORITY.issue
    client = issue(KEY.public_key(), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    cases = {
        "": "browser-chain-unreadable",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n": "browser-chain-unreadable",
        pem(*[leaf] * 11): "browser-chain-unreadable",
        pem(leaf) + " " * (64 << 10): "browser-chain-unreadable",
        pem(issue(signing.new_key().public_key()), middle): "browser-certificate-other-key",
        pem(middle, leaf): "browser-certificate-other-key",
        pem(leaf, root): "browser-chain-not-in-order",
        pem(leaf, middle, middle): "browser-chain-not-in-order",
        pem(leaf, leaf): "browser-chain-not-in-order",
        pem(issue(KEY.public_key(), begins=NOW + DAY), middle): "browser-certificate-not-valid",
        pem(issue(KEY.public_key(), begins=NOW - 40 * DAY), middle): "browser-certificate-not-valid",
        pem(client, middle): "browser-certificate-not-for-servers",
        pem(issue(KEY.public_key(), usage=None), middle): "browser-certificate-not-for-servers",
        pem(issue(KEY.public_key(), names=()), middle): "browser-certificate-not-for-servers",
        pem(issue(KEY.public_key(), ca=True), middle): "browser-certificate-not-for-servers",
        pem(issue(KEY.public_key(), ca=True, last=True), middle): "browser-certificate-not-for-servers",
    }
    found = {text: refused(checked, text, KEY.public_key(), NOW) for text in cases}
    assert found == cases


def test_an_issuer_that_is_no_longer_valid_spoils_the_chain() -> None:
    """Every certificate of the chain has to be valid now."""
    later = NOW + 3700 * DAY
    leaf = AUTHORITY.issue(KEY.public_key(), begins=later - DAY)
    text = pem(leaf, AUTHORITY.certificate)
    assert refused(lambda: checked(text, KEY.public_key(), later)) == "browser-certificate-not-valid"


# ---- a root by option -------------------------------------------------------------------------------------
def written(folder: Path, certificate: bytes, key: str, mode: int = 0o600) -> tuple[str, str]:
    paths = folder / "ca.pem", folder / "ca.key"
    paths[0].write_bytes(certificate)
    paths[1].write_text(key)
    paths[1].chmod(mode)
    return str(paths[0]), str(paths[1])


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_root_by_option_is_the_clusters(tmp_path: Path, kind: str) -> None:
    """EC or RSA; it is written once, is the same again, and is not replaced by another."""
    key = signing.new_key(kind)
    root = pki.Issuer(_self_signed(key), key, ())
    paths = written(tmp_path, pki.to_pem(root.certificate), signing.dump_key(key))
    read = given.read(*paths, NOW)
    folder = tmp_path / "cluster" / "cssm"
    assert given.adopt(folder, read, paths[0], new=True) is True
    assert given.adopt(folder, read, paths[0], new=False) is False
    assert (folder / "root.key").stat().st_mode & 0o777 == 0o600
    other = pki.new_root("Other", NOW)
    assert refused(lambda: given.adopt(folder, other, paths[0], new=False)) == "other-ca"
    assert refused(lambda: given.adopt(folder, other, paths[0], new=True)) == "other-ca"
    empty = tmp_path / "other" / "cssm"
    assert refused(lambda: given.adopt(empty, read, paths[0], new=False)) == "cssm-root-unusable"


def test_what_cannot_be_a_root_is_refused(tmp_path: Path) -> None:
    """No authority, no room below it, not valid, not self-signed, another key, a key others can read …"""
    root = pki.new_root("Root", NOW)
    key = signing.dump_key(root.key)
    good = pki.to_pem(root.certificate)
    leaf = root.leaf("x", pki.PRODUCT, now=NOW)
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is refused
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    locked = root.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    odd = ec.generate_private_key(ec.SECP521R1())
    cases: list[tuple[bytes, str, int, str]] = [
        (good, key, 0o640, "ca-key-readable"),
        (good, key, 0o604, "ca-key-readable"),
        (good, signing.dump_key(signing.new_key()), 0o600, "bad-ca"),
        (good, "", 0o600, "bad-ca"),
        (good, edwards.decode(), 0o600, "bad-ca"),
        (good, locked.decode(), 0o600, "bad-ca"),
        (good + good, key, 0o600, "bad-ca"),
        (b"", key, 0o600, "bad-ca"),
        (pki.to_pem(leaf.certificate), leaf.key_pem.decode(), 0o600, "bad-ca"),
        (pki.to_pem(AUTHORITY.certificate), signing.dump_key(AUTHORITY.key), 0o600, "bad-ca"),
        (pki.to_pem(_self_signed(small)), signing.dump_key(small), 0o600, "bad-ca"),
        (pki.to_pem(_self_signed(odd)), signing.dump_key(odd), 0o600, "bad-ca"),
        (pki.to_pem(_self_signed(root.key, path_length=1)), key, 0o600, "bad-ca"),
        (pki.to_pem(_self_signed(root.key, signs=False)), key, 0o600, "bad-ca"),
    ]
    for certificate, private, mode, code in cases:
        paths = written(tmp_path, certificate, private, mode)
        assert refused(given.read, *paths, NOW) == code
    for place in (str(tmp_path), "/dev/null"):  # "chmod 600" would be bad advice
        assert refused(given.read, paths[0], place, NOW) == "bad-ca"
    paths = written(tmp_path, good, key)
    assert refused(lambda: given.read(*paths, NOW + 9000 * DAY)) == "bad-ca"
    assert refused(lambda: given.read(str(tmp_path / "none"), paths[1], NOW)) == "bad-ca"
    assert refused(lambda: given.read(paths[0], str(tmp_path / "none"), NOW)) == "bad-ca"


def _self_signed(
    key: signing.PrivateKey, *, path_length: int | None = None, signs: bool = True
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 100 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
