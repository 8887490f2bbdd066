"""The elements of DER (X.690), and the values in certificates that need no table. Whatever the bytes are,
nothing but `DerError` is raised.

Stricter than most readers, on purpose: a certificate that two readers may read in two ways has no names that
one could rely on. So lengths are definite and as short as can be, and tags have one byte, as all those of
RFC 5280.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from smartlic_client.hosts import InvalidName

__all__ = [
    "BIT_STRING",
    "IA5_STRING",
    "INTEGER",
    "OCTET_STRING",
    "OID",
    "SEQUENCE",
    "SET",
    "DerError",
    "Elements",
    "Remembered",
    "elements",
    "first",
    "only",
    "parts",
    "read_integer",
    "read_oid",
    "read_string",
    "read_time",
]

T = TypeVar("T")

INTEGER, BIT_STRING, OCTET_STRING, OID, IA5_STRING, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x16, 0x30, 0x31


class DerError(ValueError):
    """The bytes are not what stands there in DER; the message goes on from "it can't be read: "."""


Elements = tuple[bytearray, list[bytes]]
"""The tags of some elements, and the content of each."""


def elements(data: bytes) -> Elements:
    """The elements that `data` consists of, one level deep (X.690, section 8.1)."""
    tags, contents = bytearray(), []
    start, size = 0, len(data)
    try:
        while start < size:
            tag, length, begin = data[start], data[start + 1], start + 2
            if length >= 0x80:
                begin, length = _long_length(data, begin, length & 0x7F)
            if tag & 0x1F == 0x1F:
                raise DerError("an element has a tag of several bytes")
            start = begin + length
            tags.append(tag)
            contents.append(data[begin:start])
    except IndexError:
        start = size + 1
    if start > size:
        raise DerError("an element is longer than what holds it")
    return tags, contents


def _long_length(data: bytes, start: int, octets: int) -> tuple[int, int]:
    """Where the content begins, and its length, for a length of several octets (X.690, section 8.1.3.5)."""
    begin = start + octets
    if begin > len(data):
        raise DerError("an element is longer than what holds it")
    if not octets:
        raise DerError("an element has no definite length, which is BER and not DER")
    length = int.from_bytes(data[start:begin], "big")
    if length < 0x80 or not data[start]:
        raise DerError("a length is not written as short as it can be, which is BER and not DER")
    return begin, length


def first(data: bytes, start: int = 0) -> tuple[int, bytes]:
    """Where the element that begins at `start` ends, and its content."""
    if len(data) < start + 2:
        raise DerError("an element is longer than what holds it")
    begin, length = start + 2, data[start + 1]
    if length >= 0x80:
        begin, length = _long_length(data, begin, length & 0x7F)
    end = begin + length
    if end > len(data):
        raise DerError("an element is longer than what holds it")
    return end, data[begin:end]


def only(data: bytes, tag: int) -> bytes:
    """The content of the one element that `data` is, which has to have `tag`."""
    end, content = first(data)
    if end != len(data) or data[0] != tag:
        raise DerError(f"it is not one element of type {tag:#04x}")
    return content


def parts(data: bytes, tags: bytes) -> list[bytes]:
    """The contents of the elements that `data` consists of, which have to have just these tags."""
    found, contents = elements(data)
    if found != tags:
        raise DerError("it has other parts than it should have")
    return contents


def read_integer(content: bytes) -> int:
    """An INTEGER by its content (X.690, section 8.3)."""
    if not content:
        raise DerError("a number has no digits")
    if len(content) > 1 and (content[0], content[1] >> 7) in ((0x00, 0), (0xFF, 1)):
        raise DerError("a number is not written as short as it can be, which is BER and not DER")
    return int.from_bytes(content, "big", signed=True)


def read_oid(content: bytes) -> str:
    """An OBJECT IDENTIFIER by its content, in dotted form (X.690, section 8.19)."""
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise DerError("an object identifier is cut off or has no end")
    numbers, number = [], 0
    for octet in content:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


# --- Memory ---------------------------------------------------------------------------------------

_SMALL = 256
_MOST = 4096


class Remembered(dict[bytes, T]):
    """What contents were read as, by `reader`: most of a certificate stands in the next one too.

    Contents of more than 256 bytes are not kept, nor more than 4096 of them: no file makes the memory grow.
    Threads may share it: at worst, two of them read the same.
    """

    def __init__(self, reader: Callable[[bytes], T]) -> None:
        self._reader = reader

    def __missing__(self, content: bytes) -> T:
        value = self._reader(content)
        if len(content) <= _SMALL:
            if len(self) >= _MOST:
                self.clear()
            self[content] = value
        return value


# --- Strings --------------------------------------------------------------------------------------

_ASCII_STRINGS: dict[int, Callable[[bytes], object]] = {
    0x12: re.compile(rb"[0-9 ]*").fullmatch,  # NumericString
    0x13: re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*").fullmatch,  # PrintableString
    0x14: bytes.isascii,  # TeletexString: beyond ASCII, no two readers agree
    0x16: bytes.isascii,  # IA5String
    0x1A: re.compile(rb"[\x20-\x7e]*").fullmatch,  # VisibleString
}
_WIDE_STRINGS = {0x1C: "utf-32-be", 0x1E: "utf-16-be"}  # UniversalString, BMPString


def read_string(tag: int, content: bytes) -> str | InvalidName:
    """A string of a name (RFC 5280, appendix A.1) as text; `InvalidName` if its bytes aren't of its type."""
    try:
        if tag == 0x0C:
            return content.decode("utf-8")
        if tag in _WIDE_STRINGS:
            text = content.decode(_WIDE_STRINGS[tag])
            # a BMPString has no character that takes two units (X.680, section 41)
            if tag == 0x1C or len(text) * 2 == len(content):
                return text
        elif tag in _ASCII_STRINGS and _ASCII_STRINGS[tag](content):
            return content.decode("ascii")
    except UnicodeDecodeError:
        pass  # said below, as for the other types
    return InvalidName(content.decode("latin-1"), f"its bytes are no valid string of ASN.1 type {tag:#04x}")


# --- Times ----------------------------------------------------------------------------------------

_DIGITS = {0x17: 12, 0x18: 14}


def read_time(tag: int, content: bytes) -> datetime:
    """A Time of RFC 5280, section 4.1.2.5: UTCTime for 1950 to 2049, GeneralizedTime for any year."""
    digits = _DIGITS.get(tag, 0)
    if len(content) != digits + 1 or content[-1:] != b"Z" or not content[:-1].isdigit():
        raise DerError("it is not in seconds and in UTC, as it has to be")
    text = content.decode("ascii")
    if digits == 12:
        text = ("19" if text >= "50" else "20") + text
    try:
        # the ISO form is read in C; strptime would cost as much as half of a certificate
        return datetime.fromisoformat(f"{text[:8]}T{text[8:14]}+00:00")
    except ValueError:
        raise DerError(f"there is no time {text[:14]}") from None
