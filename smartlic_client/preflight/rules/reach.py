"""Whether the target answers, and whether what answers speaks TLS as it should."""

from __future__ import annotations

from collections.abc import Iterator

from smartlic_client.preflight.catalogue import Entry, Finding, Severity, entry
from smartlic_client.preflight.observation import Endpoint, Observation, Outcome
from smartlic_client.preflight.options import Options

__all__ = ["find"]

_ERROR, _WARNING, _INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_PREFLIGHT = "Names, The preflight check"
_TLS = "RFC 8446; RFC 8996 (TLS 1.0 and 1.1 are over)"

refused = entry(
    "connection-refused",
    "reach",
    _ERROR,
    "Nothing listens there",
    seen="{where} refuses connections.",
    expected="the VIP, which accepts connections on this port",
    mend="Check host and port, and that the cluster is up: the VIP is on the Active node only. In "
    "the middle of "
    "a failover: wait (--watch).",
    reference=_PREFLIGHT,
)
timed_out = entry(
    "connection-timeout",
    "reach",
    _ERROR,
    "No answer in time",
    seen="{where}: {detail}.",
    expected="a connection within --timeout",
    mend="Check the route and the firewalls between this machine and {where}, and that the cluster is up.",
    reference=_PREFLIGHT,
)
failed = entry(
    "connection-failed",
    "reach",
    _ERROR,
    "No connection could be made",
    seen="{where}: {detail}.",
    expected="a route to the VIP",
    mend="Check the network of this machine and the route to {where}.",
    reference=_PREFLIGHT,
)
closed = entry(
    "connection-closed",
    "reach",
    _ERROR,
    "The connection was closed before the certificate came",
    seen="{where}: {detail}.",
    expected="a TLS handshake",
    mend="Try again; a failover closes connections. If it stays, look for a middlebox that resets "
    "them, such as a "
    "firewall or a proxy.",
    reference=_PREFLIGHT,
)
silent = entry(
    "tls-no-answer",
    "reach",
    _ERROR,
    "The server accepts, and then says nothing",
    seen="{where}: {detail}.",
    expected="a TLS handshake",
    mend="Check that {where} is the HTTPS port of the cluster, and that its services are up.",
    reference=_PREFLIGHT,
)
no_tls = entry(
    "tls-absent",
    "reach",
    _ERROR,
    "What answers speaks no TLS",
    seen="{where}: {detail}.",
    expected="a TLS handshake",
    mend="Take the HTTPS port of the cluster: another service answers at {where}.",
    reference=_PREFLIGHT,
)
http = entry(
    "http-on-tls-port",
    "reach",
    _ERROR,
    "HTTP without TLS answers",
    seen="{where}: {detail}.",
    expected="a TLS handshake",
    mend="Take the HTTPS port of the cluster. If the port is right, a portal or a proxy answers in "
    "its place.",
    reference=_PREFLIGHT,
)
tls_failed = entry(
    "tls-failed",
    "reach",
    _ERROR,
    "The TLS handshake fails",
    seen="{where}: {detail}.",
    expected="a TLS handshake with TLS 1.2 or later",
    mend="Check that {where} is the HTTPS port of the cluster, and look into the log of its web server.",
    reference=_TLS,
)
proxy = entry(
    "proxy-failed",
    "reach",
    _ERROR,
    "A proxy is in the way",
    seen="{detail}.",
    expected="a proxy that connects to {where}, or none",
    mend="Check the address of the proxy and its credentials, and that it allows CONNECT to "
    "{where}; or let the "
    "products reach the cluster without a proxy.",
    reference="Names, When it is checked; RFC 9110, section 9.3.6",
)
one_of_several = entry(
    "address-unreachable",
    "reach",
    _WARNING,
    "One of the addresses does not answer",
    seen="{where}: {detail}. Another address of {host} answers.",
    expected="an answer at every address of the name",
    mend="Take the address out of DNS, or let the cluster answer there: products that try {where} "
    "first wait or "
    "fail.",
    reference=_PREFLIGHT,
)
old_tls = entry(
    "tls-version-old",
    "reach",
    _ERROR,
    "The server offers no current TLS",
    seen="{where} speaks {version} at most.",
    expected="TLS 1.2 or TLS 1.3",
    mend="Enable TLS 1.2 or later on the server, or on the middlebox or proxy that ends TLS before it.",
    reference=_TLS,
)
proxy_in_environment = entry(
    "proxy-in-environment",
    "reach",
    _INFORMATION,
    "This machine is set to use a proxy",
    seen="{variable} is set. It was not used: the check connects as a product without a proxy does.",
    expected="the same way to the cluster as the products have",
    mend="If the products go through a proxy, give it: --proxy http://HOST:PORT.",
    reference="Names, When it is checked",
)

_BY_OUTCOME: dict[Outcome, Entry] = {
    Outcome.REFUSED: refused,
    Outcome.TIMEOUT: timed_out,
    Outcome.UNREACHABLE: failed,
    Outcome.CLOSED: closed,
    Outcome.SILENT: silent,
    Outcome.NO_TLS: no_tls,
    Outcome.HTTP: http,
    Outcome.TLS_FAILED: tls_failed,
    Outcome.PROXY: proxy,
}


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    if options.proxy_in_environment and seen.endpoints and options.proxy is None and not seen.target.file:
        yield proxy_in_environment(seen.target.label, variable=options.proxy_in_environment)
    for endpoint in seen.endpoints:
        if endpoint.outcome is not Outcome.TLS:
            yield _failure(seen, endpoint)
        elif endpoint.tls in ("TLSv1", "TLSv1.1", "SSLv3"):
            version = endpoint.tls.replace("TLSv1.1", "TLS 1.1").replace("TLSv1", "TLS 1.0")
            yield old_tls(seen.target.label, at=endpoint.where, where=endpoint.where, version=version)


def _failure(seen: Observation, endpoint: Endpoint) -> Finding:
    where, detail = endpoint.where, endpoint.detail.rstrip(".")
    if seen.answered is not None:
        host = seen.target.host.text if seen.target.host else ""
        return one_of_several(seen.target.label, at=where, where=where, detail=detail, host=host)
    found = _BY_OUTCOME[endpoint.outcome]
    return found(seen.target.label, at=where, where=where, detail=detail)
