"""The certificate now against the one that an earlier check saw, as across a failover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smartlic_client.certificates import Certificate
from smartlic_client.names import CertificateNames, judge
from smartlic_client.preflight.catalogue import Finding, Severity, entry
from smartlic_client.preflight.observation import Observation
from smartlic_client.preflight.options import Earlier, Options
from smartlic_client.preflight.rules.names import expected_host

__all__ = ["find"]

_ERROR, _WARNING, _INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION

changed = entry(
    "certificate-changed-at-failover",
    "cluster",
    _ERROR,
    "The certificate is not the one from before the failover",
    seen="{before}. {now}.",
    expected="the certificate with the name {host} on both nodes: a failover changes nothing that "
    "products see",
    mend="On the server: Security > Certificates: set Host Common Name to {host}, then synchronize the local "
    "accounts with Cisco Smart Software Manager on the server that is Active now, then register again.",
    reference="Names, The preflight check; Scenario B2",
)
issuer_changed = entry(
    "issuer-changed",
    "cluster",
    _WARNING,
    "The certificate comes from another issuer than before",
    seen="{before}. {now}.",
    expected="the same issuers as before",
    mend="Check whether the products trust the new issuer: give their trust anchor with --ca. If "
    "nobody made the "
    "cluster anew, somebody else answers, such as a proxy that opens TLS.",
    reference="Names, The preflight check",
)
renewed = entry(
    "certificate-renewed",
    "cluster",
    _INFORMATION,
    "The certificate was made anew",
    seen="{before}. {now}.",
    expected="the same certificate as before, or one of the right name",
    mend="Nothing: its names and its issuers are right. To compare with this one from now on, "
    "write a new result "
    "with --format json --output.",
    reference="Names, The preflight check",
)


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    before, endpoint = options.earlier.get(seen.target.label), seen.answered
    host = expected_host(seen, options)
    if before is None or endpoint is None or host is None:
        return
    leaf = endpoint.chain[0]
    if leaf.fingerprint == before.fingerprint:
        return
    told: dict[str, Any] = {"before": _before(before), "now": _now(seen, leaf), "host": host.text}
    if not judge(host, leaf.names)[options.policy].holds and leaf.names.seen != before.names.seen:
        yield changed(seen.target.label, **told)
    elif tuple(each.issuer for each in endpoint.chain) != before.issuers:
        yield issuer_changed(seen.target.label, **told)
    else:
        yield renewed(seen.target.label, **told)


def _before(before: Earlier) -> str:
    node = f", the {before.active.capitalize()} Active" if before.active else ""
    return f"Before ({before.at}{node}): {_shown(before.names, before.fingerprint)}"


def _now(seen: Observation, leaf: Certificate) -> str:
    node = f" (the {seen.active.role.value.capitalize()} Active)" if seen.active else ""
    return f"Now{node}: {_shown(leaf.names, leaf.fingerprint)}"


def _shown(names: CertificateNames, fingerprint: str) -> str:
    return f"{', '.join(names.seen[:5]) or 'no name'}, {fingerprint[:23]}…"
