"""A licensing root that is given by option, so that devices keep their trust anchor from cluster to cluster.

- The certificate: one, in PEM; an authority's, self-signed, valid now, with room for two more below it.
- The key: EC P-256 or P-384, or RSA of 2048 bits or more; unencrypted PKCS#8 PEM; the certificate's; readable
  by its owner only.
"""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mock_server import pki
from mock_server.cssm.root import Root
from mock_server.errors import CallerError, problem
from smartlic_client.protocol import signing

__all__ = ["adopt", "read"]

BAD_CA = problem(
    "bad-ca",
    CallerError,
    "{path} cannot be the licensing root: {why}.",
    "Give a self-signed authority's certificate and its unencrypted PKCS#8 key, both in PEM.",
)
CA_KEY_OPEN = problem(
    "ca-key-readable",
    CallerError,
    "The key {path} can be read by others (mode {mode}).",
    "Keep it to its owner: chmod 600 {path}.",
)
OTHER_CA = problem(
    "other-ca",
    CallerError,
    "The cluster in {folder} has another licensing root than {path}.",
    "Leave the root out to start it as it is, or make another cluster with --folder.",
)


def read(certificate_path: str, key_path: str, now: datetime.datetime) -> pki.Issuer:
    """The root in these files; or what is wrong with them."""
    certificate = _certificate(certificate_path, now)
    key = _key(key_path)
    if key.public_key() != certificate.public_key():
        raise BAD_CA(path=key_path, why=f"it is not the key of {certificate_path}")
    return pki.Issuer(certificate, key, ())


def adopt(folder: Path, issuer: pki.Issuer, path: str, *, new: bool) -> bool:
    """Have this root in CSSM's folder if the cluster is new; else it has to be the one that is there.

    `path`: where it came from, for the refusal. True: it was written.
    """
    root = Root(folder)
    if new and not root.there:
        root.adopt(issuer)
        return True
    if root.issuer().certificate != issuer.certificate:
        raise OTHER_CA(folder=str(folder.parent), path=path)
    return False


def _certificate(path: str, now: datetime.datetime) -> x509.Certificate:
    try:
        (certificate,) = x509.load_pem_x509_certificates(_read(path))
        why = _flaw(certificate, now)
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise BAD_CA(path=path, why="it is no single certificate in PEM") from None
    if why:
        raise BAD_CA(path=path, why=why)
    return certificate


def _flaw(certificate: x509.Certificate, now: datetime.datetime) -> str:
    extensions = {type(one.value): one.value for one in certificate.extensions}
    constraints = extensions.get(x509.BasicConstraints)
    usage = extensions.get(x509.KeyUsage)
    if not isinstance(constraints, x509.BasicConstraints) or not constraints.ca:
        return "it is no authority's certificate"
    if constraints.path_length is not None and constraints.path_length < 2:
        return f"its path length {constraints.path_length} leaves no room for two authorities below it"
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        return "its key usage does not let it sign certificates"
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return f"it is valid from {certificate.not_valid_before_utc} to {certificate.not_valid_after_utc}"
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return "it is not self-signed"
    return ""


def _key(path: str) -> signing.PrivateKey:
    try:
        found = Path(path).stat().st_mode
    except OSError as error:
        raise BAD_CA(path=path, why=error.strerror) from None
    if not stat.S_ISREG(found):
        raise BAD_CA(path=path, why="it is no regular file")
    if found & 0o077:
        raise CA_KEY_OPEN(path=path, mode=f"{stat.S_IMODE(found):04o}")
    try:
        key = signing.load_key(_read(path).decode("ascii"))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BAD_CA(path=path, why="it is no unencrypted private key in PEM, EC or RSA") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        raise BAD_CA(path=path, why=f"its key has only {key.key_size} bits")
    curves = (ec.SECP256R1, ec.SECP384R1)
    if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, curves):
        raise BAD_CA(path=path, why=f"its curve {key.curve.name} is neither P-256 nor P-384")
    return key


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(64 << 10)
    except OSError as error:
        raise BAD_CA(path=path, why=error.strerror) from None
