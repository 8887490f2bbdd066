"""The destination URL as it was written, and what its host resolves to."""

from __future__ import annotations

from collections.abc import Iterator

from smartlic_client.names import DnsHost
from smartlic_client.preflight.catalogue import CATALOGUE, Finding, Severity, entry
from smartlic_client.preflight.observation import Observation
from smartlic_client.preflight.options import Options
from smartlic_client.protocol.transports import TransportKind

__all__ = ["find"]

_ERROR, _WARNING, _INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_URL = f"https://HOST{TransportKind.CALLHOME.path}"
_FORM = f"a URL of the form {_URL}, with the VIP or the FQDN of the cluster for HOST"
_WRITE = f"Write the destination as {_URL}"
_REFERENCE = "Protocol, Destination URLs; RFC 3986, section 3"
_NAMES = "Names, How two names are equal"

entry(
    "url-malformed",
    "destination",
    _ERROR,
    "The destination is no URL",
    seen="It cannot be read: {reason}.",
    expected=_FORM,
    mend=f"{_WRITE}.",
    reference=_REFERENCE,
)
entry(
    "url-host-malformed",
    "destination",
    _ERROR,
    "The host of the URL is none",
    seen="The host cannot be used: {reason}.",
    expected="an IPv4 address in dotted decimal, an IPv6 address in brackets, or a DNS name",
    mend=f"{_WRITE}. An address is written in full; a zone id such as %eth0 has no place in a URL.",
    reference=_NAMES,
)
entry(
    "url-port-out-of-range",
    "destination",
    _ERROR,
    "There is no such port",
    seen="The port is {reason!r}.",
    expected="a number from 1 to 65535; 443 where none is given",
    mend=f"{_WRITE}, and another port, if there is one, as HOST:PORT.",
    reference=_REFERENCE,
)
entry(
    "url-not-https",
    "destination",
    _ERROR,
    "The URL is not an https URL",
    seen="The scheme is {reason!r}; it was checked as https.",
    expected="https: licensing messages carry tokens, and their server must be known",
    mend=f"{_WRITE}.",
    reference=_REFERENCE,
)
entry(
    "url-user-info",
    "destination",
    _ERROR,
    "The URL holds a user name or a password",
    seen="Something stands before an @ in it; it is not shown.",
    expected=_FORM,
    mend=f"{_WRITE}, without what stands before the @. If it was a password, change it: URLs are logged.",
    reference=_REFERENCE,
)
entry(
    "url-query-or-fragment",
    "destination",
    _ERROR,
    "The URL holds a query or a fragment",
    seen="After the path stands {reason!r}.",
    expected=_FORM,
    mend=f"{_WRITE}, with nothing after the path.",
    reference=_REFERENCE,
)
entry(
    "url-port-unusual",
    "destination",
    _WARNING,
    "The port is hardly that of the licensing service",
    seen="{reason}.",
    expected="443, or the port on which this cluster serves products",
    mend="Leave the port out of the URL, or take the port on which the cluster serves products.",
    reference="Protocol, Destination URLs",
)
entry(
    "url-path-misspelt",
    "destination",
    _ERROR,
    "The path is nearly right",
    seen="The path differs from {reason} in upper and lower case or by a slash at its end.",
    expected="{reason}, letter by letter",
    mend="Write the path as {reason}.",
    reference="Protocol, Destination URLs; RFC 3986, section 6.2.2.1",
)
entry(
    "url-path-unknown",
    "destination",
    _WARNING,
    "The path is none of an SSM On-Prem",
    seen="The path is {reason}.",
    expected="/Transportgateway/services/DeviceRequestHandler (Transport Gateway), /SmartTransport, or "
    "/cslu/v1/pi/<local account>-1",
    mend=f"Take the path of the product's transport; for the Transport Gateway the URL is {_URL}.",
    reference="Protocol, Destination URLs",
)
entry(
    "host-underscore",
    "destination",
    _WARNING,
    "The host has an underscore",
    seen="The host is {reason}.",
    expected="letters, digits and hyphens only (RFC 1123, section 2.1)",
    mend="Give the cluster a name without an underscore: some products and some issuers of certificates "
    "refuse it.",
    reference=_NAMES,
)
entry(
    "inventory-duplicate",
    "destination",
    _INFORMATION,
    "The target stands more than once in the inventory",
    seen="It stands at {places}; it was checked once.",
    expected="each destination once",
    mend="Remove what is there twice, or see whether another URL was meant.",
    reference="How to check before a migration",
)

host_unqualified = entry(
    "host-unqualified",
    "destination",
    _WARNING,
    "The host is a name without a domain",
    seen="The host is {host}, one label alone.",
    expected="a fully qualified name, such as {host}.example.com",
    mend="Put the fully qualified name into the destination URL and into Host Common Name: a name without a "
    "domain means another machine in each search list.",
    reference=_NAMES,
)
host_is_node = entry(
    "host-is-node",
    "destination",
    _WARNING,
    "The URL names one node, not the cluster",
    seen="The host {host} is the {node}'s own.",
    expected="the VIP, or a name that resolves to it",
    mend="Put the VIP or the FQDN of the cluster into the destination URL: after a failover nobody "
    "answers at "
    "{host}.",
    reference="Scenario B1.4",
)

name_unresolved = entry(
    "name-unresolved",
    "resolution",
    _ERROR,
    "The name does not resolve",
    seen="{host}: {reason}.",
    expected="an A record, an AAAA record, or both, for the VIP",
    mend="Enter {host} in DNS with the address of the VIP. To check before that: --resolve "
    "{host}:{port}:ADDRESS.",
    reference="Names, The preflight check",
)
name_late = entry(
    "name-resolution-timeout",
    "resolution",
    _ERROR,
    "DNS does not answer in time",
    seen="No DNS server told the address of {host} in time.",
    expected="an answer within --timeout",
    mend="Check the DNS servers of this machine and the way to them.",
    reference="Names, The preflight check",
)
resolves_to_node = entry(
    "name-resolves-to-node",
    "resolution",
    _WARNING,
    "The name resolves to one node",
    seen="{host} resolves to {address}, the {node}'s own address.",
    expected="the address of the VIP",
    mend="Let {host} resolve to the VIP: after a failover nobody answers at {address}.",
    reference="Scenario B1.4",
)
resolves_to_several = entry(
    "name-resolves-to-several",
    "resolution",
    _INFORMATION,
    "The name resolves to several addresses",
    seen="{host} resolves to {addresses}.",
    expected="one address of each family: the VIP's",
    mend="See whether each of these is the cluster: a product may take any of them.",
    reference="Names, The preflight check",
)


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    target = seen.target
    for flaw in target.flaws:
        yield CATALOGUE[flaw.id](target.label, reason=flaw.reason)
    if target.repeated:
        places = ", ".join(target.repeated[:5]) + (", …" if len(target.repeated) > 5 else "")
        yield CATALOGUE["inventory-duplicate"](target.label, places=places)
    if isinstance(target.host, DnsHost) and not target.host.is_qualified:
        yield host_unqualified(target.label, host=target.host.text)
    for node in options.nodes:
        if node.host == target.host and node.port in (None, target.port):
            yield host_is_node(target.label, host=target.host.text, node=node.role.capitalize())
    yield from _resolution(seen, options)


def _resolution(seen: Observation, options: Options) -> Iterator[Finding]:
    label, host, found = seen.target.label, seen.target.host, seen.resolution
    if host is None or found is None or not isinstance(host, DnsHost):
        return
    if found.late:
        yield name_late(label, host=host.text)
    elif not found.addresses:
        why = found.failure or "there is no address"
        yield name_unresolved(label, host=host.text, reason=why, port=seen.target.port)
    for node in options.nodes:
        own = node.host.text
        if own in found.addresses and node.port in (None, seen.target.port):
            yield resolves_to_node(label, host=host.text, address=own, node=node.role.capitalize())
    if len(found.addresses) > len(found.families):
        yield resolves_to_several(label, host=host.text, addresses=", ".join(found.addresses))
