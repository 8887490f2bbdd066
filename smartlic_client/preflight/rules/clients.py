"""Which stock clients will refuse a certificate that the policy accepts.

Source: names, "Measured: what stock clients do with a Common Name". Each client is a small function after
what was measured: curl 7.88 with OpenSSL 3.0, CPython 3.11's ssl, requests 2.34, Java 17. Go and the
browsers look at the alternative names only, as requests does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from smartlic_client.names import CertificateNames, DnsHost, Host, judge
from smartlic_client.preflight.catalogue import Finding, Severity, entry
from smartlic_client.preflight.observation import Observation, Role
from smartlic_client.preflight.options import Options
from smartlic_client.preflight.rules.names import expected_host

__all__ = ["CLIENTS", "find"]

refuse = entry(
    "stock-clients-refuse",
    "names",
    Severity.WARNING,
    "Some stock clients refuse the certificate",
    seen="{clients} will refuse it: {why}. ({others} will accept it.)",
    expected="{host} as the Common Name and among the alternative names",
    mend="Have a certificate with the name in both places: on the server, Security > Certificates: "
    "set Host Common "
    "Name to {host}, then synchronize the local accounts with Cisco Smart Software Manager. Products that "
    "go by the Common Name register as it is.",
    reference="Names, Measured: what stock clients do with a Common Name",
)


def _alternative(host: Host, names: CertificateNames) -> bool:
    return judge(host, names).subject_alternative_name.holds


def _last_common_name(host: Host, names: CertificateNames) -> bool:
    return bool(names.common_names) and names.read_common_names[-1] == host


def _curl(host: Host, names: CertificateNames) -> bool:
    """The last Common Name, an address too, but only where there is no alternative name of any kind."""
    return _alternative(host, names) if names.dns or names.ip else _last_common_name(host, names)


def _java(host: Host, names: CertificateNames) -> bool:
    """The last Common Name for a DNS name where there is no dNSName; an address only as iPAddress."""
    if _alternative(host, names):
        return True
    return isinstance(host, DnsHost) and not names.dns and _last_common_name(host, names)


def _python(host: Host, names: CertificateNames) -> bool:
    """Any Common Name for a DNS name where there is no dNSName; an address only as iPAddress."""
    if _alternative(host, names):
        return True
    return isinstance(host, DnsHost) and not names.dns and host in names.read_common_names


CLIENTS: dict[str, Callable[[Host, CertificateNames], bool]] = {
    "requests": _alternative,
    "Go": _alternative,
    "browsers": _alternative,
    "curl": _curl,
    "Java": _java,
    "Python's ssl": _python,
}


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    host, endpoint = expected_host(seen, options), seen.answered
    if host is None or endpoint is None:
        return
    names = endpoint.chain[0].names
    judgement = judge(host, names)
    if not judgement[options.policy].holds or judgement.subject_alternative_name.holds:
        return  # either the names are wrong altogether, or everybody accepts them
    refusing = [client for client, accepts in CLIENTS.items() if not accepts(host, names)]
    accepting = [client for client in CLIENTS if client not in refusing]
    if refusing:
        why = (
            "it has no alternative name"
            if not (names.dns or names.ip)
            else f"{host.text} is no alternative name"
        )
        yield refuse(
            seen.target.label,
            at=None if endpoint.role is Role.FILE else endpoint.where,
            clients=", ".join(refusing),
            others=", ".join(accepting) or "None of those known",
            why=why,
            host=host.text,
        )
