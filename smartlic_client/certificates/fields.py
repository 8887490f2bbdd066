"""The fields of a certificate (RFC 5280, sections 4.1 and 4.2) by their bytes. They raise `DerError` only."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import msgspec

from smartlic_client.certificates.der import (
    BIT_STRING,
    IA5_STRING,
    OID,
    SEQUENCE,
    DerError,
    Remembered,
    elements,
    only,
    parts,
    read_integer,
    read_oid,
    read_string,
)
from smartlic_client.certificates.flaws import FlawKind
from smartlic_client.certificates.tables import (
    ATTRIBUTES,
    BASIC_CONSTRAINTS,
    CURVES,
    EXTENDED_KEY_USAGE,
    EXTENDED_USAGES,
    HASHES,
    KEY_USAGE,
    KEY_USAGES,
    KEYS,
    KNOWN_EXTENSIONS,
    SIGNATURES,
    SUBJECT_ALTERNATIVE_NAME,
)
from smartlic_client.hosts import InvalidName

__all__ = [
    "SIGNATURE_ALGORITHMS",
    "UNREADABLE",
    "UNREAD_NAMES",
    "AlternativeNames",
    "BasicConstraints",
    "Extension",
    "Key",
    "Name",
    "SignatureAlgorithm",
    "extension_in_words",
    "read_extensions",
    "read_key",
    "read_name",
]

# --- Names ----------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@*()'-](?:[A-Za-z0-9_.:/@*()' -]*[A-Za-z0-9_.:/@*()'-])?")
_LONGEST_TEXT = 200
_MOST_SHOWN = 30


class Name(msgspec.Struct, frozen=True, gc=False):
    """A distinguished name. `text`: in the form of RFC 4514. `bad`: the strings that are none, in words."""

    text: str
    common_names: tuple[str | InvalidName, ...]
    bad: tuple[str, ...]


def read_name(content: bytes) -> Name:
    """A Name by its content (section 4.1.2.4); all its Common Names, in their order."""
    texts: list[str] = []
    common_names: list[str | InvalidName] = []
    bad: list[str] = []
    tags, relatives = elements(content)
    if tags.strip(b"\x31"):
        raise DerError("it is no list of sets of attributes")
    for relative in relatives:
        text, here, flawed = _RELATIVES[relative]
        texts.append(text)
        if here:
            common_names += here
        if flawed:
            bad += flawed
    return Name(",".join(reversed(_first(texts))), tuple(common_names), tuple(bad))


def _read_relative(content: bytes) -> tuple[str, tuple[str | InvalidName, ...], tuple[str, ...]]:
    texts: list[str] = []
    common_names: list[str | InvalidName] = []
    bad: list[str] = []
    for tag, attribute in zip(*elements(content), strict=True):
        tags, found = elements(attribute)
        if tag != SEQUENCE or len(found) != 2 or tags[0] != OID:
            raise DerError("an attribute is not a type and a value")
        kind = found[0]
        label = ATTRIBUTES.get(kind) or read_oid(kind)
        value = read_string(tags[1], found[1])
        if label == "CN":
            common_names.append(value)
        if isinstance(value, InvalidName):
            bad.append(f"{label} is no text: {value.reason}")
            # RFC 4514, section 2.4: the element as it stands, after that of the type
            texts.append(f"{label}=#{attribute[len(kind) + 2 :][:_LONGEST_TEXT].hex()}")
        else:
            texts.append(f"{label}={_escaped(value)}")
    if not texts:
        raise DerError("a set of attributes is empty")
    return "+".join(_first(texts)), tuple(common_names), tuple(bad)


_RELATIVES = Remembered(_read_relative)


def _first(texts: list[str]) -> list[str]:
    """No more than one can read; a hostile name has thousands."""
    return texts if len(texts) <= _MOST_SHOWN else [*texts[:_MOST_SHOWN], "…"]


def _escaped(value: str) -> str:
    """An attribute's value in the form of RFC 4514, section 2.4; what is not printable as its octets."""
    if len(value) > _LONGEST_TEXT:
        value = value[:_LONGEST_TEXT] + "…"
    if not value or _PLAIN.fullmatch(value):
        return value
    last = len(value) - 1
    return "".join(
        f"\\{character}"
        if character in '",+;<>\\' or (at == 0 and character in " #") or (at == last and character == " ")
        else character
        if character.isprintable()
        else "".join(f"\\{octet:02x}" for octet in character.encode())
        for at, character in enumerate(value)
    )


class AlternativeNames(msgspec.Struct, frozen=True, gc=False):
    """A SubjectAltName, by kind. `other`: the kinds of those that no host is compared with."""

    dns: tuple[str | InvalidName, ...]
    ip: tuple[IPv4Address | IPv6Address | InvalidName, ...]
    other: tuple[str, ...]


_OTHER_NAMES = {
    0xA0: "otherName",
    0x81: "rfc822Name",
    0xA3: "x400Address",
    0xA4: "directoryName",
    0xA5: "ediPartyName",
    0x86: "uniformResourceIdentifier",
    0x88: "registeredID",
}


def _read_alternative_names(value: bytes) -> AlternativeNames:
    """A SubjectAltName (section 4.2.1.6)."""
    dns: list[str | InvalidName] = []
    ip: list[IPv4Address | IPv6Address | InvalidName] = []
    other: list[str] = []
    for tag, content in zip(*elements(only(value, SEQUENCE)), strict=True):
        if tag == 0x82:
            dns.append(read_string(IA5_STRING, content))
        elif tag == 0x87:
            ip.append(_read_address(content))
        elif tag in _OTHER_NAMES:
            other.append(_OTHER_NAMES[tag])
        else:
            raise DerError(f"there is no kind of alternative name {tag:#04x}")
    if not (dns or ip or other):
        raise DerError("it holds no name")
    return AlternativeNames(tuple(dns), tuple(ip), tuple(other))


def _read_address(content: bytes) -> IPv4Address | IPv6Address | InvalidName:
    if len(content) == 4:
        return IPv4Address(content)
    if len(content) == 16:
        return IPv6Address(content)
    return InvalidName(content[:_LONGEST_TEXT].hex(":"), f"an address has 4 or 16 bytes, not {len(content)}")


# --- Keys and algorithms --------------------------------------------------------------------------


class Key(msgspec.Struct, frozen=True, gc=False):
    """A public key. `kind`: RSA, EC, Ed25519 …, or an OID that is not in the table; `bits`: its size."""

    kind: str
    bits: int | None = None
    curve: str | None = None
    exponent: int | None = None
    known: bool = True


_BITS = {"Ed25519": 256, "Ed448": 448}


def read_key(content: bytes) -> Key:
    """A SubjectPublicKeyInfo by its content (section 4.1.2.7; RFC 3279, RFC 5480, RFC 8410)."""
    algorithm, bits = parts(content, b"\x30\x03")
    if bits[:1] != b"\0":
        raise DerError("its bits are no whole bytes")
    key = _KEY_ALGORITHMS[algorithm]
    if key.kind in ("RSA", "RSA-PSS"):
        modulus, exponent = parts(only(bits[1:], SEQUENCE), b"\2\2")
        return _rsa_key(key.kind, _bit_length(modulus), exponent)
    if key.kind == "EC" and key.bits is not None:
        octets = (key.bits + 7) // 8
        if len(bits) - 2 != {b"\2": octets, b"\3": octets, b"\4": 2 * octets}.get(bits[1:2]):
            raise DerError("it is no point of its curve")
    return key


def _bit_length(content: bytes) -> int:
    """Of a positive INTEGER: no need to make a number of 4096 bits."""
    digits = content.lstrip(b"\0")
    if not digits or content[0] >= 0x80:
        raise DerError("its numbers are not positive")
    return 8 * len(digits) - 8 + digits[0].bit_length()


@lru_cache(maxsize=256)
def _rsa_key(kind: str, bits: int, exponent: bytes) -> Key:
    # a longer exponent is none that any client takes, and no number to print
    small = _bit_length(exponent) <= 256
    return Key(kind, bits, exponent=read_integer(exponent) if small else None)


def _read_key_algorithm(content: bytes) -> Key:
    """What the algorithm alone says of the key."""
    kind, parameters = _algorithm(content)
    name = KEYS.get(kind)
    if name is None:
        return Key(read_oid(kind), known=False)
    if name == "EC":
        if parameters is None or parameters[0] != OID:
            # RFC 5480, section 2.1.1: parameters of one's own are not for certificates
            return Key(name, curve="parameters of its own", known=False)
        if parameters[1] not in CURVES:
            return Key(name, curve=read_oid(parameters[1]), known=False)
        curve, bits = CURVES[parameters[1]]
        return Key(name, bits, curve)
    if name == "DSA" and parameters is not None:
        prime, *_ = parts(parameters[1], b"\2\2\2")
        return Key(name, _bit_length(prime))
    return Key(name, _BITS.get(name))


_KEY_ALGORITHMS = Remembered(_read_key_algorithm)


class SignatureAlgorithm(msgspec.Struct, frozen=True, gc=False):
    """How the certificate is signed. `digest`: sha256 …, None where there is none apart or it is unknown."""

    name: str
    digest: str | None
    known: bool = True


def _read_signature_algorithm(content: bytes) -> SignatureAlgorithm:
    """An AlgorithmIdentifier by its content (section 4.1.1.2)."""
    kind, parameters = _algorithm(content)
    if kind not in SIGNATURES:
        return SignatureAlgorithm(read_oid(kind), None, known=False)
    name, digest = SIGNATURES[kind]
    if name == "RSASSA-PSS":
        digest = _pss_digest(parameters)
    return SignatureAlgorithm(name, digest)


SIGNATURE_ALGORITHMS = Remembered(_read_signature_algorithm)
"""AlgorithmIdentifiers by their content."""


def _pss_digest(parameters: tuple[int, bytes] | None) -> str | None:
    """RFC 4055, section 3.1: [0] is the digest, SHA-1 where it is left out."""
    if parameters is None or parameters[0] != SEQUENCE:
        return None
    for tag, content in zip(*elements(parameters[1]), strict=True):
        if tag == 0xA0:
            return HASHES.get(_algorithm(only(content, SEQUENCE))[0])
    return "sha1"


def _algorithm(content: bytes) -> tuple[bytes, tuple[int, bytes] | None]:
    """The OID's content, and the parameters."""
    tags, found = elements(content)
    if not 1 <= len(found) <= 2 or tags[0] != OID:
        raise DerError("it names no algorithm")
    return found[0], (tags[1], found[1]) if len(found) == 2 else None


# --- Extensions -----------------------------------------------------------------------------------


class BasicConstraints(msgspec.Struct, frozen=True, gc=False):
    """Whether the certificate is an authority's, and how many may stand below it (section 4.2.1.9)."""

    is_authority: bool
    path_length: int | None


def _read_basic_constraints(value: bytes) -> BasicConstraints:
    tags, found = elements(only(value, SEQUENCE))
    if bytes(tags) not in (b"", b"\1", b"\2", b"\1\2"):
        raise DerError("it is not a truth value and a number")
    is_authority = tags[:1] == b"\1" and found[0] != b"\0"
    path_length = read_integer(found[-1]) if tags[-1:] == b"\2" else None
    if path_length is not None and not 0 <= path_length < 2**31:
        raise DerError("it has no path length that could be")
    return BasicConstraints(is_authority, path_length)


def _read_key_usages(value: bytes) -> tuple[str, ...]:
    """KeyUsage (section 4.2.1.3), in the order of the bits."""
    content = only(value, BIT_STRING)
    if not 2 <= len(content) <= 3 or content[0] > 7:
        raise DerError("its bits are none of the nine usages")
    bits = int.from_bytes(content[1:].ljust(2, b"\0"), "big")
    return tuple([name for at, name in enumerate(KEY_USAGES) if bits >> (15 - at) & 1])


def _read_extended_usages(value: bytes) -> tuple[str, ...]:
    """ExtKeyUsage (section 4.2.1.12): names, or the OID of those that are not in the table."""
    tags, usages = elements(only(value, SEQUENCE))
    if not tags or tags.strip(b"\6"):
        raise DerError("it is no list of usages")
    return tuple([EXTENDED_USAGES.get(usage) or read_oid(usage) for usage in usages])


Extension = tuple[bytes, Any, tuple[FlawKind, str] | None]
"""The OID's content; what it says, None if nobody asks; kind and words of a flaw, if there is one."""

UNREAD_NAMES = AlternativeNames((InvalidName("", "the alternative names can't be read"),), (), ())
UNREADABLE = {
    KEY_USAGE: (),
    SUBJECT_ALTERNATIVE_NAME: UNREAD_NAMES,
    BASIC_CONSTRAINTS: None,
    EXTENDED_KEY_USAGE: (),
}
"""What those say that can't be read: no usage is allowed by them, and no name is one."""

_READERS: dict[bytes, Callable[[bytes], Any]] = {
    KEY_USAGE: _read_key_usages,
    SUBJECT_ALTERNATIVE_NAME: _read_alternative_names,
    BASIC_CONSTRAINTS: _read_basic_constraints,
    EXTENDED_KEY_USAGE: _read_extended_usages,
}


def read_extensions(content: bytes) -> list[Extension]:
    """The list of extensions (section 4.1.2.9), each read."""
    tags, extensions = elements(only(content, SEQUENCE))
    if tags.strip(b"\x30"):
        raise DerError("it is no list of extensions")
    return [_EXTENSIONS[extension] for extension in extensions]


def _read_extension(content: bytes) -> Extension:
    tags, found = elements(content)
    if tags != b"\x06\x04" and tags != b"\x06\x01\x04":
        raise DerError("an extension is not a type, whether it is critical, and a value")
    kind = found[0]
    if kind in _READERS:
        try:
            return kind, _READERS[kind](found[-1]), None
        except DerError as error:
            return kind, UNREADABLE[kind], (FlawKind.BAD_EXTENSION, f"it can't be read: {error}")
    if kind not in KNOWN_EXTENSIONS:
        read_oid(kind)
        if len(found) == 3 and found[1] != b"\0":
            detail = "it is critical, and no client has to know it"
            return kind, None, (FlawKind.UNKNOWN_CRITICAL_EXTENSION, detail)
    return kind, None, None


def extension_in_words(kind: bytes) -> str:
    return f"extension {KNOWN_EXTENSIONS.get(kind) or read_oid(kind)}"


_EXTENSIONS = Remembered(_read_extension)
