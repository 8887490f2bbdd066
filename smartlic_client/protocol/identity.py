"""Who a product instance is: UDI, software id, entitlement tags, ID tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote, unquote

import msgspec

from smartlic_client.errors import CallerError, problem

__all__ = [
    "MAX_COUNT",
    "Count",
    "IdToken",
    "Tag",
    "Udi",
    "device_digest",
    "entitlement_tag",
    "printable",
    "software_id",
]

BAD_UDI = problem(
    "bad-udi",
    CallerError,
    "The {field} {value!r} is not valid: {why}.",
    "Give the product id and serial number as `show license udi` prints them, for example "
    "--pid C9300-24T --sn FOC2705Y8X0.",
)
BAD_TAG = problem(
    "bad-tag",
    CallerError,
    "{value!r} is not {what}.",
    "Give it as the product's documentation prints it, for example {example}.",
)
BAD_TOKEN = problem(
    "token-malformed",
    CallerError,
    "What was given as ID token is not one: {why}.",
    "Copy the whole token from the server's General tab (or `smartlic-mock token create`), without blanks.",
)

BAD_TEXT = problem(
    "bad-text",
    CallerError,
    "The {field} is not valid: {why}.",
    "Give up to 255 characters that can be printed, without blanks at the ends.",
)

# The server's own table of product instances holds as much; counts beyond it are mistakes.
MAX_COUNT = 2**31 - 1

Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
Field = Annotated[str, msgspec.Meta(max_length=255)]

_VERSION_BITS = 0xF << 76 | 0x3 << 62
_VERSION_4 = 4 << 76 | 0x2 << 62
_PRINTABLE = re.compile(r"[\x21-\x2b\x2d-\x7e](?:[\x20-\x2b\x2d-\x7e]{0,253}[\x21-\x2b\x2d-\x7e])?")
_HOST_IDENTIFIER = re.compile(r"[0-9A-Fa-f]{8}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:.-]?[0-9A-Fa-f]{2}){5}")
# Public shapes: regid.2017-05.com.cisco.C9300,v1_<uuid>, regid.2018-12.com.cisco.DNA_P_50M_A,1.0_<uuid>
_REGID = re.compile(
    r"(?=.{1,255}$)regid\.[0-9]{4}-[0-9]{2}\.[A-Za-z0-9._-]+,[A-Za-z0-9.]+_[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_TOKEN = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{13})\|([A-Za-z0-9+/]+={0,2})")


class Udi(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Unique device identifier. At least one field is given; texts are printable ASCII without commas."""

    pid: Field | None = None
    sn: Field | None = None
    vid: Field | None = None
    uuid: Field | None = None
    suvi: Field | None = None
    host_identifier: Field | None = None
    mac_address: Field | None = None

    def __str__(self) -> str:
        """As devices print it: `PID:C9300-24T,SN:FOC2705Y8X0`."""
        names = {
            "pid": "PID",
            "vid": "VID",
            "sn": "SN",
            "uuid": "UUID",
            "suvi": "SUVI",
            "host_identifier": "HID",
            "mac_address": "MAC",
        }
        return ",".join(
            f"{label}:{value}" for field, label in names.items() if (value := getattr(self, field))
        )

    def validated(self) -> Udi:
        """This UDI, or the problem `bad-udi` that names its first wrong field."""
        values = {field: getattr(self, field) for field in self.__struct_fields__}
        if not any(values.values()):
            raise BAD_UDI(field="UDI", value="", why="at least one field is needed")
        for field, value in values.items():
            if value is None:
                continue
            if not _PRINTABLE.fullmatch(value):
                raise BAD_UDI(field=field, value=value, why="it must be printable ASCII, without a comma")
            if field == "host_identifier" and not _HOST_IDENTIFIER.fullmatch(value):
                raise BAD_UDI(field=field, value=value, why="it must be 8 hexadecimal digits")
            if field == "mac_address" and not _MAC.fullmatch(value):
                raise BAD_UDI(field=field, value=value, why="it must be 12 hexadecimal digits")
            if field == "uuid" and not _UUID.fullmatch(value):
                raise BAD_UDI(field=field, value=value, why="it must be a UUID")
        return self


def device_digest(udi: Udi, software_id: str) -> bytes:
    """What makes two product instances the same device: UDI and software id, as a digest, which is short."""
    text = "\x1f".join([*(field or "" for field in msgspec.structs.astuple(udi)), software_id])
    return hashlib.sha256(text.encode()).digest()


def software_id(text: str) -> str:
    """A software id (product tag) of the public shape, or the problem `bad-tag`."""
    if not _REGID.fullmatch(text):
        example = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"
        raise BAD_TAG(value=text, what="a software id", example=example)
    return text


def entitlement_tag(text: str) -> str:
    """An entitlement tag of the public shape, or the problem `bad-tag`."""
    if not _REGID.fullmatch(text):
        example = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
        raise BAD_TAG(value=text, what="an entitlement tag", example=example)
    return text


def printable(text: str, field: str) -> str:
    """A hostname or custom id as a message may carry it, or the problem `bad-text`."""
    if not 1 <= len(text) <= 255:
        raise BAD_TEXT(field=field, why=f"it has {len(text)} characters")
    if not text.isprintable() or text != text.strip():
        raise BAD_TEXT(field=field, why="it has control characters, or blanks at its ends")
    return text


class IdToken:
    """An ID token: percent-encoded base64 of `<uuid>-<13-digit milliseconds>|<base64 secret>`.

    It is a secret: `repr` and `str` never show it; `reveal()` does, for the one message that carries it.
    """

    __slots__ = ("_text", "expires_at", "token_id")

    def __init__(self, text: str) -> None:
        self._text, self.token_id, self.expires_at = _parse_token(text)

    @classmethod
    def make(cls, token_id: str, expires_ms: int, secret: bytes) -> IdToken:
        """A new token for the server's side; `secret` is 32 random bytes."""
        inner = f"{token_id}-{expires_ms:013d}|{base64.b64encode(secret).decode()}"
        return cls(quote(base64.b64encode(inner.encode()).decode(), safe=""))

    def reveal(self) -> str:
        """The token in its canonical form: percent-encoded, as the server shows it."""
        return self._text

    def __repr__(self) -> str:
        return f"IdToken({self.token_id}, secret)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdToken) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def _parse_token(given: str) -> tuple[str, str, float]:
    text = given.strip()
    plain = unquote(text) if "%" in text else text
    if not _BASE64.fullmatch(plain):
        what = "it has blanks or line ends inside" if len(text.split()) > 1 else "it is not base64"
        raise BAD_TOKEN(why=what if plain else "it is empty")
    canonical = plain.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    if len(canonical) > 255:
        raise BAD_TOKEN(why=f"it has {len(canonical)} characters, and a token has 1 to 255")
    try:
        inner = base64.b64decode(plain, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise BAD_TOKEN(why="it is not base64") from None
    found = _TOKEN.fullmatch(inner)
    if found is None:
        raise BAD_TOKEN(why="its inside has not the form of a token")
    return canonical, found[1], int(found[2]) / 1000


def new_uuid(random_bytes: Callable[[int], bytes]) -> str:
    """A version 4 UUID from the caller's randomness (RFC 9562, section 5.4)."""
    value = int.from_bytes(random_bytes(16), "big") & ~_VERSION_BITS | _VERSION_4
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
