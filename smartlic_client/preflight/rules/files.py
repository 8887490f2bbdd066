"""Certificate files: whether there is a certificate in one, and whether there is a name to hold "
"it against."""

from __future__ import annotations

from collections.abc import Iterator

from smartlic_client.preflight.catalogue import CATALOGUE, Finding, Severity, entry
from smartlic_client.preflight.observation import Observation
from smartlic_client.preflight.options import Options

__all__ = ["find"]

_REFERENCE = "Names, When it is checked (on PEM or DER files)"

entry(
    "file-unreadable",
    "file",
    Severity.ERROR,
    "The file cannot be read",
    seen="{reason}.",
    expected="a file with a certificate in PEM, DER or PKCS#12",
    mend="Check the name of the file and the rights on it.",
    reference=_REFERENCE,
)
entry(
    "file-without-certificate",
    "file",
    Severity.ERROR,
    "There is no certificate in the file",
    seen="{reason}.",
    expected="a certificate in PEM, DER or PKCS#12",
    mend="Export the certificate of the server again; in PEM it begins with -----BEGIN CERTIFICATE-----.",
    reference=_REFERENCE,
)
entry(
    "file-needs-password",
    "file",
    Severity.ERROR,
    "The file is locked with a password",
    seen="{reason}.",
    expected="a file without a password: no key is needed for a check",
    mend="Export the certificate alone: openssl pkcs12 -in FILE -nokeys -out certificate.pem",
    reference=_REFERENCE,
)
no_name = entry(
    "file-name-not-given",
    "file",
    Severity.WARNING,
    "There is no name to hold the certificate against",
    seen="The certificate has {names}; which host products will use was not said.",
    expected="--expected-name with the host of the products' destination URL",
    mend="Check again with --expected-name HOST.",
    reference=_REFERENCE,
)


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    if seen.file_flaw is not None:
        yield CATALOGUE[seen.file_flaw.id](seen.target.label, reason=seen.file_flaw.reason)
    elif seen.target.file and options.expected_name is None and seen.answered is not None:
        names = ", ".join(seen.answered.chain[0].names.seen[:10]) or "no name"
        yield no_name(seen.target.label, names=names)
