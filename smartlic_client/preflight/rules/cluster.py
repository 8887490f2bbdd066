"""The VIP against the nodes behind it, and the cluster's two address families."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from smartlic_client.names import DnsHost, InvalidName, address_on_dual_stack
from smartlic_client.preflight.catalogue import Finding, Severity, entry
from smartlic_client.preflight.observation import Endpoint, Observation, Outcome
from smartlic_client.preflight.options import Options

__all__ = ["find"]

_ERROR, _WARNING, _INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_PREFLIGHT = "Names, The preflight check"

dual_stack = entry(
    "address-with-dual-stack",
    "cluster",
    _ERROR,
    "An address as Host Common Name, and both address families",
    seen="{sentence}",
    expected="with IPv4 and IPv6, a fully qualified name as Host Common Name and in every destination URL",
    mend="Give the cluster a name in DNS with an A and an AAAA record. On the server: Security > "
    "Certificates: set "
    "Host Common Name to {wanted}, then synchronize the local accounts with Cisco Smart Software Manager, "
    "put the name into the destination URL, then register again.",
    reference="Names, How two names are equal; Scenario B1.4",
)
standby = entry(
    "node-standby",
    "cluster",
    _INFORMATION,
    "A node refuses, as a Standby does",
    seen="The {node} ({where}) refuses connections: it is Standby, or stopped.",
    expected="the Active answers, the Standby refuses",
    mend="Nothing, if it is meant to be Standby; on its console `ha_status` says more.",
    reference=f"{_PREFLIGHT}; Scenario A2",
)
active = entry(
    "node-active",
    "cluster",
    _INFORMATION,
    "A node answers: it is Active",
    seen="The {node} ({where}) answers with the certificate that {vip} presents.",
    expected="the Active answers, the Standby refuses",
    mend="Nothing.",
    reference=_PREFLIGHT,
)
both_answer = entry(
    "nodes-both-answer",
    "cluster",
    _INFORMATION,
    "Both nodes answer",
    seen="{first} and {second} both answer, so it cannot be told which one is Active.",
    expected="the Active answers, the Standby refuses",
    mend="See the High Availability widget, or `ha_status` on both consoles.",
    reference=_PREFLIGHT,
)
unreachable = entry(
    "node-unreachable",
    "cluster",
    _WARNING,
    "A node cannot be reached",
    seen="The {node} ({where}): {detail}.",
    expected="an answer from the Active, a refusal from the Standby",
    mend="Check that {where} is right, that the node is up, and the way to it: a node that is gone "
    "cannot take over.",
    reference=_PREFLIGHT,
)
nobody = entry(
    "no-node-answers",
    "cluster",
    _WARNING,
    "The VIP answers, and none of the nodes does",
    seen="{vip} answers, and neither node does.",
    expected="the node that holds the VIP answers on its own address as well",
    mend="Check the addresses in --nodes. If they are right, somebody else answers at the VIP, "
    "such as a load "
    "balancer or a proxy.",
    reference=_PREFLIGHT,
)
other_certificate = entry(
    "node-certificate-differs",
    "cluster",
    _WARNING,
    "A node presents another certificate than the VIP",
    seen="The {node} ({where}) presents {of_node}, and {vip} presents {of_target}.",
    expected="one certificate on the VIP and on the Active's own address",
    mend="Check that {vip} is the VIP of this cluster. If it is: on the server, synchronize the "
    "local accounts "
    "with Cisco Smart Software Manager, so that both present the same.",
    reference=_PREFLIGHT,
)
addresses_differ = entry(
    "addresses-differ",
    "cluster",
    _WARNING,
    "The name's addresses present different certificates",
    seen="{where} presents {one}, and {elsewhere} presents {other}.",
    expected="one certificate at all addresses of the name",
    mend="Let {host} resolve to the VIP only: another machine answers at one of its addresses.",
    reference=_PREFLIGHT,
)
about_to_change = entry(
    "common-name-about-to-change",
    "cluster",
    _WARNING,
    "Another Host Common Name waits for the synchronization",
    seen="Host Common Name is set to {set}; the certificate still bears {served!r}, the name of this target.",
    expected="Host Common Name is the host of the products' destination URLs, {served}",
    mend="At the next synchronization products with this URL stop to register. If {served} is the "
    "right name: "
    "Security > Certificates: set Host Common Name to {served}. If {set} is: put it into the "
    "destination URLs.",
    reference="Scenario B1.3 to B1.6",
)


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    yield from _dual_stack(seen)
    yield from _addresses(seen)
    yield from _nodes(seen)
    server, host = options.server, seen.target.host
    if server is None or host is None or not server.pending or seen.answered is None:
        return
    if host.text == server.served_name:
        yield about_to_change(seen.target.label, set=server.common_name, served=server.served_name)


def _dual_stack(seen: Observation) -> Iterator[Finding]:
    """The target's addresses and the nodes' together; the Common Name, or else the URL's host."""
    endpoint = seen.answered
    texts = [*(seen.resolution.addresses if seen.resolution else ()), *(node.address for node in seen.nodes)]
    addresses = [address for text in texts if (address := _address(text)) is not None]
    candidates = list(endpoint.chain[0].names.read_common_names) if endpoint else []
    if seen.target.host is not None:
        candidates.append(seen.target.host)
    for name in candidates:
        if isinstance(name, InvalidName | DnsHost):
            continue
        if found := address_on_dual_stack(name, addresses):
            named = isinstance(seen.target.host, DnsHost)
            wanted = seen.target.host.text if named and seen.target.host else "that name"
            yield dual_stack(seen.target.label, sentence=found.sentence, wanted=wanted)
            return


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:  # a name, which only a proxy resolves
        return None


def _addresses(seen: Observation) -> Iterator[Finding]:
    first = seen.answered
    host = seen.target.host
    for each in seen.endpoints:
        if first is None or host is None or each.leaf is None or first.leaf is None:
            continue
        if each.leaf.fingerprint != first.leaf.fingerprint:
            yield addresses_differ(
                seen.target.label,
                at=each.where,
                where=first.where,
                one=_shown(first),
                elsewhere=each.where,
                other=_shown(each),
                host=host.text,
            )


def _nodes(seen: Observation) -> Iterator[Finding]:
    label, target = seen.target.label, seen.answered
    answering = [node for node in seen.nodes if node.chain]
    for node in seen.nodes:
        facts: dict[str, Any] = {"node": node.role.value.capitalize(), "where": node.where}
        if node.outcome is Outcome.REFUSED:
            yield standby(label, at=node.where, **facts)
        elif not node.chain:
            yield unreachable(label, at=node.where, detail=node.detail, **facts)
        elif target is not None and node.leaf != target.leaf:
            yield other_certificate(
                label,
                at=node.where,
                of_node=_shown(node),
                of_target=_shown(target),
                vip=target.where,
                **facts,
            )
        elif target is not None and len(answering) == 1:
            yield active(label, at=node.where, vip=target.where, **facts)
    if len(answering) > 1:
        yield both_answer(label, first=answering[0].where, second=answering[1].where)
    if seen.nodes and target is not None and not answering:
        yield nobody(label, vip=target.where)


def _shown(endpoint: Endpoint) -> str:
    leaf = endpoint.chain[0]
    names = ", ".join(leaf.names.seen[:3]) or "no name"
    return f"{names} ({leaf.fingerprint[:23]}…)"
