"""Reading certificates: one in DER, or all of a file (names, "On PEM or DER files, without a network")."""

from smartlic_client.certificates.fields import BasicConstraints, Key, SignatureAlgorithm
from smartlic_client.certificates.files import Password, load_certificates, read_certificates
from smartlic_client.certificates.flaws import Flaw, FlawKind
from smartlic_client.certificates.reading import Certificate, read_certificate, read_names

__all__ = [
    "BasicConstraints",
    "Certificate",
    "Flaw",
    "FlawKind",
    "Key",
    "Password",
    "SignatureAlgorithm",
    "load_certificates",
    "read_certificate",
    "read_certificates",
    "read_names",
]
