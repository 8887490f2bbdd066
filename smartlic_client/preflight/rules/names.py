"""The certificate's names against the host: the most common reason that products do not register by the VIP.

A wrong Common Name has one finding, the one that says most about its cause: the former name that waits for a
synchronization, the address of a node, a name that stands in the alternative names only. What stands beside
that (several names, no name, a malformed one) has findings of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smartlic_client.names import (
    CertificateNames,
    DnsHost,
    Host,
    InvalidName,
    Judgement,
    Policy,
    judge,
    sentences,
)
from smartlic_client.preflight.catalogue import Finding, Severity, entry
from smartlic_client.preflight.observation import Endpoint, Observation, Role
from smartlic_client.preflight.options import Options

__all__ = ["expected_host", "find", "node_with_name"]

_ERROR, _WARNING, _INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_COUNTS = "Names, Which name counts"
_EQUAL = "Names, How two names are equal"
_CISCO = f"{_COUNTS}; Scenario B1.3 to B1.5; Cisco SSM On-Prem, Security > Certificates"
_SET = (
    "On the server: Security > Certificates: set Host Common Name to {wanted}, then synchronize the local "
    "accounts with Cisco Smart Software Manager, then register again"
)
_ONE = "one Common Name, equal to the host {host}"

differs = entry(
    "common-name-differs",
    "names",
    _ERROR,
    "The Common Name is another name",
    seen="The Common Name is {name!r}, the host is {host}.{more}",
    expected=_ONE,
    mend=_SET + ". If {name} is the right name of the cluster, put it into the destination URL instead.",
    reference=_CISCO,
)
is_node = entry(
    "common-name-is-node",
    "names",
    _ERROR,
    "The Common Name is the address of a node",
    seen="The Common Name is {name!r}, the {node}'s own address; the host is {host}.",
    expected=_ONE,
    mend=_SET + ".",
    reference=_CISCO,
)
not_synchronized = entry(
    "common-name-not-synchronized",
    "names",
    _ERROR,
    "Host Common Name is set, and not yet synchronized",
    seen="Host Common Name is set to {host}; the certificate still bears the former name {name!r}.",
    expected=_ONE,
    mend="On the server: synchronize the local accounts with Cisco Smart Software Manager, all of them, then "
    "register again. Host Common Name is right already.",
    reference="Scenario B1.5 to B1.7; Cisco SSM On-Prem, Security > Certificates",
)
only_alternative = entry(
    "common-name-wrong-alternative-right",
    "names",
    _ERROR,
    "Only the alternative name is right",
    seen="The Common Name is {name!r}; the host {host} stands in the alternative names only. curl, "
    "browsers and Java "
    "accept that, and products that go by the Common Name refuse it.",
    expected=_ONE,
    mend=_SET + ".",
    reference=_CISCO,
)
missing = entry(
    "common-name-missing",
    "names",
    _ERROR,
    "There is no Common Name",
    seen="The certificate has no Common Name.",
    expected=_ONE,
    mend=_SET + ".",
    reference=_CISCO,
)
nameless = entry(
    "certificate-without-names",
    "names",
    _ERROR,
    "The certificate has no name at all",
    seen="The certificate has no Common Name and no alternative name.",
    expected=_ONE,
    mend=_SET + ".",
    reference=_EQUAL,
)
several = entry(
    "common-names-several",
    "names",
    _ERROR,
    "There are several Common Names",
    seen="The certificate has {count} Common Names: {names}. Which one counts differs from client to client.",
    expected=_ONE,
    mend="Have the certificate made with one Common Name. " + _SET + ".",
    reference=_EQUAL,
)
wildcard = entry(
    "common-name-wildcard",
    "names",
    _ERROR,
    "The Common Name is a wildcard",
    seen="The Common Name is {name!r}.",
    expected=_ONE,
    mend="A Host Common Name is never a wildcard. " + _SET + ".",
    reference=_EQUAL,
)
malformed = entry(
    "common-name-malformed",
    "names",
    _ERROR,
    "The Common Name is no name",
    seen="{why}",
    expected=_ONE,
    mend=_SET + ".",
    reference=_EQUAL,
)
alternative_differs = entry(
    "alternative-name-differs",
    "names",
    _ERROR,
    "The alternative names are other names",
    seen="{why} Products that go by the alternative names (RFC 9525) refuse it.",
    expected="{host} among the alternative names",
    mend=_SET + ": the new certificate bears the name in both places.",
    reference=f"{_COUNTS}; RFC 9525, section 6",
)
alternative_missing = entry(
    "alternative-name-missing",
    "names",
    _ERROR,
    "There is no alternative name",
    seen="The certificate has no alternative name. Products that go by the alternative names (RFC "
    "9525) refuse it.",
    expected="{host} among the alternative names",
    mend=_SET
    + ". If the new certificate has none either, update SSM On-Prem, or upload one with both names.",
    reference=f"{_COUNTS}; RFC 9525, section 6",
)
alternative_malformed = entry(
    "alternative-name-malformed",
    "names",
    _WARNING,
    "An alternative name is no name",
    seen="{why}",
    expected="dNSNames that are DNS names, and iPAddresses that are addresses",
    mend="Have the certificate made anew. " + _SET + ".",
    reference=_EQUAL,
)
alternative_wildcard = entry(
    "alternative-name-wildcard",
    "names",
    _INFORMATION,
    "A wildcard stands in the alternative names",
    seen="The alternative name {name!r} is a wildcard.",
    expected="the cluster's own name",
    mend="Leave it, if the Common Name is the cluster's own; products that go by the alternative "
    "names accept it.",
    reference="Names, How two names are equal; RFC 9525, section 6.3",
)


def expected_host(seen: Observation, options: Options) -> Host | None:
    """The name that the certificate must have: --expected-name, else the host of the URL."""
    return options.expected_name or seen.target.host


def node_with_name(options: Options, name: str) -> str | None:
    """Which node's own address or name this is."""
    return next((node.role.capitalize() for node in options.nodes if node.host.text == name), None)


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    host = expected_host(seen, options)
    told: set[str] = set()
    for endpoint in seen.endpoints:
        leaf = endpoint.leaf
        if leaf is None or host is None or leaf.fingerprint in told:
            continue
        told.add(leaf.fingerprint)
        judgement = judge(host, leaf.names)
        yield from _common_name(seen, endpoint, judgement, options)
        yield from _alternative_names(seen, endpoint, judgement, options)
        yield from _flaws(seen.target.label, endpoint, host)


def _severity(judgement: Judgement, verdict_policy: Policy, policy: Policy) -> Severity:
    """An error where the policy refuses the host for it; else only some products do."""
    counts = policy in (verdict_policy, Policy.BOTH) or (
        policy is Policy.EITHER and not judgement.either.holds
    )
    return _ERROR if counts else _WARNING


def _common_name(
    seen: Observation, endpoint: Endpoint, judgement: Judgement, options: Options
) -> Iterator[Finding]:
    if judgement.common_name.holds:
        return
    label, host, names = seen.target.label, judgement.host.text, _names(endpoint)
    at = None if endpoint.role is Role.FILE else endpoint.where
    severity = _severity(judgement, Policy.COMMON_NAME, options.policy)
    facts: dict[str, Any] = {"host": host, "wanted": host, "severity": severity, "at": at}
    if names.unnamed:
        yield nameless(label, **facts)
    elif not names.common_names:
        yield missing(label, **facts)
    elif len(names.common_names) > 1:
        shown = ", ".join(repr(_text(name)) for name in names.common_names[:10])
        yield several(label, count=len(names.common_names), names=shown, **facts)
    else:
        yield _one_common_name(seen, judgement, names, options, facts)


def _one_common_name(
    seen: Observation, judgement: Judgement, names: CertificateNames, options: Options, facts: dict[str, Any]
) -> Finding:
    label, host, read = seen.target.label, judgement.host, names.read_common_names[0]
    name = _text(names.common_names[0])
    if isinstance(read, InvalidName):
        if "*" in name:
            return wildcard(label, name=name, **facts)
        return malformed(label, why=sentences(judgement.common_name.mismatches), **facts)
    found, server = facts | {"name": read.text}, options.server
    if server is not None and server.pending and server.common_name == host.text:
        return not_synchronized(label, **found)
    if node := node_with_name(options, read.text):
        return is_node(label, node=node, **found)
    if judgement.subject_alternative_name.holds:
        return only_alternative(label, **found)
    return differs(label, more=_more(seen, read, host), **found)


def _more(seen: Observation, read: Host, host: Host) -> str:
    """What surprises most: an address and a name are never equal, even where one resolves to the other."""
    resolved = seen.resolution.addresses if seen.resolution else ()
    if isinstance(host, DnsHost) and read.text in resolved:
        return f" {host.text} resolves to {read.text}, and still a name and an address are never equal."
    if isinstance(host, DnsHost) != isinstance(read, DnsHost):
        return " A name and an address are never equal."
    return ""


def _alternative_names(
    seen: Observation, endpoint: Endpoint, judgement: Judgement, options: Options
) -> Iterator[Finding]:
    verdict, names = judgement.subject_alternative_name, _names(endpoint)
    label, host = seen.target.label, judgement.host.text
    at = None if endpoint.role is Role.FILE else endpoint.where
    severity = _severity(judgement, Policy.SUBJECT_ALTERNATIVE_NAME, options.policy)
    # Where the Common Name is wrong as well, its finding says what to do: one mend is for both.
    if verdict.holds or names.unnamed or (severity is _WARNING and not judgement.common_name.holds):
        return
    facts = {"host": host, "wanted": host}
    if names.dns or names.ip:
        why = sentences(verdict.mismatches)
        yield alternative_differs(label, severity=severity, at=at, why=why, **facts)
    elif severity is _ERROR:
        yield alternative_missing(label, severity=severity, at=at, **facts)


def _flaws(label: str, endpoint: Endpoint, host: Host) -> Iterator[Finding]:
    """What is wrong with a name whether it is the host's or not."""
    names = _names(endpoint)
    at = None if endpoint.role is Role.FILE else endpoint.where
    bad = [f"The dNSName {_text(each)!r} is no name: {read.reason}." for each, read in
           zip(names.dns, names.read_dns, strict=True) if isinstance(read, InvalidName)]  # fmt: skip
    bad += [f"An iPAddress is none: {each.reason}." for each in names.ip if isinstance(each, InvalidName)]
    if bad:
        yield alternative_malformed(label, at=at, why=" ".join(bad[:10]), wanted=host.text)
    for each in names.dns:
        if isinstance(each, str) and each.startswith("*."):
            yield alternative_wildcard(label, at=at, name=each)
            return


def _names(endpoint: Endpoint) -> CertificateNames:
    return endpoint.chain[0].names


def _text(name: str | InvalidName) -> str:
    return name.text if isinstance(name, InvalidName) else name
