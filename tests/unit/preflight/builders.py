"""Observations for tests of the rules, as the probes would make them, with real certificates."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from smartlic_client.certificates import Certificate, read_certificate
from smartlic_client.hosts import parse_host
from smartlic_client.preflight.observation import (
    Endpoint,
    Observation,
    Outcome,
    Resolution,
    Role,
    ServerAccount,
    ServerApi,
    ServerFacts,
    Service,
    Target,
    Trust,
)
from smartlic_client.preflight.options import Earlier, Node, Options
from smartlic_client.preflight.rules import findings
from smartlic_client.preflight.targets import read_target
from tests.unit.client.tls_servers import CLIENT_AUTH, Authority

DAY = datetime.timedelta(days=1)
NOW = time.time()
VIP = "192.0.2.14"
NAME = "ssm.example.com"
NODES = (
    Node(role="primary", host=parse_host("192.0.2.11")),
    Node(role="secondary", host=parse_host("192.0.2.9")),
)
_SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex("2a864886f70d010105")
SERVICE = Service(sent="GET", status=405, allow="POST", at=NOW, date=NOW)


@lru_cache(maxsize=1)
def authority() -> Authority:
    return Authority()


@lru_cache(maxsize=64)
def leaf(*common_names: str, san: tuple[str, ...] = ()) -> Certificate:
    """A server's certificate, good for a year."""
    return read_certificate(authority().issue(*common_names, san=san, until=365 * DAY).der)


def dated(since: datetime.timedelta, until: datetime.timedelta) -> Certificate:
    return read_certificate(authority().issue(VIP, san=[VIP], since=since, until=until).der)


def for_clients() -> Certificate:
    return read_certificate(authority().issue(VIP, san=[VIP], usage=[CLIENT_AUTH], until=365 * DAY).der)


def root() -> Certificate:
    return read_certificate(x509.load_pem_x509_certificate(authority().pem).public_bytes(Encoding.DER))


@lru_cache(maxsize=1)
def weak_key() -> Certificate:
    """A certificate whose RSA key has 1024 bits, signed by a key of the same kind."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - a weak one is what is tested
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, VIP)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 365 * DAY)
    )
    return read_certificate(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


def weak_signature() -> Certificate:
    """The same, said to be signed with SHA-1: no library makes one any more."""
    return read_certificate(weak_key().der.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA))


def endpoint(
    *chain: Certificate,
    role: Role = Role.TARGET,
    address: str = VIP,
    outcome: Outcome = Outcome.TLS,
    tls: str = "TLSv1.3",
    detail: str = "as it says",
    port: int = 443,
) -> Endpoint:
    return Endpoint(
        role=role, address=address, port=port, outcome=outcome, detail=detail, tls=tls, chain=chain
    )


def seen(*chain: Certificate, url: str = VIP, **more: Any) -> Observation:
    """An observation of a target that answered with `chain`, trusted unless `more` says otherwise."""
    fields: dict[str, Any] = {
        "target": read_target(url),
        "resolution": Resolution(addresses=(VIP,)),
        "endpoints": (endpoint(*chain),) if chain else (),
        "anchors": (root(),),
        "trust": Trust(held=True, named=True),
        "service": SERVICE,
    }
    return Observation(**{**fields, **more})


def file(*chain: Certificate, name: str = "server.pem", **more: Any) -> Observation:
    """An observation of a certificate file."""
    target = Target(label=name, file=name)
    endpoints = (endpoint(*chain, role=Role.FILE, address=name, port=0, tls=""),) if chain else ()
    return Observation(target=target, endpoints=endpoints, **more)


def options(**more: Any) -> Options:
    return Options(**{"now": NOW, **more})


def pending(common_name: str, served: str) -> ServerFacts:
    return ServerFacts(common_name=common_name, served_name=served, pending=common_name != served)


def told(*accounts: ServerAccount, **more: Any) -> ServerFacts:
    """What the REST API says of these accounts."""
    return ServerFacts(api=ServerApi(url=f"https://{VIP}:8443", accounts=accounts, **more))


def earlier(certificate: Certificate, issuers: Sequence[str] | None = None) -> dict[str, Earlier]:
    """What an earlier run saw at the VIP's URL."""
    before = Earlier(
        at="2026-01-01T00:00:00Z",
        fingerprint=certificate.fingerprint,
        names=certificate.names,
        issuers=tuple(issuers or (certificate.issuer,)),
        active="primary",
    )
    return {read_target(VIP).label: before}


def ids(observation: Observation, chosen: Options | None = None) -> dict[str, str]:
    """The findings as id → severity."""
    return {each.id: each.severity.value for each in findings(observation, chosen or options())}
