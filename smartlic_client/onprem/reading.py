"""Answers of the REST API → the structs of `model`. Pure.

- Unknown keys are passed over. A key that is missing, or null, gives the field's default; so does an empty
  text where a number or a truth value belongs.
- A number may be written as a text, a truth value as "true" or "false", a text as a number.
- One object where a list belongs is a list of one; a text where an object belongs is its name.
- What can be read in none of these ways is an error and no default: no figure is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from smartlic_client.onprem.secret import Secret

__all__ = ["UnreadableError", "items", "parse", "read"]

S = TypeVar("S", bound=msgspec.Struct)


class UnreadableError(ValueError):
    """`args[0]`: what cannot be read, without a period. It holds no value of a secret."""


def parse(body: bytes) -> Mapping[str, Any]:
    """An answer's body as an object. Raises UnreadableError."""
    try:
        found = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"it is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise UnreadableError("it is JSON, and no object")
    return found


def items(kind: type[S], answer: Mapping[str, Any], name: str) -> list[S]:
    """The list under `name` in an answer. Raises UnreadableError, also where there is none."""
    if name not in answer:
        raise UnreadableError(f"it has no {name}")
    return [read(kind, each, name) for each in _listed(answer[name], name)]


def read(kind: type[S], value: Any, where: str = "it") -> S:
    """One struct. Raises UnreadableError."""
    if isinstance(value, str) and "name" in kind.__struct_fields__:
        value = {"name": value}
    if not isinstance(value, Mapping):
        raise UnreadableError(f"{where} is no object")
    found = {}
    for name, wire, wanted in _fields(kind):
        given = value.get(wire)
        if given is None or (given == "" and wanted is not str):
            continue
        found[name] = _value(wanted, given, f"{where}.{wire}")
    try:
        return kind(**found)
    except TypeError:
        raise UnreadableError(f"{where} lacks a field") from None


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Any], ...]:
    return tuple((each.name, each.encode_name, each.type) for each in msgspec.structs.fields(kind))


def _value(wanted: Any, given: Any, where: str) -> Any:
    if wanted is str:
        return _text(given, where)
    if wanted is Secret:
        return Secret(_text(given, where))
    if get_origin(wanted) is list:
        return [read(get_args(wanted)[0], each, where) for each in _listed(given, where)]
    if issubclass(wanted, msgspec.Struct):
        return read(wanted, given, where)
    if isinstance(given, str):
        given = given.strip()
    try:
        return msgspec.convert(given, wanted, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError):
        what = "number" if wanted is int else "truth value"
        raise UnreadableError(f"{where} is no {what}") from None


def _text(given: Any, where: str) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float):
        return str(given)
    raise UnreadableError(f"{where} is no text")


def _listed(given: Any, where: str) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, list):
        return given
    if isinstance(given, Mapping):
        return [given]
    raise UnreadableError(f"{where} is no list")
