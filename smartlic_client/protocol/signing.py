"""Keys, signatures and certificate chains of messages (protocol, "Messages on the Smart transport")."""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

__all__ = [
    "LICENSING_ANSWER",
    "PrivateKey",
    "PublicKey",
    "dump_key",
    "load_key",
    "make_csr",
    "new_key",
    "public_key_bytes",
    "read_certificate",
    "read_csr",
    "sign",
    "verify",
    "verify_answer_chain",
]

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# An arc of our own under 2.25 (UUID-based, ITU-T X.667), so that a certificate for TLS, or a device's own,
# never passes as one that may sign licensing answers.
LICENSING_ANSWER: Final = x509.ObjectIdentifier("2.25.147682486394148939301749698445047513555")

_SHA256 = hashes.SHA256()
_ECDSA = ec.ECDSA(_SHA256)
# What cryptography raises beside ValueError for certificates and requests that it cannot read.
_UNREADABLE = (x509.InvalidVersion, UnsupportedAlgorithm)


def new_key(kind: str = "ec") -> PrivateKey:
    """A new device key: "ec" (P-256, the default) or "rsa" (2048 bits)."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def load_key(pem: str) -> PrivateKey:
    """A private key from unencrypted PKCS#8 PEM. Raises ValueError on any other kind."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise ValueError("neither an EC nor an RSA key")
    return key


def dump_key(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_key_bytes(key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo in DER: what a registration is known by before there is a PIID."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key: PrivateKey, data: bytes) -> str:
    """Signature over `data` with SHA-256, in base64."""
    if isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(data, padding.PKCS1v15(), _SHA256)
    else:
        raw = key.sign(data, _ECDSA)
    return base64.b64encode(raw).decode()


def verify(key: PublicKey, data: bytes, signature: str) -> bool:
    """Whether the base64 `signature` over `data` is by `key`."""
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, data, padding.PKCS1v15(), _SHA256)
        else:
            key.verify(raw, data, _ECDSA)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def make_csr(key: PrivateKey, common_name: str) -> str:
    """A PKCS#10 request in base64 DER. The server chooses the subject; ours only helps a reader."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, _SHA256)
    return base64.b64encode(csr.public_bytes(serialization.Encoding.DER)).decode()


def read_csr(text: str) -> PublicKey | None:
    """The public key of a base64 DER request whose own signature holds and whose key is strong enough.

    None for anything else: EC other than P-256/P-384, RSA under 2048 or over 4096 bits, no request at all.
    """
    try:
        csr = x509.load_der_x509_csr(base64.b64decode(text, validate=True))
        key = csr.public_key()
        strong = (
            isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, (ec.SECP256R1, ec.SECP384R1))
        ) or (isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 4096)
        if not strong or not csr.is_signature_valid:
            return None
    except (ValueError, TypeError, *_UNREADABLE):
        return None
    assert isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey))  # noqa: S101 - narrows the type
    return key


def read_certificate(text: str) -> tuple[x509.Certificate, object]:
    """A certificate in base64 DER, and its public key. Raises ValueError for anything else."""
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        return certificate, certificate.public_key()
    except _UNREADABLE as error:
        raise ValueError(str(error)) from None


def _may_sign_answers(
    _policy: Policy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
) -> None:
    if usage is None or LICENSING_ANSWER not in usage:
        raise ValueError("the certificate is not one for licensing answers")


def _may_issue_signers(
    _policy: Policy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
) -> None:
    # An authority for devices' ID certificates is bound to client authentication: it makes no signers.
    if usage is not None and LICENSING_ANSWER not in usage:
        raise ValueError("its issuer is not one for licensing answers")


@lru_cache(maxsize=8)
def _anchors(pem: bytes) -> Store:
    return Store(x509.load_pem_x509_certificates(pem))


def _authorities() -> ExtensionPolicy:
    return ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _may_issue_signers
    )


@lru_cache(maxsize=64)
def _answer_key(
    chain: tuple[str, ...], anchors_pem: bytes, hour: int
) -> tuple[PublicKey, datetime.datetime, datetime.datetime]:
    """The leaf's key and its validity. Cached by the hour: a server signs all its answers with one chain."""
    certificates = [x509.load_der_x509_certificate(base64.b64decode(c, validate=True)) for c in chain]
    leaf, *between = certificates
    policy = ExtensionPolicy.permit_all().require_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _may_sign_answers
    )
    at = max(hour * 3600, int(leaf.not_valid_before_utc.timestamp()))
    verifier = (
        PolicyBuilder()
        .store(_anchors(anchors_pem))
        .time(datetime.datetime.fromtimestamp(at, datetime.UTC))
        .max_chain_depth(3)
        .extension_policies(ca_policy=_authorities(), ee_policy=policy)
        .build_client_verifier()
    )
    verifier.verify(leaf, between)
    key = leaf.public_key()
    if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise ValueError("neither an EC nor an RSA key")
    return key, leaf.not_valid_before_utc, leaf.not_valid_after_utc


def verify_answer_chain(chain: Sequence[str], anchors_pem: bytes, now: float) -> PublicKey:
    """The key that may sign licensing answers: leaf first, base64 DER, leading to one of the anchors.

    `now` in Unix seconds. Raises ValueError with the reason.
    """
    if not 1 <= len(chain) <= 4:
        raise ValueError("no certificates came with it")
    try:
        key, begins, ends = _answer_key(tuple(chain), anchors_pem, int(now // 3600))
    except VerificationError as error:
        raise ValueError(f"its certificate does not lead to the trust anchor ({error})") from None
    except (ValueError, *_UNREADABLE) as error:
        raise ValueError(f"its certificate is not valid ({error})") from None
    if not begins.timestamp() <= now <= ends.timestamp():
        raise ValueError("its certificate is outside its validity")
    return key
