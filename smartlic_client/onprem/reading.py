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
    """What cannot be read, without a period. It holds no value of a field, which may be a secret."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what, where)
        self.what = what
        self.where = where

    def __str__(self) -> str:
        return f"{self.where or 'it'} {self.what}"

    def inside(self, place: str) -> UnreadableError:
        """The same, seen from one level further out."""
        return UnreadableError(self.what, f"{place}.{self.where}" if self.where else place)


def parse(body: bytes) -> Mapping[str, Any]:
    """An answer's body as an object. Raises UnreadableError."""
    try:
        found = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise UnreadableError("is JSON, and no object")
    return found


def items(kind: type[S], answer: Mapping[str, Any], name: str) -> list[S]:
    """The list under `name` in an answer. Raises UnreadableError, also where there is none."""
    if name not in answer:
        raise UnreadableError(f"has no {name}")
    try:
        return [read(kind, each) for each in _listed(answer[name])]
    except UnreadableError as error:
        raise error.inside(name) from None


def read(kind: type[S], value: Any) -> S:
    """One struct. Raises UnreadableError."""
    if isinstance(value, str) and "name" in kind.__struct_fields__:
        value = {"name": value}
    if not isinstance(value, Mapping):
        raise UnreadableError("is no object")
    found = {}
    for name, wire, wanted in _fields(kind):
        given = value.get(wire)
        if given is None or (given == "" and wanted is not str):
            continue
        try:
            found[name] = given if wanted is str and type(given) is str else _value(wanted, given)
        except UnreadableError as error:
            raise error.inside(wire) from None
    try:
        return kind(**found)
    except TypeError:
        raise UnreadableError("lacks a field") from None


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Any], ...]:
    return tuple((each.name, each.encode_name, each.type) for each in msgspec.structs.fields(kind))


def _value(wanted: Any, given: Any) -> Any:
    if wanted is str:
        return _text(given)
    if wanted is Secret:
        return Secret(_text(given))
    if get_origin(wanted) is list:
        return [read(get_args(wanted)[0], each) for each in _listed(given)]
    if issubclass(wanted, msgspec.Struct):
        return read(wanted, given)
    if isinstance(given, str):
        given = given.strip()
    try:
        return msgspec.convert(given, wanted, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError):
        raise UnreadableError(f"is no {'truth value' if wanted is bool else 'number'}") from None


def _text(given: Any) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float):
        return str(given)
    raise UnreadableError("is no text")


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, list):
        return given
    if isinstance(given, Mapping):
        return [given]
    raise UnreadableError("is no list")
