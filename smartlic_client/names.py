"""A destination's host against the names of a server's certificate. Pure: no network, no file, no clock.

The rules (names, "Which name counts" and "How two names are equal"; what a host is, stands in `hosts`):

- Policy `common-name`: the certificate's one Common Name equals the host. Alternative names don't help, and
  two or more Common Names never match. A Common Name is never a wildcard.
- Policy `subject-alternative-name`: RFC 9525, section 6; the Common Name is not looked at. A wildcard is the
  whole left-most label with at least two after it, and stands for exactly one label of a DNS name.
- Policy `either`: a match in one of them is enough. Policy `both`, for the preflight check: in each of them.
- IP addresses are equal as addresses of one family; an IPv4-mapped IPv6 address is not its IPv4 address. An
  address never matches a dNSName.
- DNS names are equal as A-labels without regard to case. A name of a certificate with a trailing dot is none.
- Dual stack: where both families lead to the cluster, an address as the Host Common Name is an error.

`match` gives the one verdict that a connection needs, `judge` all of them side by side. Certificates are read
elsewhere (`certificates`): this module knows names only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv6Address

from smartlic_client.hosts import (
    DnsHost,
    Host,
    InvalidName,
    IPv4Host,
    IPv6Host,
    Wildcard,
    bad_host,
    parse_host,
    quoted,
    read_host,
    read_pattern,
)

__all__ = [
    "CONNECTION_POLICIES",
    "AddressOnDualStack",
    "CertificateNames",
    "DnsHost",
    "Host",
    "IPv4Host",
    "IPv6Host",
    "InvalidName",
    "Judgement",
    "Match",
    "Mismatch",
    "NameDiffers",
    "NameIsInvalid",
    "NoAlternativeName",
    "NoCommonName",
    "Policy",
    "SeveralCommonNames",
    "Verdict",
    "address_on_dual_stack",
    "bad_host",
    "judge",
    "match",
    "parse_host",
    "sentences",
]

_SHOWN = 10


class Policy(StrEnum):
    """Which names of a certificate count (names, "Which name counts")."""

    COMMON_NAME = "common-name"
    SUBJECT_ALTERNATIVE_NAME = "subject-alternative-name"
    EITHER = "either"
    BOTH = "both"


CONNECTION_POLICIES = (Policy.COMMON_NAME, Policy.SUBJECT_ALTERNATIVE_NAME, Policy.EITHER)
"""What a connection may be made under; `both` exists for the preflight check only."""


@dataclass(frozen=True)
class CertificateNames:
    """The names of a certificate, in its order. An entry that could not be read is an `InvalidName`.

    `other`: the kinds of alternative names that no host is compared with, such as `rfc822Name`.
    """

    common_names: tuple[str | InvalidName, ...]
    dns: tuple[str | InvalidName, ...] = ()
    ip: tuple[IPv4Address | IPv6Address | InvalidName, ...] = ()
    other: tuple[str, ...] = ()

    @property
    def seen(self) -> list[str]:
        """All names for a human eye, e.g. `CN='ssm.example.com'`; what is not printable is escaped."""
        return [
            f"{kind}={quoted(_text(name))}"
            for kind, names in (("CN", self.common_names), ("dNSName", self.dns), ("iPAddress", self.ip))
            for name in names
        ]

    @property
    def unnamed(self) -> bool:
        """True where there is nothing that a host could be compared with: a finding of its own."""
        return not (self.common_names or self.dns or self.ip)

    @property
    def wildcards(self) -> tuple[str, ...]:
        """The Common Names and dNSNames with a wildcard in them, whether it may stand there or not."""
        return tuple(text for text in map(_text, (*self.common_names, *self.dns)) if "*" in text)

    # Read once, at the first comparison: a certificate is compared with many hosts, and under each policy.

    @cached_property
    def read_common_names(self) -> tuple[Host | InvalidName, ...]:
        """What each Common Name is."""
        return tuple([read_host(name) if isinstance(name, str) else name for name in self.common_names])

    @cached_property
    def read_dns(self) -> tuple[DnsHost | Wildcard | InvalidName, ...]:
        """What each dNSName is."""
        return tuple([read_pattern(name) if isinstance(name, str) else name for name in self.dns])


@dataclass(frozen=True, slots=True)
class Match:
    """The host is one of the certificate's names. `source`: CN, dNSName or iPAddress."""

    source: str
    name: str


class Mismatch(ABC):
    """One reason why a host is none of a certificate's names; `sentence` says it."""

    __slots__ = ()

    @property
    @abstractmethod
    def sentence(self) -> str: ...


@dataclass(frozen=True, slots=True)
class NoCommonName(Mismatch):
    """The certificate has no Common Name. `unnamed`: nor any alternative name."""

    unnamed: bool

    @property
    def sentence(self) -> str:
        if self.unnamed:
            return "The certificate has no name at all: no Common Name and no alternative name."
        return "The certificate has no Common Name."


@dataclass(frozen=True, slots=True)
class SeveralCommonNames(Mismatch):
    """Two or more Common Names: which one counts differs from client to client, so none does."""

    common_names: tuple[str, ...]

    @property
    def sentence(self) -> str:
        count = len(self.common_names)
        names = ", ".join(map(quoted, self.common_names[:_SHOWN])) + (", …" if count > _SHOWN else "")
        return f"The certificate has {count} Common Names ({names}), and there must be one."


@dataclass(frozen=True, slots=True)
class NameDiffers(Mismatch):
    """An entry of the certificate is a name, and another one than the host. `source` as in `Match`."""

    source: str
    name: str
    host: Host

    @property
    def sentence(self) -> str:
        return f"The {self.source} is {quoted(self.name)}, not {self.host.text!r}."


@dataclass(frozen=True, slots=True)
class NameIsInvalid(Mismatch):
    """An entry of the certificate is no name. `source` as in `Match`."""

    source: str
    name: InvalidName

    @property
    def sentence(self) -> str:
        return f"The {self.source} {quoted(self.name.text)} is no name: {self.name.reason}."


@dataclass(frozen=True, slots=True)
class NoAlternativeName(Mismatch):
    """The certificate has no dNSName and no iPAddress."""

    @property
    def sentence(self) -> str:
        return "The certificate has no alternative name."


def sentences(mismatches: Iterable[Mismatch]) -> str:
    """The first mismatches in words, and how many more there are."""
    said = [mismatch.sentence for mismatch in mismatches]
    more = [f"(and {len(said) - _SHOWN} more)"] if len(said) > _SHOWN else []
    return " ".join(said[:_SHOWN] + more)


# --- One verdict ----------------------------------------------------------------------------------

_Compared = tuple[tuple[Match, ...], tuple[Mismatch, ...]]


def match(
    host: Host, names: CertificateNames, policy: Policy = Policy.COMMON_NAME
) -> Match | tuple[Mismatch, ...]:
    """Say whether `host` is the certificate's name under `policy`, or else every reason why not."""
    if policy is Policy.SUBJECT_ALTERNATIVE_NAME:
        found, reasons = _compare_alternative_names(host, names)
    else:
        found, reasons = _compare_common_name(host, names)
    if policy is Policy.EITHER and not found:
        found, more = _compare_alternative_names(host, names)
        reasons += more
    elif policy is Policy.BOTH:
        others, more = _compare_alternative_names(host, names)
        found, reasons = found if others else (), reasons + more
    return found[0] if found else reasons


def _compare_common_name(host: Host, names: CertificateNames) -> _Compared:
    common_names = names.common_names
    if not common_names:
        return (), (NoCommonName(names.unnamed),)
    reasons: list[Mismatch] = []
    if len(common_names) > 1:
        reasons.append(SeveralCommonNames(tuple(map(_text, common_names))))
    for name, read in zip(common_names, names.read_common_names, strict=True):
        if isinstance(read, InvalidName):
            reasons.append(NameIsInvalid("CN", read))
        elif read != host:
            reasons.append(NameDiffers("CN", _text(name), host))
        elif not reasons:
            return (Match("CN", _text(name)),), ()
    return (), tuple(reasons)


def _compare_alternative_names(host: Host, names: CertificateNames) -> _Compared:
    found: list[Match] = []
    reasons: list[Mismatch] = []
    name_of_host = host.text if isinstance(host, DnsHost) else None
    address_of_host = None if isinstance(host, DnsHost) else host.address
    for address in names.ip:
        if isinstance(address, InvalidName):
            reasons.append(NameIsInvalid("iPAddress", address))
        elif address == address_of_host:
            found.append(Match("iPAddress", str(address)))
        else:
            reasons.append(NameDiffers("iPAddress", str(address), host))
    for name, read in zip(names.dns, names.read_dns, strict=True):
        if isinstance(read, InvalidName):
            reasons.append(NameIsInvalid("dNSName", read))
        elif name_of_host is not None and (
            read.text == name_of_host if isinstance(read, DnsHost) else read.covers(name_of_host)
        ):
            found.append(Match("dNSName", _text(name)))
        else:
            reasons.append(NameDiffers("dNSName", _text(name), host))
    if not (names.dns or names.ip):
        reasons.append(NoAlternativeName())
    return tuple(found), tuple(reasons)


# --- All verdicts ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one policy says, with all matches and all mismatches of the names that it looks at."""

    policy: Policy
    holds: bool
    matches: tuple[Match, ...]
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A host against a certificate's names under every policy, side by side; `judgement[policy]` is one."""

    host: Host
    common_name: Verdict
    subject_alternative_name: Verdict
    either: Verdict
    both: Verdict

    def __iter__(self) -> Iterator[Verdict]:
        return iter((self.common_name, self.subject_alternative_name, self.either, self.both))

    def __getitem__(self, policy: Policy) -> Verdict:
        return next(verdict for verdict in self if verdict.policy is policy)


@lru_cache(maxsize=64)  # a check asks for the same pair at several places, one after the other
def judge(host: Host, names: CertificateNames) -> Judgement:
    """What every policy says of `host`; nothing is left out once a match is found."""
    found, reasons = _compare_common_name(host, names)
    others, other_reasons = _compare_alternative_names(host, names)
    in_common_name, in_alternative_name = bool(found), bool(others)
    matches, mismatches = found + others, reasons + other_reasons
    return Judgement(
        host,
        Verdict(Policy.COMMON_NAME, in_common_name, found, reasons),
        Verdict(Policy.SUBJECT_ALTERNATIVE_NAME, in_alternative_name, others, other_reasons),
        Verdict(Policy.EITHER, in_common_name or in_alternative_name, matches, mismatches),
        Verdict(Policy.BOTH, in_common_name and in_alternative_name, matches, mismatches),
    )


# --- Dual stack -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddressOnDualStack:
    """The Host Common Name is an address, and the cluster is reached over both families: an error."""

    common_name: IPv4Host | IPv6Host
    ipv4: tuple[IPv4Address, ...]
    ipv6: tuple[IPv6Address, ...]

    @property
    def sentence(self) -> str:
        addresses = ", ".join(map(str, [*self.ipv4, *self.ipv6][:_SHOWN]))
        return (
            f"The Host Common Name is the address {self.common_name.text}, and the cluster is reached over "
            f"IPv4 and IPv6 ({addresses}): it must be a fully qualified name."
        )


def address_on_dual_stack(
    common_name: Host, addresses: Iterable[IPv4Address | IPv6Address]
) -> AddressOnDualStack | None:
    """The error that `common_name` is an address where both families lead to the cluster, or None.

    `addresses`: those that the destination's host resolves to, and those that the cluster has, together; an
    address in the Common Name counts as one of them. An IPv4-mapped address travels as IPv4 (RFC 4291,
    section 2.5.5.2), whatever its spelling, and says nothing of IPv6.
    """
    if isinstance(common_name, DnsHost):
        return None
    ipv4: set[IPv4Address] = set()
    ipv6: set[IPv6Address] = set()
    for address in (common_name.address, *addresses):
        if isinstance(address, IPv4Address):
            ipv4.add(address)
        elif address.ipv4_mapped is not None:
            ipv4.add(address.ipv4_mapped)
        else:
            ipv6.add(address)
    if ipv4 and ipv6:
        return AddressOnDualStack(common_name, tuple(sorted(ipv4)), tuple(sorted(ipv6)))
    return None


def _text(name: str | IPv4Address | IPv6Address | InvalidName) -> str:
    return name.text if isinstance(name, InvalidName) else str(name)
