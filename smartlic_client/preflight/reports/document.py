"""The JSON document of a run, and its schema. What is published here changes with `SCHEMA_VERSION` only.

It holds all findings and the facts that were observed, so that a later run can be compared with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from smartlic_client.certificates import Certificate
from smartlic_client.names import Policy, judge
from smartlic_client.preflight.catalogue import Severity
from smartlic_client.preflight.observation import Endpoint, Observation
from smartlic_client.preflight.reports.words import iso

if TYPE_CHECKING:
    from smartlic_client.preflight.run import Result, Run

__all__ = ["SCHEMA_VERSION", "Document", "build", "schema"]

SCHEMA_VERSION = 1


class FindingData(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `at`: the address, node or certificate where, if not all of the target."""

    id: str
    family: str
    severity: Severity
    target: str
    at: str | None
    seen: str
    expected: str
    mend: str
    reference: str


class CertificateData(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate as it was presented. Names that are no names stand there as they are."""

    fingerprint: str
    common_names: list[str]
    dns_names: list[str]
    ip_addresses: list[str]
    subject: str
    issuer: str
    serial: str
    not_before: str | None
    not_after: str | None
    key: str
    signature: str
    authority: bool
    flaws: list[str]


class EndpointData(msgspec.Struct, frozen=True, kw_only=True):
    """One address and port, and how far it was come. `chain`: the server's own certificate first."""

    role: str
    address: str
    port: int
    outcome: str
    detail: str
    tls: str
    cipher: str
    chain: list[CertificateData]


class TrustData(msgspec.Struct, frozen=True, kw_only=True):
    """How the checked connection ended. `held`: null where it could not be told."""

    held: bool | None
    named: bool
    message: str


class ServiceData(msgspec.Struct, frozen=True, kw_only=True):
    """What answered at the path. `clock_difference`: the server's minus this machine's, in seconds."""

    sent: str
    status: int
    content_type: str
    clock_difference: float | None


class ObservedData(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. `active`: which node is Active, where that could be told."""

    resolved: list[str]
    endpoints: list[EndpointData]
    nodes: list[EndpointData]
    active: str | None
    trust: TrustData | None
    service: ServiceData | None
    seconds: float


class ResultData(msgspec.Struct, frozen=True, kw_only=True):
    """One target. `names_hold`: what each policy says of the host; null where there was no certificate."""

    target: str
    name: str | None
    host: str | None
    port: int | None
    well: bool
    names_hold: dict[str, bool] | None
    findings: list[FindingData]
    observed: ObservedData


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    targets: int
    well: int
    errors: int
    warnings: int
    information: int


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A run of `smartlic check`. `ok`: no finding of severity error."""

    schema_version: int
    ok: bool
    checked_at: str
    policy: Policy
    counts: Counts
    results: list[ResultData]


def build(run: Run) -> Document:
    severities = [finding.severity for result in run.results for finding in result.findings]
    counts = Counts(
        targets=len(run.results),
        well=sum(result.well for result in run.results),
        errors=severities.count(Severity.ERROR),
        warnings=severities.count(Severity.WARNING),
        information=severities.count(Severity.INFORMATION),
    )
    return Document(
        schema_version=SCHEMA_VERSION,
        ok=run.well,
        checked_at=iso(run.at),
        policy=run.policy,
        counts=counts,
        results=[_result(result, run) for result in run.results],
    )


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document, published as docs/reference/findings-schema.json."""
    made = msgspec.json.schema(Document)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A result of `smartlic check --format json`",
        **made,
    }


def _result(result: Result, run: Run) -> ResultData:
    target, seen = result.target, result.observation
    host = run.expected_name or target.host
    answered = seen.answered
    verdicts = None
    if host is not None and answered is not None:
        verdicts = {each.policy.value: each.holds for each in judge(host, answered.chain[0].names)}
    return ResultData(
        target=target.label,
        name=target.name,
        host=host.text if host is not None else None,
        port=target.port if target.host is not None else None,
        well=result.well,
        names_hold=verdicts,
        findings=[
            FindingData(**{field: getattr(finding, field) for field in FindingData.__struct_fields__})
            for finding in result.findings
        ],
        observed=_observed(seen),
    )


def _observed(seen: Observation) -> ObservedData:
    trust, service = seen.trust, seen.service
    return ObservedData(
        resolved=list(seen.resolution.addresses) if seen.resolution else [],
        endpoints=[_endpoint(each) for each in seen.endpoints],
        nodes=[_endpoint(each) for each in seen.nodes],
        active=seen.active.role.value if seen.active else None,
        trust=TrustData(held=trust.held, named=trust.named, message=trust.message) if trust else None,
        service=ServiceData(
            sent=service.sent,
            status=service.status,
            content_type=service.content_type,
            clock_difference=None if service.date is None else round(service.date - service.at, 1),
        )
        if service
        else None,
        seconds=round(seen.seconds, 3),
    )


def _endpoint(each: Endpoint) -> EndpointData:
    return EndpointData(
        role=each.role.value,
        address=each.address,
        port=each.port,
        outcome=each.outcome.value,
        detail=each.detail,
        tls=each.tls,
        cipher=each.cipher,
        chain=[_certificate(certificate) for certificate in each.chain],
    )


def _certificate(each: Certificate) -> CertificateData:
    names = each.names
    return CertificateData(
        fingerprint=each.fingerprint,
        common_names=[name if isinstance(name, str) else name.text for name in names.common_names],
        dns_names=[name if isinstance(name, str) else name.text for name in names.dns],
        ip_addresses=[getattr(address, "text", None) or str(address) for address in names.ip],
        subject=each.subject,
        issuer=each.issuer,
        serial=f"{each.serial:x}" if each.serial is not None else "",
        not_before=_time(each.not_before),
        not_after=_time(each.not_after),
        key=_key(each),
        signature=each.signature.name if each.signature else "",
        authority=each.basic_constraints is not None and each.basic_constraints.is_authority,
        flaws=[flaw.sentence for flaw in each.flaws],
    )


def _key(each: Certificate) -> str:
    key = each.key
    if key is None:
        return ""
    return " ".join(str(part) for part in (key.kind, key.curve, key.bits) if part is not None)


def _time(at: datetime | None) -> str | None:
    return None if at is None else f"{at.year:04}-{at:%m-%dT%H:%M:%SZ}"
