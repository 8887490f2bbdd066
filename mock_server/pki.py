"""Certificates of the mock: licensing root → On-Prem CA → product, browser and answer certificates, and
→ ID CA → ID certificates (server, "Certificates"; protocol, "Messages on the Smart transport").

The ID CA is one of its own and bound to client authentication, so that a registered device can never pose as
the VIP. Everything is returned as values; times are the real clock's, because TLS knows no other.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from smartlic_client.protocol import signing

__all__ = [
    "Issued",
    "Issuer",
    "Purpose",
    "der_chain",
    "ends_within",
    "fingerprint",
    "general_name",
    "new_authority",
    "new_root",
    "pem_chain",
    "to_pem",
]

ORGANIZATION = "Mock SSM On-Prem (no real licensing)"
_SLACK = datetime.timedelta(hours=1)
_YEAR = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Purpose:
    """What a leaf may be used for, and for how long."""

    usage: x509.ObjectIdentifier
    days: int


PRODUCT = Purpose(ExtendedKeyUsageOID.SERVER_AUTH, 730)
BROWSER = Purpose(ExtendedKeyUsageOID.SERVER_AUTH, 397)
ANSWERS = Purpose(signing.LICENSING_ANSWER, 730)
IDENTITY = Purpose(ExtendedKeyUsageOID.CLIENT_AUTH, 365)


@dataclass(frozen=True)
class Issued:
    """A certificate with its chain up to, and without, the root; and the private key, PEM, if made here."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key_pem: bytes = field(repr=False)

    @property
    def der_chain(self) -> list[str]:
        return der_chain([self.certificate, *self.chain])


@dataclass(frozen=True)
class Issuer:
    """A certificate authority: it signs, and `chain` is what its leaves show, itself first, no root."""

    certificate: x509.Certificate
    key: signing.PrivateKey
    chain: tuple[x509.Certificate, ...]

    def leaf(
        self,
        common_name: str,
        purpose: Purpose,
        *,
        now: datetime.datetime,
        alternative_names: Sequence[str] = (),
    ) -> Issued:
        """A server-side certificate with a new key. Each name goes in as dNSName or iPAddress."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(common_name), key.public_key(), purpose, now)
        if alternative_names:
            names = x509.SubjectAlternativeName(
                [general_name(name) for name in dict.fromkeys(alternative_names)]
            )
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return Issued(certificate, self.chain, signing.dump_key(key).encode())

    def identity(
        self, public_key: signing.PublicKey, piid: str, *, now: datetime.datetime
    ) -> x509.Certificate:
        """An ID certificate. Its CN has blanks: it parses as no host, whatever the device is called."""
        subject = x509.Name(
            [
                _PRODUCT_INSTANCE,
                x509.NameAttribute(NameOID.SERIAL_NUMBER, piid),
                _ORGANIZATION,
            ]
        )
        return self._builder(subject, public_key, IDENTITY, now).sign(self.key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: signing.PublicKey, purpose: Purpose, now: datetime.datetime
    ) -> x509.CertificateBuilder:
        return (
            _begun(self.certificate, purpose)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SLACK)
            .not_valid_after(now + datetime.timedelta(days=purpose.days))
        )


_PRODUCT_INSTANCE = x509.NameAttribute(NameOID.COMMON_NAME, "SSM On-Prem product instance")
_ORGANIZATION = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)
_LEAF = x509.BasicConstraints(ca=False, path_length=None)


def _key_usage(*, signs: bool, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


_SIGNS = _key_usage(signs=True, certifies=False)


@lru_cache(maxsize=16)
def _begun(issuer: x509.Certificate, purpose: Purpose) -> x509.CertificateBuilder:
    """What all leaves of an issuer for a purpose have in common. A builder is never changed itself."""
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer.subject)
        .add_extension(_LEAF, critical=True)
        .add_extension(_SIGNS, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose.usage]), critical=False)
        .add_extension(_key_identifier(issuer), critical=False)
    )


@lru_cache(maxsize=16)
def _key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            _ORGANIZATION,
        ]
    )


def general_name(name: str) -> x509.GeneralName:
    """The name as SAN: iPAddress or dNSName."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _authority(
    common_name: str,
    key: signing.PublicKey,
    issuer: x509.Name,
    now: datetime.datetime,
    years: int,
    path_length: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + years * _YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs=False, certifies=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def new_root(common_name: str, now: datetime.datetime) -> Issuer:
    """The licensing root, self-signed: what devices trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _authority(common_name, key.public_key(), _name(common_name), now, 20, 2)
    return Issuer(builder.sign(key, hashes.SHA256()), key, ())


def new_authority(
    parent: Issuer,
    common_name: str,
    public_key: signing.PublicKey,
    *,
    now: datetime.datetime,
    path_length: int,
    only_for: x509.ObjectIdentifier | None = None,
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The certificate of an authority below `parent`, and the chain that its leaves show."""
    builder = _authority(common_name, public_key, parent.certificate.subject, now, 10, path_length)
    builder = builder.add_extension(_key_identifier(parent.certificate), critical=False)
    if only_for is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([only_for]), critical=False)
    certificate = builder.sign(parent.key, hashes.SHA256())
    return certificate, (certificate, *parent.chain)


def new_id_authority(
    parent: Issuer, common_name: str, public_key: signing.PublicKey, *, now: datetime.datetime
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """As `new_authority`, for ID certificates: its leaves are clients, and it has no authority below."""
    only_for = ExtendedKeyUsageOID.CLIENT_AUTH
    return new_authority(parent, common_name, public_key, now=now, path_length=0, only_for=only_for)


def ends_within(certificate: x509.Certificate, days: int, now: datetime.datetime) -> bool:
    """Whether a certificate ends in so many days, or has ended."""
    return certificate.not_valid_after_utc <= now + datetime.timedelta(days=days)


def to_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def der_chain(certificates: Sequence[x509.Certificate]) -> list[str]:
    """Base64 DER, in the order given: the form in which messages and events carry certificates."""
    return [base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode() for c in certificates]


def pem_chain(chain: Sequence[str]) -> bytes:
    """PEM of a chain in base64 DER."""
    return b"".join(to_pem(x509.load_der_x509_certificate(base64.b64decode(c))) for c in chain)


def fingerprint(certificate: x509.Certificate) -> str:
    """`sha256:` and the hexadecimal digest of the DER: what a person compares."""
    return "sha256:" + certificate.fingerprint(hashes.SHA256()).hex()
