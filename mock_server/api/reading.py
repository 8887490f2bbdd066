"""What a call says, read liberally: its fields may be in the query, a form or a JSON object.

- A field in the body goes before one in the query. Keys that are not known are left out.
- A field that is missing, null or empty has its default.
- A number may be a number, or its text; a whole number may be written with a point (30.0).
- A list may be one text, or a key that comes again and again (`a=1&a=2`, `a[]=1&a[]=2`).
- Lists and objects in a form or in the query are texts of JSON.
"""

from __future__ import annotations

import asyncio
import base64
import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from msgspec import inspect

from mock_server.api.problems import BAD_VALUE, BODY_TOO_LARGE, BODY_TOO_SLOW, BODY_UNKNOWN, BODY_UNREADABLE
from mock_server.web.asgi import BodyTooLarge, Receive, Scope, read_body

__all__ = [
    "BODY_SECONDS",
    "MAX_BODY",
    "body",
    "credentials",
    "fields",
    "has_body",
    "one_line",
    "query",
    "shaped",
]

MAX_BODY: Final = 1 << 20
BODY_SECONDS: Final = 20.0
_MOST_FIELDS: Final = 10_000
_LARGEST: Final = 1 << 62
"""Whole numbers beyond it are it: a limit that is huge is all."""
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,400}(\.0*)?")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{0,400})?")

T = TypeVar("T", bound=msgspec.Struct)
Raw = dict[str, Any]


# ---- where fields come from -------------------------------------------------------------------------------
def has_body(scope: Scope) -> bool:
    """Whether a body comes (RFC 9112, section 6)."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def body(scope: Scope, receive: Receive, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body. Raises body-too-large, body-too-slow, web.asgi.ClientGone."""
    try:
        async with asyncio.timeout(seconds):
            return await read_body(scope, receive, MAX_BODY)
    except BodyTooLarge:
        raise BODY_TOO_LARGE(limit=MAX_BODY) from None
    except TimeoutError:
        raise BODY_TOO_SLOW(seconds=f"{seconds:g}") from None


def query(raw: bytes) -> Raw:
    """The fields of a query or a form. Bytes that are no UTF-8 become U+FFFD."""
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BODY_UNREADABLE(what="fields", why=str(error)) from None
    found: Raw = {}
    for key, value in pairs:
        name = key.removesuffix("[]")
        if name not in found:
            found[name] = [value] if name != key else value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def fields(raw: bytes, content_type: str) -> Raw:
    """The fields of a body. A content type that is not the body's is no harm where it can be read."""
    kind = content_type.partition(";")[0].strip().lower()
    text = raw.strip()
    if not text:
        return {}
    if kind == "application/x-www-form-urlencoded" and text[:1] not in (b"{", b"["):
        return query(text)
    is_json = kind in ("application/json", "text/json") or kind.endswith("+json")
    if is_json or text[:1] == b"{":
        return _json(text)
    if kind in ("", "text/plain", "application/octet-stream") and re.match(rb"[\w\[\]%.-]+=", text):
        return query(text)
    raise BODY_UNKNOWN(told=kind[:100])


def credentials(headers: Iterable[tuple[bytes, bytes]]) -> Raw:
    """A client's id and secret, where it sends them by HTTP Basic (RFC 6749, section 2.3.1)."""
    for name, value in headers:
        scheme, _, text = value.decode("latin-1").strip().partition(" ")
        if name == b"authorization" and scheme.lower() == "basic":
            try:
                client_id, _, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
            except ValueError:
                return {}
            return {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}
    return {}


def _json(text: bytes) -> Raw:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BODY_UNREADABLE(what="JSON", why=str(error)[:200]) from None
    if not isinstance(found, dict):
        raise BODY_UNREADABLE(what="JSON", why="it is no object")
    return found


# ---- what they mean ---------------------------------------------------------------------------------------
def shaped(said: Mapping[str, Any], form: type[T]) -> T:
    """The fields that the form knows, as it has them. Raises bad-value."""
    plain = _struct(said, _form_of(form), "")
    try:
        return msgspec.convert(plain, form)
    except msgspec.ValidationError as error:
        why, _, where = str(error).partition(" - at `$")
        raise BAD_VALUE(field=where.strip("`.") or "of the body", why=_lower(why)) from None


@cache
def _form_of(form: type[msgspec.Struct]) -> inspect.StructType:
    kind = inspect.type_info(form)
    if not isinstance(kind, inspect.StructType):
        raise TypeError(f"{form} is no struct")
    return kind


def _struct(said: Mapping[str, Any], form: inspect.StructType, where: str) -> Raw:
    plain: Raw = {}
    for field in form.fields:
        name = field.encode_name
        value = said.get(name)
        at = f"{where}{name}"
        if _missing(value, field.type):
            if field.required:
                raise BAD_VALUE(field=at, why="it is missing")
            continue
        plain[name] = _value(value, field.type, at)
    return plain


def _missing(value: Any, kind: inspect.Type) -> bool:
    """Null and empty texts; the word null where a form says that there is no number."""
    if not isinstance(value, str):
        return value is None
    text = value.strip()
    return not text or (text == "null" and not isinstance(_bare(kind), inspect.StrType | inspect.ListType))


def _bare(kind: inspect.Type) -> inspect.Type:
    """The type without what is said about it, and without None."""
    match kind:
        case inspect.Metadata(type=inner):
            return _bare(inner)
        case inspect.UnionType(types=types):
            return _bare(next(one for one in types if not isinstance(one, inspect.NoneType)))
        case _:
            return kind


def _value(value: Any, kind: inspect.Type, at: str) -> Any:
    match _bare(kind):
        case inspect.IntType():
            return _whole(value, at)
        case inspect.FloatType():
            return _number(value, at)
        case inspect.ListType(item_type=item):
            return [_value(one, item, f"{at}[{place}]") for place, one in enumerate(_list(value, at))]
        case inspect.LiteralType(values=values):
            return _word(value, values)
        case inspect.StructType() as form:
            value = _inner_json(value)
            if not isinstance(value, dict):
                raise BAD_VALUE(field=at, why="it is no object")
            return _struct(value, form, f"{at}.")
        case _:
            return value


def _whole(value: Any, at: str) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value.strip().partition(".")[0])
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BAD_VALUE(field=at, why="it is no whole number")
    return max(-_LARGEST, min(value, _LARGEST))


def _number(value: Any, at: str) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value.strip())
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BAD_VALUE(field=at, why="it is no number")
    number = float(max(-_LARGEST, min(value, _LARGEST))) if isinstance(value, int) else value
    if not math.isfinite(number):
        raise BAD_VALUE(field=at, why="it is no number")
    return number


def _word(value: Any, values: tuple[Any, ...]) -> Any:
    """One of some words, whatever its case; true and false where they are Allowed and Not Allowed."""
    text = str(value).strip().lower() if isinstance(value, str | bool) else None
    if "Allowed" in values and text in ("true", "false"):
        return "Allowed" if text == "true" else "Not Allowed"
    return next((one for one in values if str(one).lower() == text), value)


def _list(value: Any, at: str) -> list[Any]:
    value = _inner_json(value)
    if isinstance(value, str | dict):
        return [value]
    if not isinstance(value, list):
        raise BAD_VALUE(field=at, why="it is no list")
    return value


def _inner_json(value: Any) -> Any:
    """A list or an object that a form had to write as text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError, ValueError):
            # A name may begin with a bracket.
            return value
    return value


def one_line(text: str) -> str:
    """A description, which may come with line ends: a blank for each character that cannot be printed."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
