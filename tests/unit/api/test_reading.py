"""Liberal reading: the same fields in every form that clients write them, and no others."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.api import reading
from mock_server.api.shapes import (
    LicensesToTransfer,
    NewIdTokenRequest,
    NewVirtualAccount,
    Page,
    TokensToRevoke,
    VirtualAccountsPage,
)
from mock_server.errors import SmartlicError

FORM = "application/x-www-form-urlencoded"
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(str.strip)
plain = texts.filter(lambda text: text[0] not in "[{")
numbers = st.integers(0, 10**6)


def as_json(fields: dict[str, Any]) -> dict[str, Any]:
    return reading.fields(msgspec.json.encode(fields), "application/json")


def as_form(fields: dict[str, Any]) -> dict[str, Any]:
    return reading.fields(urlencode(fields, doseq=True).encode(), FORM)


@settings(deadline=None)
@given(numbers, st.integers(-1, 10**6), st.lists(plain, min_size=1, max_size=4))
def test_a_page_is_the_same_in_every_form(offset: int, limit: int, names: list[str]) -> None:
    """JSON numbers, their texts, floats, a form, a query, keys with brackets: one meaning."""
    wanted = VirtualAccountsPage(limit=limit, offset=offset, virtual_accounts=names)
    said = {"limit": limit, "offset": offset, "virtualAccounts": names}
    forms = [
        as_json(said),
        as_json(said | {"limit": str(limit), "offset": f" {offset} "}),
        as_json(said | {"limit": float(limit), "offset": f"{offset}.0"}),
        as_form(said),
        reading.query(urlencode(said, doseq=True).encode()),
        as_form({"limit": limit, "offset": offset, "virtualAccounts[]": names}),
        as_form(said | {"virtualAccounts": msgspec.json.encode(names).decode()}),
    ]
    for form in forms:
        assert reading.shaped(form, VirtualAccountsPage) == wanted


@settings(deadline=None)
@given(st.dictionaries(texts, st.none() | st.booleans() | numbers | texts | st.lists(texts), max_size=4))
def test_what_is_missing_empty_or_unknown_is_left_out(other: dict[str, Any]) -> None:
    """Null, an empty text and blanks are as good as nothing; keys that are not known change nothing."""
    unknown = {
        key: value for key, value in other.items() if key not in ("limit", "offset", "virtualAccounts")
    }
    for empty in (None, "", "  "):
        said = unknown | {"limit": empty, "offset": empty, "virtualAccounts": empty}
        assert reading.shaped(as_json(said), VirtualAccountsPage) == VirtualAccountsPage()
    assert reading.shaped(as_json(unknown), VirtualAccountsPage) == VirtualAccountsPage()
    assert reading.shaped(as_json({"virtualAccounts": []}), VirtualAccountsPage).virtual_accounts == []


@settings(deadline=None)
@given(st.integers(1, 365), st.integers(1, 100_000), st.booleans())
def test_a_new_token_is_the_same_in_every_form(days: int, uses: int, allowed: bool) -> None:
    """Days and uses as int, float and text; Allowed in any case, and as a yes or no."""
    word = "Allowed" if allowed else "Not Allowed"
    wanted = NewIdTokenRequest(expires_after_days=days, export_controlled=word, number_of_uses=uses)  # type: ignore[arg-type]
    for written in (days, float(days), str(days), f"{days}.00"):
        for said in (word, word.upper(), allowed):
            fields = {"expiresAfterDays": written, "numberOfUses": f"{uses}", "exportControlled": said}
            assert reading.shaped(as_json(fields), NewIdTokenRequest) == wanted
    assert reading.shaped({"numberOfUses": ""}, NewIdTokenRequest).number_of_uses is None


@settings(deadline=None)
@given(st.floats() | st.text(max_size=8) | st.booleans() | st.lists(numbers, max_size=2) | st.none())
def test_a_number_is_read_or_refused(said: Any) -> None:
    """What is a whole number in some form is that number, all else is refused with the field's name."""
    try:
        found = reading.shaped({"offset": said}, Page).offset
    except SmartlicError as error:
        assert error.code == "bad-value"
        assert error.context["field"] == "offset"
        if isinstance(said, float):
            assert not math.isfinite(said) or said != int(said) or said < 0
        return
    if said is None or (isinstance(said, str) and not said.strip()):
        assert found == 0
    else:
        assert not isinstance(said, bool | list)
        assert found == min(int(float(said)), 2**62)


@pytest.mark.parametrize("limit", [10**30, "9" * 400, 1e300, 2**63])
def test_a_huge_limit_is_all(limit: Any) -> None:
    """Whatever its size: it is no more than all there are."""
    assert reading.shaped({"limit": limit}, Page).limit == 2**62


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("", b'{"limit": 3}'),
        ("text/plain", b'{"limit": 3}'),
        ("application/xml", b' {"limit": 3}'),
        ("application/vnd.api+json; charset=utf-8", b'{"limit": 3}'),
        (FORM, b'{"limit": "3"}'),
        (FORM + "; charset=UTF-8", b"limit=3"),
        ("", b"limit=3"),
        ("text/plain", b"limit=3&x=%zz"),
    ],
)
def test_a_wrong_content_type_is_no_harm(kind: str, body: bytes) -> None:
    """Where the body can be read for what it is, what it is called does not matter."""
    assert reading.shaped(reading.fields(body, kind), Page).limit == 3


def test_lists_of_objects_go_in_forms_as_json() -> None:
    """A form has no objects: their JSON is read; one object alone is a list of one."""
    move = {"license": "DNA", "quantity": "2", "targetVirtualAccount": "b", "licenseType": "term"}
    for fields in (
        as_json({"licenses": [move]}),
        as_json({"licenses": move}),
        as_form({"licenses": msgspec.json.encode([move]).decode()}),
    ):
        (one,) = reading.shaped(fields, LicensesToTransfer).licenses
        assert (one.license, one.quantity, one.license_type) == ("DNA", 2, "TERM")


@settings(deadline=None)
@given(plain)
def test_one_token_is_a_list_of_one(text: str) -> None:
    """As clients send it that have only one."""
    assert reading.shaped(as_json({"tokens": text}), TokensToRevoke).tokens == [text]


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.sampled_from(["", FORM, "application/json", "text/plain", "\x00;"]))
def test_any_body_is_read_or_refused(raw: bytes, kind: str) -> None:
    """Bytes are fields, or one of the problems: nothing else is raised."""
    try:
        found = reading.fields(raw, kind)
        reading.shaped(found, VirtualAccountsPage)
    except SmartlicError as error:
        assert error.code in ("body-unreadable", "body-unknown", "bad-value")


def test_null_is_a_name_and_no_number() -> None:
    """A form writes null where there is no number; a virtual account may be called so all the same."""
    said = as_form({"limit": "null", "offset": "null", "virtualAccounts": "null"})
    assert reading.shaped(said, VirtualAccountsPage) == VirtualAccountsPage(virtual_accounts=["null"])
    assert reading.shaped({"name": "null"}, NewVirtualAccount).name == "null"
    assert reading.shaped({"exportControlled": "null"}, NewIdTokenRequest).export_controlled == "Not Allowed"
