"""Certificates in DER of every right and wrong form, built from their elements; their signatures are none."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ECDSA_SHA256",
    "EC_KEY",
    "NAME",
    "VALIDITY",
    "attribute",
    "build",
    "cn",
    "extension",
    "integer",
    "name",
    "san",
    "tlv",
    "validity",
]


def tlv(tag: int, *contents: bytes) -> bytes:
    """An element, with its length as DER has it."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def oid(hexadecimal: str) -> bytes:
    return tlv(0x06, bytes.fromhex(hexadecimal))


def integer(number: int) -> bytes:
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def attribute(kind: str, value: bytes, tag: int = 0x0C) -> bytes:
    """One relative name with one attribute."""
    return tlv(0x31, tlv(0x30, oid(kind), tlv(tag, value)))


def cn(value: bytes | str, tag: int = 0x0C) -> bytes:
    return attribute("550403", value.encode() if isinstance(value, str) else value, tag)


def name(*relatives: bytes) -> bytes:
    return tlv(0x30, *relatives)


def validity(since: bytes = b"250101000000Z", until: bytes = b"350101000000Z", tag: int = 0x17) -> bytes:
    return tlv(0x30, tlv(tag, since), tlv(tag, until))


def extension(kind: str, *value: bytes, critical: bool = False) -> bytes:
    return tlv(0x30, oid(kind), tlv(0x01, b"\xff") if critical else b"", tlv(0x04, *value))


def san(*names: tuple[int, bytes]) -> bytes:
    return extension("551d11", tlv(0x30, *(tlv(tag, content) for tag, content in names)))


ECDSA_SHA256 = tlv(0x30, oid("2a8648ce3d040302"))
EC_KEY = tlv(0x30, tlv(0x30, oid("2a8648ce3d0201"), oid("2a8648ce3d030107")), tlv(0x03, b"\0\4", bytes(64)))
NAME = name(cn("ssm.example"))
VALIDITY = validity()


def build(
    *,
    subject: bytes = NAME,
    issuer: bytes = NAME,
    serial: bytes = b"\x02\x01\x05",
    valid: bytes = VALIDITY,
    key: bytes = EC_KEY,
    version: bytes = b"\xa0\x03\x02\x01\x02",
    algorithm: bytes = ECDSA_SHA256,
    outer_algorithm: bytes | None = None,
    extensions: Sequence[bytes] | None = (),
    rest: bytes = b"",
) -> bytes:
    """A certificate with these parts; `rest` stands before its extensions. With no `extensions`, none."""
    listed = tlv(0xA3, tlv(0x30, *extensions)) if extensions else b""
    to_be_signed = tlv(0x30, version, serial, algorithm, issuer, valid, subject, key, rest, listed)
    return tlv(0x30, to_be_signed, outer_algorithm or algorithm, tlv(0x03, b"\0sig"))
