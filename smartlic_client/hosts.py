"""What a host is, and how the text of a name is read. Pure: no network, no file, no clock.

The rules (names, "How two names are equal"):

- A host is an IPv4 address in dotted decimal, an IPv6 address, or a DNS name; nothing that a resolver would
  read as an address without looking like one (`127.1`, `0x7f.1`, `2130706433`).
- An IPv6 address is read in any spelling of RFC 4291, section 2.2, with or without brackets; a zone id is
  refused (RFC 4007, section 11: it has a meaning on one machine only).
- A DNS name is kept as A-labels (IDNA 2008, RFC 5891) in lower case, each of at most 63 octets and all of at
  most 253 (RFC 1035, section 2.3.4). An underscore is accepted; the preflight check says so.
- A name with a NUL, a control character or a blank is no name.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import idna

from smartlic_client.errors import CallerError, problem

__all__ = [
    "DnsHost",
    "Host",
    "IPv4Host",
    "IPv6Host",
    "InvalidName",
    "Wildcard",
    "bad_host",
    "parse_host",
    "quoted",
    "read_host",
    "read_pattern",
]

bad_host = problem(
    "bad-host",
    CallerError,
    "{host!r} is no host: {reason}.",
    "Name the cluster by its VIP, an IPv4 address (192.0.2.10) or an IPv6 address (in a URL [2001:db8::10]), "
    "or by its fully qualified name (ssm.example.com).",
)

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ONE_LABEL = re.compile(_LABEL)
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_NUMBER = re.compile(r"[0-9]+|0x.*")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")

_LONGEST_NAME = 253
_LONGEST_LABEL = 63
# Decomposed characters may shrink under NFC; what is longer than this is no name by any reading.
_LONGEST_TEXT = 4 * _LONGEST_NAME
_SHOWN = 100


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

    @property
    def is_qualified(self) -> bool:
        """True where the name has a domain: one label alone means another machine in each search list."""
        return "." in self.text


Host = IPv4Host | IPv6Host | DnsHost


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A dNSName that stands for every name of one label before `suffix` (RFC 9525, section 6.3)."""

    suffix: str

    def covers(self, name: str) -> bool:
        return name.partition(".")[2] == self.suffix


@dataclass(frozen=True, slots=True)
class InvalidName:
    """Something that stands where a name should, and is none. `reason` goes on from "it is no name: "."""

    text: str
    reason: str


def quoted(text: str) -> str:
    """`text` for a human eye: in quotes, what is not printable escaped, and not more than fits a line."""
    if len(text) <= _LONGEST_NAME:
        return repr(text)
    return f"{text[:_SHOWN]!r}… ({len(text)} characters)"


def parse_host(text: str) -> Host:
    """Read a host as a user writes it; brackets around an IPv6 address and one trailing dot are dropped.

    Raises the problem `bad-host` with the reason (names, "How two names are equal").
    """
    name = text
    if text.endswith(".") and not text.endswith(".."):
        name = text[:-1]
    host = read_host(name)
    if name is not text and isinstance(host, IPv4Host | IPv6Host):
        host = InvalidName(text, "an address has no trailing dot")
    if isinstance(host, InvalidName):
        raise bad_host(host=text, reason=host.reason)
    return host


def read_host(text: str) -> Host | InvalidName:
    """Read a name exactly as it stands, as a certificate has it: a trailing dot makes it none."""
    # Nearly all names are plain: one pattern tells them apart from what needs a closer look.
    lower = text.lower()
    if len(lower) <= _LONGEST_NAME and _NAME.fullmatch(lower) and text.isascii():
        if not _NUMBER.fullmatch(lower, lower.rfind(".") + 1):
            return DnsHost(lower)
        if _IPV4.fullmatch(lower):
            return IPv4Host(IPv4Address(lower))
    return _look_closer(text)


def read_pattern(text: str) -> DnsHost | Wildcard | InvalidName:
    """Read a dNSName: A-labels, and `*` as the whole left-most label before at least two more."""
    if text.startswith("*."):
        rest = read_host(text[2:])
        if isinstance(rest, DnsHost) and text.isascii():
            if rest.is_qualified:
                return Wildcard(rest.text)
            return InvalidName(text, "a wildcard needs two labels after it")
    else:
        rest = read_host(text)
    if isinstance(rest, InvalidName):
        return InvalidName(text, rest.reason)
    if not isinstance(rest, DnsHost):
        return InvalidName(text, "an address is no DNS name")
    if not text.isascii():
        return InvalidName(text, "a dNSName holds A-labels only")
    return rest


def _look_closer(text: str) -> Host | InvalidName:
    if len(text) > _LONGEST_TEXT:
        return InvalidName(text, f"it is longer than {_LONGEST_NAME} characters")
    if flaw := _flaw_of_characters(text):
        return InvalidName(text, flaw)
    bracketed = text.startswith("[") and text.endswith("]")
    if bracketed or ":" in text:
        return _read_ipv6(text, text[1:-1] if bracketed else text)
    return _read_dns(text)


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


def _read_ipv6(text: str, inner: str) -> Host | InvalidName:
    if "%" in inner:
        return InvalidName(text, "an address with a zone id has a meaning on one machine only")
    try:
        return IPv6Host(IPv6Address(inner))
    except ValueError:
        return InvalidName(text, "brackets and colons belong to IPv6 addresses, and it is none")


def _read_dns(text: str) -> DnsHost | InvalidName:
    labels: list[str] = []
    for label in text.split("."):
        judged = _read_label(label)
        if isinstance(judged, InvalidName):
            return InvalidName(text, judged.reason)
        labels.append(judged)
    # Resolvers read `127.1`, `0x7f.1` and `2130706433` as 127.0.0.1: what ends like a number is no DNS name.
    if _NUMBER.fullmatch(labels[-1]):
        return InvalidName(
            text, "its last label is a number, and an IPv4 address is written as four decimal numbers"
        )
    name = ".".join(labels)
    if len(name) > _LONGEST_NAME:
        return InvalidName(text, f"it is longer than {_LONGEST_NAME} characters")
    return DnsHost(name)


def _read_label(label: str) -> str | InvalidName:
    if not label:
        return InvalidName(label, "it has an empty label")
    if "*" in label:
        return InvalidName(label, "a wildcard does not stand here")
    # Upper case and composition are all that is mapped (RFC 5895, section 2); the rest is as typed.
    lower = label.lower() if label.isascii() else unicodedata.normalize("NFC", label.lower())
    if len(lower) > _LONGEST_LABEL:
        return InvalidName(label, f"it has a label of more than {_LONGEST_LABEL} characters")
    if not label.isascii():
        if any(map(_becomes_ascii, label)):
            return InvalidName(label, f"{label!r} is no label of IDNA 2008 (it would be taken for {lower!r})")
        try:
            return idna.alabel(lower).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            return InvalidName(label, f"{label!r} is no label of IDNA 2008 ({error})")
    if not _ONE_LABEL.fullmatch(lower):
        return InvalidName(label, f"{label!r} is no label of letters, digits and inner hyphens")
    return lower


def _becomes_ascii(character: str) -> bool:
    """Such as the Kelvin sign, whose lower case is the letter k: it would equal a name that has a k there."""
    if character.isascii():
        return False
    return any(mapped.isascii() for mapped in unicodedata.normalize("NFC", character.lower()))
