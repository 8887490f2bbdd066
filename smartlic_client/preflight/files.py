"""Certificate files: PEM, DER or PKCS#12, as exported from a server; a key in one is not looked at."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from smartlic_client.certificates import Certificate, load_certificates
from smartlic_client.errors import SmartlicError
from smartlic_client.preflight.anchors import is_authority
from smartlic_client.preflight.observation import Endpoint, Flaw, Observation, Outcome, Role, Target, Trust

__all__ = ["look_at_file"]

_LONGEST_CHAIN = 10
_FLAWS = {
    "certificate-file-unreadable": "file-unreadable",
    "pkcs12-password-needed": "file-needs-password",
    "pkcs12-password-wrong": "file-needs-password",
}


def look_at_file(target: Target, anchors: tuple[Certificate, ...] = ()) -> Observation:
    """The certificates of a file, the server's own first, and whether they lead to an anchor."""
    path = Path(target.file or "").expanduser()
    try:
        found = load_certificates(path)
    except SmartlicError as error:
        flaw = Flaw(_FLAWS.get(error.code, "file-without-certificate"), error.sentence.rstrip("."))
        return Observation(target=target, file_flaw=flaw)
    except ValueError:  # a name that no file system takes
        return Observation(target=target, file_flaw=Flaw("file-unreadable", "there can be no such file"))
    chain = tuple(_leaf_first(found))
    endpoint = Endpoint(role=Role.FILE, address=target.label, port=0, outcome=Outcome.TLS, chain=chain)
    trust = _way_to_an_anchor(chain, anchors) if anchors else None
    return Observation(target=target, endpoints=(endpoint,), anchors=anchors, trust=trust)


def _leaf_first(found: list[Certificate]) -> list[Certificate]:
    """As a server presents them. Where the first is an authority, the first that is none goes before it."""
    place = next((place for place, each in enumerate(found) if not is_authority(each)), 0)
    return [found[place], *found[:place], *found[place + 1 :]]


def _way_to_an_anchor(chain: tuple[Certificate, ...], anchors: tuple[Certificate, ...]) -> Trust:
    """Issuer by issuer, name and signature (RFC 5280, section 6.1); dates are judged elsewhere."""
    here, ders = chain[0], {anchor.der for anchor in anchors}
    for _ in range(_LONGEST_CHAIN):
        if here.der in ders:
            return Trust(held=True)
        issuer = next((each for each in (*anchors, *chain[1:]) if _issued(here, each)), None)
        if issuer is None or issuer is here:
            break
        here = issuer
    return Trust(held=False, code=20, message="unable to get local issuer certificate")


def _issued(child: Certificate, issuer: Certificate) -> bool:
    if not (child.is_readable and issuer.is_readable and is_authority(issuer)):
        return False
    if child.issuer != issuer.subject:
        return False
    try:
        x509.load_der_x509_certificate(child.der).verify_directly_issued_by(
            x509.load_der_x509_certificate(issuer.der)
        )
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
