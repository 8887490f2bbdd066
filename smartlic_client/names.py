"""A destination's host against the names of a server's certificate. Pure: no network, no file, no clock.

The rules (names, "Which name counts" and "How two names are equal"):

- A host is an IPv4 address in dotted decimal, an IPv6 address, or a DNS name; nothing that a resolver would
  read as an address without looking like one (`127.1`, `0x7f.1`, `2130706433`).
- Policy `common-name`: the certificate's one Common Name equals the host. Alternative names don't help, and
  two or more Common Names never match.
- Policy `subject-alternative-name`: RFC 9525, section 6; the Common Name is not looked at.
- Policy `either`: a match in one of them is enough.
- IP addresses are equal as addresses of one family; an IPv4-mapped IPv6 address is not its IPv4 address.
- DNS names are equal as A-labels (IDNA 2008, RFC 5891) without regard to case. A name of a certificate with a
  trailing dot, a NUL, a control character or a blank is no name.

Certificates are read elsewhere (`transport.tls.read_names`): this module knows names only.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

import idna

from smartlic_client.errors import CallerError, problem

__all__ = [
    "CertificateNames",
    "DnsHost",
    "Host",
    "IPv4Host",
    "IPv6Host",
    "InvalidName",
    "Match",
    "Mismatch",
    "NameDiffers",
    "NameIsInvalid",
    "NoAlternativeName",
    "NoCommonName",
    "Policy",
    "SeveralCommonNames",
    "match",
    "parse_host",
]

bad_host = problem(
    "bad-host",
    CallerError,
    "{host!r} is no host: {reason}.",
    "Name the cluster by its VIP, an IPv4 address (192.0.2.10) or an IPv6 address (in a URL [2001:db8::10]), "
    "or by its fully qualified name (ssm.example.com).",
)

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x.*")


class Policy(StrEnum):
    """Which names of a certificate count (names, "Which name counts")."""

    COMMON_NAME = "common-name"
    SUBJECT_ALTERNATIVE_NAME = "subject-alternative-name"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class IPv4Host:
    """An IPv4 address. `text`: dotted decimal."""

    address: IPv4Address

    @property
    def text(self) -> str:
        return str(self.address)

    @property
    def url_text(self) -> str:
        """As it stands in a URL."""
        return self.text


@dataclass(frozen=True, slots=True)
class IPv6Host:
    """An IPv6 address without a zone. `text`: RFC 5952, without brackets."""

    address: IPv6Address

    @property
    def text(self) -> str:
        return str(self.address)

    @property
    def url_text(self) -> str:
        """As it stands in a URL: in brackets (RFC 3986, section 3.2.2)."""
        return f"[{self.text}]"


@dataclass(frozen=True, slots=True)
class DnsHost:
    """A DNS name. `text`: A-labels in lower case, no trailing dot, at most 253 characters."""

    text: str

    @property
    def url_text(self) -> str:
        """As it stands in a URL."""
        return self.text

    @property
    def has_underscore(self) -> bool:
        """True where the name is none of RFC 1123's; it is accepted, and the preflight check says so."""
        return "_" in self.text


Host = IPv4Host | IPv6Host | DnsHost


@dataclass(frozen=True, slots=True)
class InvalidName:
    """Something that stands where a name should, and is none. `reason` goes on from "it is no name: "."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """The names of a certificate, in its order. An entry that could not be read is an `InvalidName`."""

    common_names: tuple[str | InvalidName, ...]
    dns: tuple[str | InvalidName, ...] = ()
    ip: tuple[IPv4Address | IPv6Address | InvalidName, ...] = ()

    @property
    def seen(self) -> list[str]:
        """All names for a human eye, e.g. `CN='ssm.example.com'`; what is not printable is escaped."""
        return [
            f"{kind}={_shown(name)}"
            for kind, names in (("CN", self.common_names), ("dNSName", self.dns), ("iPAddress", self.ip))
            for name in names
        ]


@dataclass(frozen=True, slots=True)
class Match:
    """The host is one of the certificate's names. `source`: CN, dNSName or iPAddress."""

    source: str
    name: str


class Mismatch(ABC):
    """One reason why a host is none of a certificate's names; `sentence` says it."""

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
        names = ", ".join(map(repr, self.common_names))
        return f"The certificate has {len(self.common_names)} Common Names ({names}), and there must be one."


@dataclass(frozen=True, slots=True)
class NameDiffers(Mismatch):
    """An entry of the certificate is a name, and another one than the host. `source` as in `Match`."""

    source: str
    name: str
    host: Host

    @property
    def sentence(self) -> str:
        return f"The {self.source} is {self.name!r}, not {self.host.text!r}."


@dataclass(frozen=True, slots=True)
class NameIsInvalid(Mismatch):
    """An entry of the certificate is no name. `source` as in `Match`."""

    source: str
    name: InvalidName

    @property
    def sentence(self) -> str:
        return f"The {self.source} {self.name.text!r} is no name: {self.name.reason}."


@dataclass(frozen=True, slots=True)
class NoAlternativeName(Mismatch):
    """The certificate has no dNSName and no iPAddress."""

    @property
    def sentence(self) -> str:
        return "The certificate has no alternative name."


def parse_host(text: str) -> Host:
    """Read a host as a user writes it; brackets around an IPv6 address and one trailing dot are dropped.

    Raises the problem `bad-host` with the reason (names, "How two names are equal").
    """
    name = text
    if text.endswith(".") and not text.endswith(".."):
        name = text[:-1]
    host = _judge(name)
    if name is not text and isinstance(host, IPv4Host | IPv6Host):
        host = InvalidName(text, "an address has no trailing dot")
    if isinstance(host, InvalidName):
        raise bad_host(host=text, reason=host.reason)
    return host


def match(
    host: Host, names: CertificateNames, policy: Policy = Policy.COMMON_NAME
) -> Match | tuple[Mismatch, ...]:
    """Say whether `host` is the certificate's name under `policy`, or else every reason why not."""
    found: tuple[Mismatch, ...] = ()
    if policy is not Policy.SUBJECT_ALTERNATIVE_NAME:
        verdict = _match_common_name(host, names)
        if isinstance(verdict, Match):
            return verdict
        found += verdict
    if policy is not Policy.COMMON_NAME:
        verdict = _match_alternative_names(host, names)
        if isinstance(verdict, Match):
            return verdict
        found += verdict
    return found


def _match_common_name(host: Host, names: CertificateNames) -> Match | tuple[Mismatch, ...]:
    common_names = names.common_names
    if not common_names:
        return (NoCommonName(unnamed=not (names.dns or names.ip)),)
    several = len(common_names) > 1
    found: list[Mismatch] = []
    if several:
        found.append(SeveralCommonNames(tuple(_text(name) for name in common_names)))
    for name in common_names:
        judged = _judge(name) if isinstance(name, str) else name
        if isinstance(judged, InvalidName):
            found.append(NameIsInvalid("CN", judged))
        elif judged != host:
            found.append(NameDiffers("CN", _text(name), host))
        elif not several:
            return Match("CN", _text(name))
    return tuple(found)


def _match_alternative_names(host: Host, names: CertificateNames) -> Match | tuple[Mismatch, ...]:
    found: list[Mismatch] = []
    for address in names.ip:
        if isinstance(address, InvalidName):
            found.append(NameIsInvalid("iPAddress", address))
        elif not isinstance(host, DnsHost) and address == host.address:
            return Match("iPAddress", str(address))
        else:
            found.append(NameDiffers("iPAddress", str(address), host))
    for name in names.dns:
        judged = _judge_pattern(name) if isinstance(name, str) else name
        if isinstance(judged, InvalidName):
            found.append(NameIsInvalid("dNSName", judged))
        elif isinstance(host, DnsHost) and _pattern_covers(judged, host):
            return Match("dNSName", _text(name))
        else:
            found.append(NameDiffers("dNSName", _text(name), host))
    return tuple(found) or (NoAlternativeName(),)


def _judge_pattern(text: str) -> str | InvalidName:
    """A dNSName as A-labels in lower case, with `*` left where it may stand; or why it is none."""
    wild = text.startswith("*.")
    judged = _judge(text[2:] if wild else text)
    if isinstance(judged, InvalidName):
        return InvalidName(text, judged.reason)
    if not isinstance(judged, DnsHost):
        return InvalidName(text, "an address is no DNS name")
    if not text.isascii():
        return InvalidName(text, "a dNSName holds A-labels only")
    if wild and "." not in judged.text:
        return InvalidName(text, "a wildcard needs two labels after it")
    return f"*.{judged.text}" if wild else judged.text


def _pattern_covers(pattern: str, host: DnsHost) -> bool:
    if pattern.startswith("*."):
        return host.text.partition(".")[2] == pattern[2:]
    return host.text == pattern


def _judge(text: str) -> Host | InvalidName:
    """Read a name exactly as it stands: the trailing dot that a user may write is gone already."""
    if flaw := _flaw_of_characters(text):
        return InvalidName(text, flaw)
    bracketed = text.startswith("[") and text.endswith("]")
    if bracketed or ":" in text:
        return _judge_ipv6(text, text[1:-1] if bracketed else text)
    try:
        return IPv4Host(IPv4Address(text))
    except ValueError:
        return _judge_dns(text)


def _flaw_of_characters(text: str) -> str | None:
    if not text:
        return "it is empty"
    for character in text:
        if character == "\0":
            return "it holds a NUL"
        if unicodedata.category(character).startswith("C"):
            return f"it holds the control character U+{ord(character):04X}"
        if character.isspace():
            return "it holds a blank"
    return None


def _judge_ipv6(text: str, inner: str) -> Host | InvalidName:
    if "%" in inner:
        return InvalidName(text, "an address with a zone id has a meaning on one machine only")
    try:
        return IPv6Host(IPv6Address(inner))
    except ValueError:
        return InvalidName(text, "brackets and colons belong to IPv6 addresses, and it is none")


def _judge_dns(text: str) -> DnsHost | InvalidName:
    labels: list[str] = []
    for label in text.split("."):
        judged = _judge_label(label)
        if isinstance(judged, InvalidName):
            return InvalidName(text, judged.reason)
        labels.append(judged)
    # Resolvers read `127.1`, `0x7f.1` and `2130706433` as 127.0.0.1: what ends like a number is no DNS name.
    if _NUMBER.fullmatch(labels[-1]):
        return InvalidName(
            text, "its last label is a number, and an IPv4 address is written as four decimal numbers"
        )
    name = ".".join(labels)
    if len(name) > 253:
        return InvalidName(text, "it is longer than 253 characters")
    return DnsHost(name)


def _judge_label(label: str) -> str | InvalidName:
    if not label:
        return InvalidName(label, "it has an empty label")
    if "*" in label:
        return InvalidName(label, "a wildcard does not stand here")
    lower = label.lower()
    if not label.isascii():
        try:
            # Upper case and composition are all that is mapped (RFC 5895, section 2); the rest is as typed.
            return idna.alabel(unicodedata.normalize("NFC", lower)).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            return InvalidName(label, f"{label!r} is no label of IDNA 2008 ({error})")
    if len(label) > 63:
        return InvalidName(label, "it has a label of more than 63 characters")
    if not _LABEL.fullmatch(lower):
        return InvalidName(label, f"{label!r} is no label of letters, digits and inner hyphens")
    return lower


def _text(name: str | InvalidName) -> str:
    return name.text if isinstance(name, InvalidName) else name


def _shown(name: str | IPv4Address | IPv6Address | InvalidName) -> str:
    return repr(name.text if isinstance(name, InvalidName) else str(name))
