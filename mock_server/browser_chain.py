"""Whether an uploaded chain can be the browser certificate. Pure.

- One to ten certificates in PEM, at most 64 KiB, the browser's own first, each issued by the next.
- The first is for the key of the request that was made here, for server authentication, and no authority.
- All of them are valid now. The root may be there or not.
"""

from __future__ import annotations

import datetime
import itertools
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from mock_server.errors import CallerError, problem
from smartlic_client.protocol import signing

__all__ = ["checked", "names_of"]

MAX_CHAIN: Final = 64 << 10
MAX_CERTIFICATES: Final = 10

UNREADABLE = problem(
    "browser-chain-unreadable",
    CallerError,
    "The file is no certificate chain: {why}.",
    "Give the certificates in PEM: the browser certificate first, then those of its issuers.",
)
OTHER_KEY = problem(
    "browser-certificate-other-key",
    CallerError,
    "The certificate is not for the key of the last request.",
    "Have the last request signed (`smartlic-mock certificates csr`); each one has a key of its own.",
)
NOT_VALID = problem(
    "browser-certificate-not-valid",
    CallerError,
    "The certificate of {subject} is valid from {begins} to {ends}, and not now.",
    "Have it issued anew. Check this machine's clock: {now}.",
)
NOT_IN_ORDER = problem(
    "browser-chain-not-in-order",
    CallerError,
    "The certificate of {subject} was not issued by the next one in the file, {issuer}.",
    "Put them in order: the browser certificate first, each followed by its issuer.",
)
NOT_FOR_SERVERS = problem(
    "browser-certificate-not-for-servers",
    CallerError,
    "The certificate of {subject} cannot be a server's: {why}.",
    "Have it issued with the extended key usage serverAuth, and not as an authority.",
)


def checked(
    data: str, request_key: signing.PublicKey, now: datetime.datetime
) -> tuple[x509.Certificate, ...]:
    """The chain, leaf first; or the problem that it has."""
    chain = _read(data)
    leaf = chain[0]
    if leaf.public_key() != request_key:
        raise OTHER_KEY()
    for certificate, issuer in itertools.pairwise(chain):
        _issued(certificate, issuer)
    for certificate in chain:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begins <= now <= ends:
            raise NOT_VALID(
                subject=_subject(certificate), begins=begins, ends=ends, now=now.replace(microsecond=0)
            )
    _for_servers(leaf)
    return chain


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names in its SAN, as text."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [str(name.value) for name in found if isinstance(name, (x509.DNSName, x509.IPAddress))]


def _read(data: str) -> tuple[x509.Certificate, ...]:
    if len(data) > MAX_CHAIN:
        raise UNREADABLE(why=f"it is larger than {MAX_CHAIN} bytes")
    try:
        chain = x509.load_pem_x509_certificates(data.encode())
        for certificate in chain:
            certificate.public_key()
            certificate.extensions  # noqa: B018 - read, to see whether it can be
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise UNREADABLE(why="it holds no certificates in PEM, or one that is damaged") from None
    if len(chain) > MAX_CERTIFICATES:
        raise UNREADABLE(why=f"it holds {len(chain)} certificates, and {MAX_CERTIFICATES} may be")
    return tuple(chain)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
        authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        authority = False
    if not authority:
        raise NOT_IN_ORDER(subject=_subject(certificate), issuer=_subject(issuer))


def _for_servers(leaf: x509.Certificate) -> None:
    found = {type(extension.value): extension.value for extension in leaf.extensions}
    constraints = found.get(x509.BasicConstraints)
    usages = found.get(x509.ExtendedKeyUsage)
    why = ""
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        why = "it is an authority's"
    elif not isinstance(usages, x509.ExtendedKeyUsage) or ExtendedKeyUsageOID.SERVER_AUTH not in usages:
        why = "it has no extended key usage serverAuth"
    elif not names_of(leaf):
        why = "it has no names as SAN, and browsers read no others"
    if why:
        raise NOT_FOR_SERVERS(subject=_subject(leaf), why=why)


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:200] or "(no name)"
