"""Trust anchors: those given with --ca, or the one of the server's chain whose fingerprint was given."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from pathlib import Path

from smartlic_client.certificates import Certificate, load_certificates, read_certificates
from smartlic_client.errors import SmartlicError
from smartlic_client.preflight.observation import Flaw

__all__ = ["anchor_by_fingerprint", "facts_of", "is_authority", "load_anchors", "read_fingerprint"]

_DIGEST = r"(?:sha-?256[:=])?((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})"


def load_anchors(path: str) -> bytes:
    """The anchors of a file, in any form that certificates come in, as PEM. Raises `check-bad-ca`."""
    from smartlic_client.preflight.problems import BAD_CA

    try:
        found = load_certificates(Path(path))
    except SmartlicError as error:
        raise BAD_CA(path=path, why=error.sentence.rstrip(".")) from None
    except ValueError:  # a name that no file system takes
        raise BAD_CA(path=path, why="there can be no such file") from None
    for each in found:
        if not each.is_readable:
            raise BAD_CA(path=path, why=f"a certificate in it is none: {each.flaws[0].detail}")
        if not is_authority(each):
            raise BAD_CA(path=path, why=f"{each.subject or 'a certificate in it'} is no CA certificate")
    return b"".join(map(_pem, found))


def is_authority(each: Certificate) -> bool:
    return each.basic_constraints is not None and each.basic_constraints.is_authority


def facts_of(pem: bytes) -> tuple[Certificate, ...]:
    """What the anchors are."""
    return tuple(read_certificates(pem))


def read_fingerprint(text: str) -> str:
    """`sha256:` and 64 hexadecimal digits in lower case, without colons. Raises ValueError."""
    digits = re.fullmatch(_DIGEST, text.strip().lower())
    if digits is None:
        raise ValueError("a fingerprint is sha256: and 64 hexadecimal digits, of the certificate's DER")
    return "sha256:" + digits[1].replace(":", "")


def anchor_by_fingerprint(fingerprint: str, chain: Iterable[Certificate]) -> bytes | Flaw:
    """The anchor of a presented chain, as PEM; a flaw where none is it, or where it can be no anchor."""
    shown = []
    for each in chain:
        if each.fingerprint != fingerprint:
            shown.append(f"{each.subject or 'a certificate'} {each.fingerprint}")
        elif not (is_authority(each) and each.self_issued):
            return Flaw("fingerprint-is-no-root", each.subject)
        else:
            return _pem(each)
    return Flaw("fingerprint-not-presented", "; ".join(shown) or "nothing")


def _pem(each: Certificate) -> bytes:
    return ssl.DER_cert_to_PEM_cert(each.der).encode()
