"""The Smart transport: what goes in comes out, what disagrees or is no message is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.protocol import smart
from smartlic_client.protocol.messages import (
    AnswerData,
    AnswerHeader,
    HelloRequest,
    RegistrationRequest,
    RequestHeader,
    Sudi,
    meaning,
)
from tests.unit.protocol.strategies import answers, any_requests, damaged, messages, nonces, optional, texts

HEADER = RequestHeader(
    sudi=Sudi(udi_pid="A"), nonce="1", request_type="HELLO", product_instance_identifier=""
)
HELLO = HelloRequest(message_id="m", sequence=1, software_tag_identifier="t", nonce="1")
REQUEST = smart.encode_request(HEADER, HELLO, lambda _data: "c2lnbmF0dXJl")
ANSWER = smart.encode_answer(
    AnswerHeader(nonce="1", request_type="HELLO", product_instance_identifier=""),
    AnswerData(timestamp=1, nonce="1", message_id="m", status="OK"),
    lambda _data: "c2lnbmF0dXJl",
    ["Y2VydA=="],
)


# ---- round trips ------------------------------------------------------------------------------------------
@settings(deadline=None, max_examples=150)
@given(messages())
def test_a_request_survives_the_wire(message: tuple[RequestHeader, Any]) -> None:
    """Any request is read back as it was, and the signature covers the bytes of the `request` string."""
    header, request = message
    covered: list[bytes] = []

    def sign(data: bytes) -> str:
        covered.append(data)
        return "c2ln"

    raw = smart.encode_request(header, request, sign)
    read = smart.decode_request(raw)
    assert (read.header, read.data, read.signature) == (header, request, "c2ln")
    assert [read.signed] == covered
    assert json.loads(raw)["request"].encode() == read.signed


@settings(deadline=None, max_examples=150)
@given(messages(any_requests))
def test_a_request_of_any_type_survives_the_wire(message: tuple[RequestHeader, Any]) -> None:
    """Renewals, usage reports, trust requests and polls too, by the reader of all types."""
    header, request = message
    read = smart.decode_request(smart.encode_request(header, request, None))
    assert (read.header, read.data) == (header, request)


@settings(deadline=None, max_examples=150)
@given(answers(), st.lists(texts, max_size=3))
def test_an_answer_survives_the_wire(answer: tuple[AnswerHeader, AnswerData], chain: list[str]) -> None:
    """Any answer is read back as it was, with its certificates and the exact bytes that were signed."""
    header, data = answer
    covered: list[bytes] = []

    def sign(text: bytes) -> str:
        covered.append(text)
        return "c2ln"

    raw = smart.encode_answer(header, data, sign, chain)
    read = smart.decode_answer(raw)
    assert (read.answer.header, read.answer.data, read.certificates) == (header, data, chain)
    assert (read.signature, [read.signed]) == ("c2ln", covered)
    assert json.loads(raw)["response"].encode() == read.signed


@settings(deadline=None, max_examples=60)
@given(messages(), nonces, st.integers(0, 2**53), optional)
def test_a_repeat_means_the_same_and_another_message_does_not(
    message: tuple[RequestHeader, Any], nonce: str, timestamp: int, hostname: str | None
) -> None:
    """Nonce and time of sending do not belong to a message's meaning; everything else does."""
    request = message[1]
    fields = {f: getattr(request, f) for f in request.__struct_fields__}
    again = type(request)(**{**fields, "nonce": nonce, "timestamp": timestamp})
    assert meaning(again) == meaning(request)
    other = type(request)(**{**fields, "hostname": hostname})
    assert (meaning(other) == meaning(request)) == (hostname == request.hostname)
    assert meaning(type(request)(**{**fields, "sequence": fields["sequence"] + 1})) != meaning(request)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(texts, st.lists(texts, max_size=3), max_size=3))
def test_the_public_error_form_survives_the_wire(errors: dict[str, list[str]]) -> None:
    """A map from field to texts is read back; the two envelopes are never taken for one."""
    assert smart.decode_error_map(smart.encode_error_map(errors)) == errors
    assert smart.decode_error_map(REQUEST) is None
    assert smart.decode_error_map(ANSWER) is None


# ---- the public order of fields ---------------------------------------------------------------------------
PUBLIC_HEADER = [
    "version",
    "locale",
    "sudi",
    "timestamp",
    "nonce",
    "request_type",
    "agent_actions",
    "connect_info",
    "product_instance_identifier",
    "id_cert_serial_number",
    "signing_cert_serial_number",
]
PUBLIC_SUDI = ["suvi", "uuid", "host_identifier", "mac_address", "udi_pid", "udi_serial_number", "udi_vid"]


@settings(deadline=None, max_examples=30)
@given(messages())
def test_fields_stand_in_the_public_order(message: tuple[RequestHeader, Any]) -> None:
    """Envelope, request and header have exactly the public fields, in the public order, null where absent."""
    envelope = json.loads(smart.encode_request(*message, None))
    assert list(envelope) == ["signature", "credential", "request"]
    assert list(envelope["signature"]) == ["type", "value"]
    assert envelope["signature"]["type"] == "SHA-256"
    assert envelope["credential"] is None
    request = json.loads(envelope["request"])
    assert list(request) == ["header", "nonce", "request_data"]
    assert list(request["header"]) == PUBLIC_HEADER
    assert list(request["header"]["sudi"]) == PUBLIC_SUDI
    assert list(request["header"]["connect_info"]) == [
        "name",
        "version",
        "production",
        "additional_info",
        "capabilities",
    ]
    assert json.loads(request["request_data"])["nonce"] == request["nonce"] == request["header"]["nonce"]


# ---- layers that disagree ---------------------------------------------------------------------------------
def _request(header: dict[str, Any], body: dict[str, Any], data: dict[str, Any]) -> bytes:
    """REQUEST with some fields of its layers replaced."""
    envelope = json.loads(REQUEST)
    inner = json.loads(envelope["request"])
    innermost = json.loads(inner["request_data"])
    inner["header"].update(header)
    innermost.update(data)
    inner["request_data"] = json.dumps(innermost)
    inner.update(body)
    envelope["request"] = json.dumps(inner)
    return json.dumps(envelope).encode()


def test_layers_in_agreement_are_read() -> None:
    """The builder of the cases below makes a good message when it changes nothing."""
    assert smart.decode_request(_request({}, {}, {})).data == HELLO


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        (({"nonce": "2"}, {}, {}), "nonces"),
        (({}, {"nonce": "2"}, {}), "nonces"),
        (({}, {}, {"nonce": "2"}), "nonces"),
        (({"nonce": "2"}, {"nonce": "2"}, {}), "nonces"),
        (({}, {"nonce": "2"}, {"nonce": "2"}), "nonces"),
        (({"request_type": "DEREGISTRATION"}, {}, {}), "request types"),
        (({}, {}, {"request_type": "DEREGISTRATION"}), "request types"),
    ],
)
def test_a_request_whose_layers_disagree_is_refused(layers: tuple[Any, Any, Any], why: str) -> None:
    """Nonce and request type are the same in every layer, or the message is none."""
    with pytest.raises(smart.Malformed, match=why):
        smart.decode_request(_request(*layers))


@pytest.mark.parametrize("layer", ["header", "body", "data"])
def test_an_answer_whose_layers_disagree_is_refused(layer: str) -> None:
    """An answer carries one nonce, in all three layers."""
    envelope = json.loads(ANSWER)
    inner = json.loads(envelope["response"])
    innermost = json.loads(inner["response_data"])
    {"header": inner["header"], "body": inner, "data": innermost}[layer]["nonce"] = "2"
    inner["response_data"] = json.dumps(innermost)
    envelope["response"] = json.dumps(inner)
    with pytest.raises(smart.Malformed, match="nonces"):
        smart.decode_answer(json.dumps(envelope).encode())


@pytest.mark.parametrize(
    "data",
    [
        {"message_id": ""},
        {"message_id": "x" * 65},
        {"message_id": None},
        {"sequence": 0},
        {"sequence": -1},
        {"sequence": 2**53 + 1},
        {"sequence": 1.5},
        {"sequence": "1"},
        {"sequence": True},
        {"software_tag_identifier": ""},
        {"software_tag_identifier": "x" * 256},
        {"hostname": "x" * 256},
        {"hostname": 1},
        {"request_type": "PAY"},
        {"request_type": None},
        {"request_type": ["HELLO"]},
    ],
)
def test_a_field_outside_its_bounds_is_refused(data: dict[str, Any]) -> None:
    """Lengths, ranges and types of a message's fields are checked while it is read."""
    with pytest.raises(smart.Malformed):
        smart.decode_request(_request({}, {}, data))


@pytest.mark.parametrize("nonce", ["", "x", "-1", "1.0", " 1", "1 ", "1\n", "١", "1" * 41])
def test_a_nonce_is_decimal_digits_and_nothing_else(nonce: str) -> None:
    """A nonce is 1 to 40 ASCII digits; a line end at its end is not overlooked."""
    with pytest.raises(smart.Malformed):
        smart.decode_request(_request({"nonce": nonce}, {"nonce": nonce}, {"nonce": nonce}))


def test_a_request_of_an_unknown_type_can_be_read() -> None:
    """What every request says is read of it; a known type with wrong fields stays malformed."""
    raw = _request({"request_type": "PAY"}, {}, {"request_type": "PAY", "price": 3})
    read = smart.decode_request(raw)
    assert (read.data.message_id, read.data.sequence, read.header.request_type) == ("m", 1, "PAY")
    for wrong in (
        _request({"request_type": "PAY"}, {}, {"request_type": "PAYS"}),
        _request({"request_type": "POLL"}, {}, {"request_type": "POLL"}),
        _request({"request_type": "PAY"}, {}, {"request_type": "PAY", "sequence": 0}),
    ):
        with pytest.raises(smart.Malformed):
            smart.decode_request(wrong)


def test_counts_have_bounds_on_the_wire() -> None:
    """A count under 0, over 2147483647, or with a fraction is no message."""
    for count in (-1, 2**31, 1.5, None):
        data = {"request_type": "AUTHORIZATION", "entitlements": [{"tag": "t", "count": count}]}
        with pytest.raises(smart.Malformed):
            smart.decode_request(_request({"request_type": "AUTHORIZATION"}, {}, data))
    good = {"request_type": "AUTHORIZATION", "entitlements": [{"tag": "t", "count": 2**31 - 1}]}
    smart.decode_request(_request({"request_type": "AUTHORIZATION"}, {}, good))


# ---- what is no message -----------------------------------------------------------------------------------
def _only_malformed(raw: bytes) -> None:
    for read in (smart.decode_request, smart.decode_answer):
        try:
            read(raw)
        except smart.Malformed as error:
            assert str(error)
    found = smart.decode_error_map(raw)
    assert found is None or all(isinstance(field, str) for field in found)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_malformed(raw: bytes) -> None:
    """Reading arbitrary bytes raises Malformed and nothing else."""
    _only_malformed(raw)


@settings(deadline=None, max_examples=300)
@given(damaged(REQUEST) | damaged(ANSWER))
def test_a_damaged_message_is_a_message_or_malformed(raw: bytes) -> None:
    """Reading a valid message after damage raises Malformed and nothing else."""
    _only_malformed(raw)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damage_in_an_inner_layer_is_malformed_too(data: st.DataObject) -> None:
    """The strings inside the strings are read with the same care as the outermost bytes."""
    for raw, outer, inner in ((REQUEST, "request", "request_data"), (ANSWER, "response", "response_data")):
        envelope = json.loads(raw)
        if data.draw(st.booleans()):
            envelope[outer] = data.draw(damaged(envelope[outer].encode())).decode("utf-8", "surrogateescape")
        else:
            body = json.loads(envelope[outer])
            body[inner] = data.draw(damaged(body[inner].encode())).decode("utf-8", "surrogateescape")
            envelope[outer] = json.dumps(body)
        _only_malformed(json.dumps(envelope).encode())


NESTED = 100_000
HOSTILE = {
    "nested arrays": b"[" * NESTED,
    "nested objects": b'{"a":' * NESTED,
    "nested in a free field": b'{"credential":' + b"[" * NESTED,
    "nested in an unknown field": b'{"unknown":' + b"[" * NESTED,
    "huge integer": b'{"signature":{},"credential":' + b"9" * 100_000 + b',"request":"{}"}',
    "huge exponent": b'{"signature":{},"credential":1e999999999,"request":"{}"}',
    "lone surrogate": b'{"signature":{"value":"\\ud800"},"credential":null,"request":"{}"}',
    "lone surrogate as text": b'{"signature":{"value":""},"credential":null,"request":"\\udfff"}',
    "surrogate as bytes": b'{"signature":{"value":""},"credential":null,"request":"\xed\xa0\x80"}',
    "not UTF-8": b'{"signature":{"value":"\xff"},"credential":null,"request":"{}"}',
    "not UTF-8 as answer": b'{"signature":{"value":""},"response":"\xff\xfe"}',
    "UTF-16": '{"signature":{}}'.encode("utf-16"),
    "zero bytes": b"\x00" * 100,
    "empty": b"",
    "byte order mark": b"\xef\xbb\xbf" + REQUEST,
    "two messages": REQUEST + REQUEST,
    "an answer as request": ANSWER,
    "null": b"null",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bytes_are_malformed(raw: bytes) -> None:
    """Nesting, huge numbers, broken texts and wrong forms: each is refused as Malformed by both readers."""
    with pytest.raises(smart.Malformed):
        smart.decode_request(raw)
    if raw != ANSWER:
        with pytest.raises(smart.Malformed):
            smart.decode_answer(raw)
    assert smart.decode_error_map(raw) is None


@pytest.mark.parametrize("depth", ["request", "request_data"])
@pytest.mark.parametrize(
    "text", ["[" * NESTED, '{"x":' * NESTED, "\ud800", '"\\ud800"', "9" * 100_000, "", "\x00"]
)
def test_hostile_inner_texts_are_malformed(depth: str, text: str) -> None:
    """The same in the inner layers, where a text can also hold what bytes cannot."""
    body = {"request": text}
    if depth == "request_data":
        inner = json.loads(json.loads(REQUEST)["request"]) | {"request_data": text}
        body = {"request": json.dumps(inner)}
    with pytest.raises(smart.Malformed):
        smart.decode_request(json.dumps(json.loads(REQUEST) | body).encode())


# ---- secrets ----------------------------------------------------------------------------------------------
def test_a_request_that_was_read_never_shows_its_token() -> None:
    """What a log or a traceback shows of a registration, sent or read, has no token in it."""
    token = "c2VjcmV0LXRva2Vu"
    request = RegistrationRequest(
        message_id="m", sequence=1, software_tag_identifier="t", nonce="1", id_token=token, csr=""
    )
    header = RequestHeader(
        sudi=Sudi(), nonce="1", request_type="REGISTRATION", product_instance_identifier=""
    )
    read = smart.decode_request(smart.encode_request(header, request, None))
    assert isinstance(read.data, RegistrationRequest)
    assert read.data.id_token == token
    for thing in (request, read, read.data, [read]):
        assert token not in repr(thing)
        assert token not in str(thing)


def test_the_order_of_the_header_is_that_of_the_source() -> None:
    """The list above is the one that the record type declares, so that a new field cannot slip in."""
    assert list(RequestHeader.__struct_fields__) == PUBLIC_HEADER
    assert list(Sudi.__struct_fields__) == PUBLIC_SUDI
