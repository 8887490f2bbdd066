"""How the two nodes know each other: each has a self-signed certificate, and trusts exactly the peer's."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Peers are pinned, so an end of validity would only stop an old cluster from starting.
_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


def make(name: str) -> tuple[bytes, bytes]:
    """A new certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def contexts(
    certificate: Path, key: Path, trusted: Path, refused: Callable[[ssl.SSLError], None] = lambda _error: None
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts of a node for accepting its peer and for connecting to it.

    `trusted`: the peer's certificate. `refused`: told of a handshake that failed; of those that were accepted
    here the event loop tells nobody."""
    made = []
    for purpose in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(purpose)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # the certificate is pinned: its name says nothing more
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(trusted)
        context.sslobject_class = _watched(refused)
        made.append(context)
    made[0].num_tickets = 0  # a session is never resumed
    return made[0], made[1]


def _watched(refused: Callable[[ssl.SSLError], None]) -> type[ssl.SSLObject]:
    class Watched(ssl.SSLObject):
        told = False

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except ssl.SSLWantReadError:
                raise
            except ssl.SSLError as error:
                if self.told:
                    raise
                self.told = True
                refused(error)
                # The loop would drop the alert by which the peer learns why; waiting for more, it sends it.
                raise ssl.SSLWantReadError from error

    return Watched


def why_refused(error: BaseException, peer: str) -> str | None:
    """What a failed handshake says of the keys of the two nodes; None: nothing."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the {peer} shows another key than the one that this server trusts"
    reason = str(getattr(error, "reason", None) or "")
    if "ALERT" in reason and ("CERT" in reason or "UNKNOWN_CA" in reason):
        return f"the {peer} does not trust this server's key"
    return None


def fingerprint(certificate: Path) -> str:
    """SHA-256 of a certificate, as operators compare it."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()
