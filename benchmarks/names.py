"""How fast names are checked: the match alone, and certificates of a file, parsed and matched.

Both limits are rates; a figure compares seconds, so the allowed time for one is what it is held against.
It is CPU time: neither waits for anything, and what else runs on the machine is not theirs.
"""

from __future__ import annotations

import datetime
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from benchmarks.figures import Figure, median
from smartlic_client.certificates import load_certificates
from smartlic_client.names import CertificateNames, Host, Match, match, parse_host

_PAIRS_A_SECOND = 200_000
_CERTIFICATES_A_SECOND = 15_000
_CERTIFICATES = 3_000
_TURNS = 11


def measure() -> list[Figure]:
    return [_match_alone(), _from_a_file()]


def _match_alone() -> Figure:
    """Hosts of all three kinds against Common Names, the same and others; all parsed before."""
    texts = [f"192.0.2.{n}" for n in range(40)] + [f"2001:db8::{n:x}" for n in range(20)]
    texts += [f"ssm-{n}.licensing.example.com" for n in range(60)]
    hosts = [parse_host(text) for text in texts]
    certificates = [CertificateNames((text,), (text,)) for text in texts]
    pairs = [(host, names) for host in hosts for names in certificates]
    matched = sum(isinstance(match(host, names), Match) for host, names in pairs)  # warms up: names are read
    assert matched == len(texts)

    def run() -> None:
        for host, names in pairs:
            match(host, names)

    return _figure("a host against a certificate's names", run, len(pairs), _PAIRS_A_SECOND, "pairs")


def _from_a_file() -> Figure:
    """A PEM file as a cluster's operators have them: each certificate differs, the issuer is one."""
    with tempfile.TemporaryDirectory(prefix="smartlic-bench-") as folder:
        path = Path(folder, "certificates.pem")
        path.write_bytes(_bundle(_CERTIFICATES))
        host: Host = parse_host("ssm-7.licensing.example.com")

        def run() -> None:
            found = load_certificates(path)
            matched = [isinstance(match(host, certificate.names), Match) for certificate in found]
            assert sum(matched) == 1

        return _figure(
            "a certificate of a file, parsed and matched",
            run,
            _CERTIFICATES,
            _CERTIFICATES_A_SECOND,
            "certificates",
        )


def _figure(name: str, run: Callable[[], None], items: int, rate: int, of_what: str) -> Figure:
    samples = []
    run()
    for _ in range(_TURNS):
        began = time.process_time()
        run()
        samples.append((time.process_time() - began) / items * 1e6)
    return Figure(
        name, median(samples), 1e6 / rate, "µs", f"that of {rate:,} {of_what} a second", 1.0, samples
    )


def _bundle(count: int) -> bytes:
    """`count` server certificates in PEM, half with RSA keys, with the extensions that CAs put in."""
    signer = ec.generate_private_key(ec.SECP256R1())
    keys: list[rsa.RSAPublicKey | ec.EllipticCurvePublicKey] = [
        rsa.generate_private_key(65537, 2048).public_key(),
        signer.public_key(),
    ]
    issuer = _name("Cisco SSM On-Prem Licensing Root")
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    pem = []
    for number in range(count):
        name = f"ssm-{number}.licensing.example.com"
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer)
            .public_key(keys[number % 2])
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(minutes=number))
            .not_valid_after(now + datetime.timedelta(days=365, minutes=number))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(True, False, True, *[False] * 6), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier(number.to_bytes(20, "big")), critical=False)
            .add_extension(aki, critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        )
        pem.append(builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM))
    return b"".join(pem)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Networks"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Licensing"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
