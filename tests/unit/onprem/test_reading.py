"""Tolerant reading of answers, by properties."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlic_client.onprem import model
from smartlic_client.onprem.reading import UnreadableError, items, parse, read
from smartlic_client.onprem.secret import Secret

KINDS: list[type[msgspec.Struct]] = [
    model.Account,
    model.Alert,
    model.Device,
    model.Done,
    model.License,
    model.LicenseDetail,
    model.NewToken,
    model.Subscription,
    model.Sudi,
    model.Token,
    model.VirtualAccount,
]
TEXT = st.text(max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


def spelled(wanted: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    """A value of a field, and one of the ways in which a server may write it."""
    if wanted is str:
        return TEXT.map(lambda text: (text, text))
    if wanted is Secret:
        return TEXT.map(lambda text: (Secret(text), text))
    if wanted is bool:
        said = {True: [True, "true", "True", 1, "1"], False: [False, "false", "False", 0, "0", None, ""]}
        return st.booleans().flatmap(lambda value: st.sampled_from(said[value]).map(lambda one: (value, one)))
    if wanted is int:
        return st.integers(-(2**53), 2**53).flatmap(
            lambda value: st.sampled_from([value, str(value), f" {value} ", float(value)]).map(
                lambda one: (value, one)
            )
        )
    if get_origin(wanted) is list:
        inner = st.lists(spelled(get_args(wanted)[0]), max_size=2)
        return inner.map(lambda pairs: ([one for one, _ in pairs], [one for _, one in pairs]))
    return structs(wanted)


@st.composite
def structs(draw: st.DrawFn, kind: Any) -> tuple[Any, dict[str, Any]]:
    """A struct, and an object that means it: any subset of its fields, and keys that nobody knows."""
    values: dict[str, Any] = {}
    wire: dict[str, Any] = draw(st.dictionaries(TEXT.map(lambda text: f"?{text}"), JSON, max_size=3))
    for field in msgspec.structs.fields(kind):
        if draw(st.booleans()):
            values[field.name], wire[field.encode_name] = draw(spelled(field.type))
        elif draw(st.booleans()):
            wire[field.encode_name] = None
    return kind(**values), wire


@given(st.sampled_from(KINDS).flatmap(structs))
def test_every_spelling_of_a_value_is_read(pair: tuple[Any, dict[str, Any]]) -> None:
    """Whichever fields are there, as numbers or texts, with unknown ones between them, means the same."""
    wanted, wire = pair
    assert read(type(wanted), json.loads(json.dumps(wire))) == wanted


@given(st.sampled_from(KINDS), JSON)
def test_anything_is_read_or_refused(kind: type[msgspec.Struct], value: Any) -> None:
    """No JSON whatever raises anything else, and what is read holds values of the declared types."""
    try:
        found = read(kind, value)
    except UnreadableError as error:
        assert str(error)
    else:
        msgspec.convert(msgspec.to_builtins(found, enc_hook=lambda _: ""), dict[str, Any])


@given(st.sampled_from(KINDS), st.data())
def test_any_value_in_a_field_is_read_or_refused(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """A value of another type is an error with the field's name, and never a made-up figure."""
    field = data.draw(st.sampled_from(msgspec.structs.fields(kind)))
    value = data.draw(JSON)
    try:
        found = getattr(read(kind, {field.encode_name: value}), field.name)
    except UnreadableError as error:
        assert field.encode_name in str(error)
        return
    if field.type in (int, bool, str):
        assert type(found) is field.type
    if field.type is int and isinstance(value, int | float):
        assert found == value


@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode))
def test_any_body_is_an_object_or_refused(body: bytes) -> None:
    """Octets of all kinds end in an object or in the one error."""
    try:
        assert isinstance(parse(body), dict)
    except UnreadableError as error:
        assert str(error)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"1e999999", b"nul"])
def test_hostile_bodies(body: bytes) -> None:
    """Depth, broken UTF-8 and huge numbers are refused as well."""
    with pytest.raises(UnreadableError):
        parse(body)


def test_a_list_of_one_may_come_without_brackets() -> None:
    """As answers that were XML once have it; a missing list is no empty one."""
    assert items(model.License, {"licenses": {"license": "x"}}, "licenses") == [model.License(license="x")]
    assert items(model.License, {"licenses": None}, "licenses") == []
    with pytest.raises(UnreadableError, match="no licenses"):
        items(model.License, {}, "licenses")


@pytest.mark.parametrize("wrong", ["x", "1.5", "1e400", "0x10", 1.5, [], {}, True])
def test_a_quantity_that_is_none_is_not_nought(wrong: Any) -> None:
    """0 licenses in use would be a lie."""
    with pytest.raises(UnreadableError, match="quantity"):
        read(model.License, {"quantity": wrong})
