"""Certificates are read whatever their bytes are, and what is wrong with one comes back as typed flaws."""

from __future__ import annotations

import datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from smartlic_client.certificates import Certificate, FlawKind, read_certificate, read_names
from smartlic_client.names import CertificateNames, DnsHost, InvalidName, Match, judge, match
from tests.unit.client.certificate_forms import (
    attribute,
    build,
    cn,
    extension,
    name,
    oid,
    san,
    tlv,
)

GOOD = build(
    extensions=[
        extension("551d13", tlv(0x30), critical=True),
        extension("551d25", tlv(0x30, oid("2b06010505070301"))),
        san((0x82, b"ssm.example"), (0x87, bytes([192, 0, 2, 1]))),
    ]
)
HOST = DnsHost("ssm.example")


def kinds(certificate: Certificate) -> set[FlawKind]:
    return {flaw.kind for flaw in certificate.flaws}


# --- Good certificates: `cryptography` reads the same ---------------------------------------------

_EC = {curve.name: curve for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1())}
_PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)


def _signed(kind: str) -> x509.Certificate:
    """A self-signed certificate with a key of this kind and all the extensions that are looked at."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey | ed25519.Ed25519PrivateKey
    algorithm: hashes.SHA256 | hashes.SHA384 | None = hashes.SHA256()
    if kind in _EC:
        key = ec.generate_private_key(_EC[kind])
    elif kind == "DSA":
        key = dsa.generate_private_key(2048)
    elif kind == "Ed25519":
        key, algorithm = ed25519.Ed25519PrivateKey.generate(), None
    else:
        key = rsa.generate_private_key(65537, 2048)
        algorithm = hashes.SHA384() if kind == "RSA-PSS" else algorithm
    attributes = [
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, 'A, "B" + C'),
        (NameOID.COMMON_NAME, kind),
    ]
    subject = x509.Name([x509.NameAttribute(*pair) for pair in attributes])
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.3.6.1.4.1.9.21.2.3")]
    alternative = [
        x509.DNSName("ssm.example"),
        x509.RFC822Name("a@b.example"),
        x509.IPAddress(ip_address("::1")),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(1999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, False, False, False), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    )
    return builder.sign(key, algorithm, rsa_padding=_PSS if kind == "RSA-PSS" else None)


@pytest.mark.parametrize("kind", ["RSA", "RSA-PSS", "DSA", "Ed25519", *_EC])
def test_a_good_certificate_is_read_as_cryptography_reads_it(kind: str) -> None:
    """Every field, for every kind of key, and there is no flaw."""
    judge_ = _signed(kind)
    found = read_certificate(judge_.public_bytes(Encoding.DER))
    assert found.flaws == ()
    assert found.names == CertificateNames((kind,), ("ssm.example",), (ip_address("::1"),), ("rfc822Name",))
    assert found.subject == found.issuer == judge_.subject.rfc4514_string()
    assert found.self_issued
    assert found.version == 3
    assert found.serial == judge_.serial_number
    assert (found.not_before, found.not_after) == (judge_.not_valid_before_utc, judge_.not_valid_after_utc)
    assert found.fingerprint == "sha256:" + judge_.fingerprint(hashes.SHA256()).hex()
    assert found.basic_constraints is not None
    assert (found.basic_constraints.is_authority, found.basic_constraints.path_length) == (True, 3)
    assert found.key_usages == ("digitalSignature", "keyCertSign")
    assert found.extended_usages == ("serverAuth", "1.3.6.1.4.1.9.21.2.3")
    assert found.may_serve
    assert found.key is not None
    key = judge_.public_key()
    assert found.key.kind == ("EC" if kind in _EC else "RSA" if kind == "RSA-PSS" else kind)
    assert found.key.bits == getattr(key, "key_size", 256)
    assert found.key.curve == (kind if kind in _EC else None)
    assert found.key.exponent == (65537 if kind.startswith("RSA") else None)
    digest = judge_.signature_hash_algorithm
    assert found.signature is not None
    assert found.signature.digest == (digest and digest.name)


def test_a_root_of_a_cluster_without_extensions_is_read() -> None:
    """Version 1 has none, and no usage is forbidden by what is not there."""
    found = read_certificate(build(version=b"", extensions=None))
    assert found.flaws == ()
    assert (found.version, found.basic_constraints, found.key_usages, found.extended_usages) == (
        1,
        None,
        None,
        None,
    )
    assert found.may_serve
    assert found.names == CertificateNames(("ssm.example",))


@pytest.mark.parametrize(
    ("usages", "serves"),
    [
        (["2b06010505070301"], True),
        (["2b06010505070302"], False),
        (["2b06010505070302", "2b06010505070301"], True),
        (["551d2500"], False),
    ],
)
def test_a_server_needs_its_usage_where_there_are_any(usages: list[str], serves: bool) -> None:
    """RFC 5280, section 4.2.1.12: serverAuth, and anyExtendedKeyUsage alone is not enough."""
    der = build(extensions=[extension("551d25", tlv(0x30, *map(oid, usages)))])
    assert read_certificate(der).may_serve is serves


def test_an_older_signature_is_told_by_its_digest() -> None:
    """So that the preflight check can call it weak."""
    sha1 = tlv(0x30, oid("2a864886f70d010105"), b"\x05\0")
    found = read_certificate(build(algorithm=sha1))
    assert found.signature is not None
    assert (found.signature.name, found.signature.digest) == ("RSA with SHA-1", "sha1")
    pss = read_certificate(build(algorithm=tlv(0x30, oid("2a864886f70d01010a"), tlv(0x30))))
    assert pss.signature is not None
    assert pss.signature.digest == "sha1"


# --- Names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x0C, b"ssm.example"),
        (0x13, b"ssm.example"),
        (0x16, b"ssm.example"),
        (0x14, b"ssm.example"),
        (0x1A, b"ssm.example"),
        (0x1E, "ssm.example".encode("utf-16-be")),
        (0x1C, "ssm.example".encode("utf-32-be")),
    ],
)
def test_a_common_name_is_read_from_every_type_of_string(tag: int, value: bytes) -> None:
    """All types that a DirectoryString can have, and two that are used instead, give the same text."""
    found = read_certificate(build(subject=name(cn(value, tag))))
    assert found.names.common_names == ("ssm.example",)
    assert found.flaws == ()


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x0C, b"ssm.exa\xffple"),
        (0x0C, b"\xc0\x80"),
        (0x0C, b"\xed\xa0\x80"),
        (0x13, b"ssm*exa@ple"),
        (0x12, b"ssm"),
        (0x16, b"ssm.exa\xc3\xa9le"),
        (0x14, b"ssm.exa\xe9ple"),
        (0x1A, b"ssm\0"),
        (0x1E, b"\0s\0s\0"),
        (0x1E, "a\U0001f600".encode("utf-16-be")),
        (0x1E, b"\xd8\0"),
        (0x1C, b"\0\x11\0\0"),
        (0x04, b"ssm.example"),
        (0x2C, tlv(0x0C, b"ssm.example")),
        (0x02, b"\x05"),
    ],
)
def test_bytes_that_are_no_string_of_their_type_are_no_name(tag: int, value: bytes) -> None:
    """Such a Common Name is an invalid name with its reason, it matches nothing, and it is a flaw."""
    found = read_certificate(build(subject=name(attribute("55040a", b"Org"), cn(value, tag))))
    (invalid,) = found.names.common_names
    assert isinstance(invalid, InvalidName)
    assert "no valid string" in invalid.reason
    assert kinds(found) == {FlawKind.BAD_NAME}
    assert found.subject.startswith("CN=#")
    assert not isinstance(match(HOST, found.names), Match)


def test_all_common_names_are_read_in_their_order() -> None:
    """Also two in one relative name, where many readers see one."""
    two = tlv(0x31, tlv(0x30, oid("550403"), tlv(0x0C, b"a")), tlv(0x30, oid("550403"), tlv(0x0C, b"b")))
    found = read_certificate(build(subject=name(two, cn("c"), attribute("55040a", b"Org"), cn(b"\xff"))))
    assert found.names.common_names[:3] == ("a", "b", "c")
    assert isinstance(found.names.common_names[3], InvalidName)


def test_all_alternative_names_are_read_and_each_that_is_none_says_why() -> None:
    """One bad entry takes no other with it."""
    found = read_names(
        build(
            extensions=[
                san(
                    (0x82, b"a.example"),
                    (0x82, b"b\xc3\xbc.example"),
                    (0x82, b""),
                    (0x82, b"c.example\0"),
                    (0x87, bytes(4)),
                    (0x87, bytes(8)),
                    (0x87, bytes(15) + b"\1"),
                    (0x86, b"https://a.example"),
                    (0x81, b"a@b.example"),
                    (0xA4, tlv(0x30)),
                )
            ]
        )
    )
    assert found.dns[0] == "a.example"
    assert isinstance(found.dns[1], InvalidName)
    assert found.dns[2:] == ("", "c.example\0")
    assert found.ip[::2] == (ip_address(0), ip_address("::1"))
    assert isinstance(found.ip[1], InvalidName)
    assert found.other == ("uniformResourceIdentifier", "rfc822Name", "directoryName")
    judgement = judge(DnsHost("a.example"), found)
    assert judgement.subject_alternative_name.holds
    assert len(judgement.subject_alternative_name.mismatches) == 6


def test_a_distinguished_name_is_shown_as_rfc_4514_has_it() -> None:
    """Escaped, the last attribute first, unknown types by number, and never longer than one can read."""
    subject = name(
        attribute("55040a", b' #A, "B"+C ', 0x0C),
        attribute("2a0304", b"x\n"),
        tlv(0x31, tlv(0x30, oid("55040b"), tlv(0x0C, b"#1")), tlv(0x30, oid("550407"), tlv(0x0C, b""))),
        cn("ssm"),
    )
    shown = read_certificate(build(subject=subject)).subject
    assert shown == 'CN=ssm,OU=\\#1+L=,1.2.3.4=x\\0a,O=\\ #A\\, \\"B\\"\\+C\\ '
    assert len(read_certificate(build(subject=name(cn("a" * 10_000)))).subject) < 300
