"""Who a product instance is: UDI, tags, ID tokens."""

from __future__ import annotations

import base64
import random
import string
import traceback
import uuid
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.errors import CallerError
from smartlic_client.protocol.identity import IdToken, Udi, entitlement_tag, new_uuid, software_id
from smartlic_client.protocol.record import Record
from tests.unit.protocol.strategies import anything

FREE = ("pid", "sn", "vid", "suvi")
_INK = st.sampled_from([c for c in string.printable if c.isprintable() and c not in ", "])
printable = st.builds(
    lambda first, middle, last: first + middle + last,
    _INK,
    st.text(st.sampled_from([c for c in string.printable if c.isprintable() and c != ","]), max_size=20),
    _INK,
)
udis = st.builds(
    Udi,
    pid=printable,
    sn=st.none() | printable,
    vid=st.none() | printable,
    uuid=st.none() | st.uuids().map(str),
    suvi=st.none() | printable,
    host_identifier=st.none() | st.text("0123456789abcdefABCDEF", min_size=8, max_size=8),
    mac_address=st.none()
    | st.lists(st.sampled_from(["0a", "FF", "9c"]), min_size=6, max_size=6).map(":".join),
)
secrets = st.binary(min_size=32, max_size=32)
tokens = st.builds(IdToken.make, st.uuids().map(str), st.integers(0, 10**13 - 1), secrets)


# ---- UDI --------------------------------------------------------------------------------------------------
@settings(deadline=None, max_examples=100)
@given(udis)
def test_any_well_formed_udi_is_valid_and_prints_what_it_has(udi: Udi) -> None:
    """A UDI of well-formed fields is returned as it is, and printing shows each given field once."""
    assert udi.validated() is udi
    labels = {"pid": "PID", "sn": "SN", "vid": "VID", "uuid": "UUID", "suvi": "SUVI"}
    labels |= {"host_identifier": "HID", "mac_address": "MAC"}
    shown = dict(part.split(":", 1) for part in str(udi).split(","))
    assert shown == {label: getattr(udi, f) for f, label in labels.items() if getattr(udi, f) is not None}


def test_a_udi_prints_as_devices_print_it() -> None:
    """The common case is the public form, to the letter."""
    assert str(Udi(pid="C9300-24T", sn="FOC2705Y8X0")) == "PID:C9300-24T,SN:FOC2705Y8X0"
    assert str(Udi(sn="1", vid="V01", pid="A")) == "PID:A,VID:V01,SN:1"


def test_a_udi_needs_a_field() -> None:
    """No field at all is refused."""
    with pytest.raises(CallerError, match="at least one") as caught:
        Udi().validated()
    assert caught.value.code == "bad-udi"


@pytest.mark.parametrize("field", FREE)
@pytest.mark.parametrize(
    "value", ["", " a", "a ", "a,b", "a\nb", "a\n", "\x7f", "é", "\ud800", "x" * 256, "\t"]
)
def test_a_udi_text_must_be_printable_without_commas(field: str, value: str) -> None:
    """Whatever would break the printed form, or the wire's limit, is refused and named."""
    with pytest.raises(CallerError) as caught:
        Udi(**{"pid": "A", field: value}).validated()
    assert (caught.value.code, caught.value.context["field"]) == (
        "bad-udi",
        field if value or field != "pid" else "UDI",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host_identifier", "1234567"),
        ("host_identifier", "123456789"),
        ("host_identifier", "1234567g"),
        ("mac_address", "00:11:22:33:44"),
        ("mac_address", "00:11:22:33:44:5"),
        ("mac_address", "00:11:22:33:44:gg"),
        ("mac_address", "00:11:22:33:44:55:66"),
        ("uuid", "x"),
        ("uuid", "727af1d9-6c39-4444-b301-863f81445b7"),
        ("uuid", "0x" + "3" * 30),
        ("uuid", "+" + "2" * 31),
        ("uuid", "1_" + "3" * 30),
        ("uuid", "{727af1d9-6c39-4444-b301-863f81445b72}"),
        ("uuid", "urn:uuid:727af1d9-6c39-4444-b301-863f81445b72"),
        ("uuid", "7-2-7-af1d96c394444b301863f81445b72"),
    ],
)
def test_a_udi_field_of_fixed_form_must_have_it(field: str, value: str) -> None:
    """Host identifier, MAC address and UUID are refused in any other form, the UUID's odd spellings too."""
    with pytest.raises(CallerError) as caught:
        Udi(**{field: value}).validated()
    assert (caught.value.code, caught.value.context["field"]) == ("bad-udi", field)


@pytest.mark.parametrize(
    "value", ["001122334455", "00-11-22-33-44-55", "00:11:22:AA:BB:CC", "0011.22aa.bbcc"]
)
def test_a_mac_address_may_have_the_usual_separators(value: str) -> None:
    """Each way in which devices print a MAC address is accepted."""
    assert Udi(mac_address=value).validated().mac_address == value


# ---- tags -------------------------------------------------------------------------------------------------
_part = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=30)
regids = st.builds(
    lambda year, name, version, end: f"regid.{year:04}-05.{name},{version}_{end}",
    st.integers(2000, 2099),
    _part,
    st.text(string.ascii_letters + string.digits + ".", min_size=1, max_size=8),
    st.uuids(),
)


@settings(deadline=None, max_examples=60)
@given(regids)
def test_a_tag_of_the_public_shape_is_taken_as_it_is(tag: str) -> None:
    """Software ids and entitlement tags share one shape, and nothing is changed in them."""
    assert entitlement_tag(tag) == software_id(tag) == tag


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "DNA_P_50M_A",
        "regid.2018-12.com.cisco.DNA_P_50M_A",
        "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd7",
        "regid.2018-12.com.cisco.DNA P,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71",
        "regid.2018-12.com.cisco.DNA,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71\n",
        " regid.2018-12.com.cisco.DNA,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71",
        "regid.٢٠١٨-12.com.cisco.DNA,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71",
        "regid.2018-12." + "x" * 255 + ",1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71",
        "regid.2018-12.com.cisco.DNA,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71\ud800",
    ],
)
def test_any_other_tag_is_refused(tag: str) -> None:
    """What has not the shape, has digits of another script, or is longer than a message can carry."""
    for check in (entitlement_tag, software_id):
        with pytest.raises(CallerError) as caught:
            check(tag)
        assert caught.value.code == "bad-tag"


# ---- ID tokens --------------------------------------------------------------------------------------------
@settings(deadline=None, max_examples=100)
@given(st.uuids().map(str), st.integers(0, 10**13 - 1), secrets)
def test_a_token_survives_its_text(token_id: str, expires_ms: int, secret: bytes) -> None:
    """A made token is read back from its text, with the same id and end, and fits in 255 characters."""
    made = IdToken.make(token_id, expires_ms, secret)
    read = IdToken(made.reveal())
    assert read == made
    assert hash(read) == hash(made)
    assert (read.token_id, read.expires_at) == (token_id, expires_ms / 1000)
    assert 1 <= len(made.reveal()) <= 255
    assert base64.b64decode(unquote(made.reveal())).decode().endswith(base64.b64encode(secret).decode())


@settings(deadline=None, max_examples=60)
@given(tokens, st.sampled_from(["", " ", "\n", "\r\n", "\t "]))
def test_a_token_is_the_same_percent_encoded_or_not(token: IdToken, around: str) -> None:
    """Plain base64, percent-encoded in either case, and blanks around give one canonical token."""
    plain = unquote(token.reveal())
    lower = quote(plain, safe="").replace("%3D", "%3d").replace("%2B", "%2b").replace("%2F", "%2f")
    for text in (plain, lower, token.reveal(), around + plain + around):
        assert IdToken(text) == token
        assert IdToken(text).reveal() == token.reveal()


@settings(deadline=None, max_examples=60)
@given(tokens, tokens)
def test_two_tokens_are_equal_only_if_their_texts_are(one: IdToken, other: IdToken) -> None:
    """Equality is that of the secrets' texts, and nothing else is equal to a token."""
    assert (one == other) == (one.reveal() == other.reveal())
    assert one != one.reveal()


def _inside(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_ID = "727af1d9-6c39-4444-b301-863f81445b72"
MALFORMED = {
    "empty": "",
    "blank": " \n ",
    "too long": "A" * 256,
    "too long once encoded": "+" * 100,
    "not base64": "hello world",
    "blank inside": f"{_inside(f'{_ID}-17500')[:20]} {_inside('00000000|QUJD')}",
    "line end inside": f"{_inside(f'{_ID}-1750000000000|QUJD')[:20]}\n{_inside('x')}",
    "base64 of something else": _inside("hello"),
    "base64 of no ASCII": base64.b64encode(b"\xff\xfe\xfd").decode(),
    "no secret": _inside(f"{_ID}-1750000000000|"),
    "no bar": _inside(f"{_ID}-1750000000000QUJD"),
    "12 digits": _inside(f"{_ID}-175000000000|QUJD"),
    "14 digits": _inside(f"{_ID}-17500000000000|QUJD"),
    "no uuid": _inside("727af1d9-1750000000000|QUJD"),
    "upper-case uuid": _inside(f"{_ID.upper()}-1750000000000|QUJD"),
    "secret not base64": _inside(f"{_ID}-1750000000000|Q!JD"),
    "something after": _inside(f"{_ID}-1750000000000|QUJD\n"),
    "padding cut off": _inside(f"{_ID}-1750000000000|QUJDRA==").rstrip("="),
    "lone surrogate": "\ud800",
    "bytes of a terminal": "abc\udcff",
    "bad escape": "%zz",
    "escape of no text": "%ff",
    "other script": "Ａ" * 8,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_token_is_refused(text: str) -> None:
    """Each malformed form is refused with token-malformed, before anything is sent."""
    with pytest.raises(CallerError) as caught:
        IdToken(text)
    assert caught.value.code == "token-malformed"


@settings(deadline=None, max_examples=200)
@given(anything)
def test_no_text_at_all_makes_a_token_fail_otherwise(text: str) -> None:
    """Whatever is pasted as token, the only error is token-malformed."""
    with pytest.raises(CallerError) as caught:
        IdToken(text)
    assert caught.value.code == "token-malformed"


@settings(deadline=None, max_examples=100)
@given(tokens, st.data())
def test_a_damaged_token_is_refused_without_showing_it(token: IdToken, data: st.DataObject) -> None:
    """A token that lost or gained a piece is refused, and neither the error nor its traceback shows it."""
    text = token.reveal()
    cut = data.draw(st.integers(1, len(text) - 1))
    damaged = data.draw(st.sampled_from([text[:cut], text + "!", f"{text[:cut]} {text[cut:]}", text * 2]))
    try:
        IdToken(damaged)
    except CallerError as error:
        assert error.code == "token-malformed"
        shown = "".join(traceback.format_exception(error)) + repr(error) + str(error.as_dict())
        if len(damaged) >= 12:
            assert damaged[:12] not in shown
            assert unquote(damaged)[-12:] not in shown
    else:
        # What was cut off were only the last characters of the secret: another token, never this one.
        assert IdToken(damaged) != token
        assert len(damaged) < len(text)


@settings(deadline=None, max_examples=60)
@given(tokens)
def test_a_token_never_shows_its_secret(token: IdToken) -> None:
    """repr, str, f-strings, old formatting, and a record's repr name the token and not its text."""
    secret = base64.b64decode(unquote(token.reveal())).decode().split("|")[1]
    ways = [repr(token), str(token), f"{token}", f"{token!r:>200}", "%s %r" % (token, token)]  # noqa: UP031
    ways += [repr([token]), repr({"token": token}), repr(ValueError(token)), str(ValueError(token))]
    ways += [repr(Record(udi=Udi(pid="A"), software_id="s", new_key=token.reveal()))]
    for shown in ways:
        assert token.reveal() not in shown
        assert unquote(token.reveal()) not in shown
        assert secret not in shown
    assert token.token_id in repr(token)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32))
def test_a_uuid_comes_from_the_given_chance(seed: int) -> None:
    """The same random bytes give the same version 4 UUID."""
    one = new_uuid(random.Random(seed).randbytes)
    assert one == new_uuid(random.Random(seed).randbytes)
    assert uuid.UUID(one).version == 4
