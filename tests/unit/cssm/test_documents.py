"""The documents of synchronization: what was sealed is what is opened, and nothing else can be."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server import pki
from mock_server.domain import documents
from mock_server.domain.documents import MAX_DOCUMENT, open_answer, open_request, seal
from mock_server.domain.state import LotKind
from mock_server.domain.synchronization import Purchase, SyncAnswer, SyncRequest
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import signing
from tests.unit.cssm.sides import Sides
from tests.unit.domain.world import WHEN, authorities, new_authorities

texts = st.text(max_size=20)
times = st.none() | st.floats(0, 4e9)
purchases = st.builds(
    Purchase,
    id=texts,
    tag=texts,
    name=texts,
    quantity=st.integers(0, 2**31 - 1),
    kind=st.sampled_from(LotKind),
    start=times,
    end=times,
)
answers = st.builds(
    SyncAnswer,
    cluster=texts,
    account=texts,
    nonce=texts,
    serial=st.integers(0, 2**53),
    issued_at=st.floats(0, 4e9),
    purchases=st.lists(purchases, max_size=4),
    common_name=st.none() | texts,
)
requests = st.builds(
    SyncRequest,
    cluster=texts,
    account=texts,
    smart_account=texts,
    virtual_account=texts,
    nonce=texts,
    serial=st.integers(0, 2**53),
    made_at=st.floats(0, 4e9),
    usage=st.dictionaries(texts, st.integers(0, 2**31 - 1), max_size=4),
    common_name=st.none() | texts,
    authority=st.builds(lambda: pki.der_chain(authorities().ca.chain)[0]),
)
ROOT = authorities().root.certificate


def sealed_answer(answer: SyncAnswer) -> bytes:
    return seal(answer, lambda data: signing.sign(authorities().root.key, data), ROOT)


def sealed_request(request: SyncRequest) -> bytes:
    return seal(request, lambda data: signing.sign(authorities().ca.key, data), ROOT)


@cache
def samples() -> tuple[bytes, bytes]:
    """A request and its answer, with a purchase."""
    sides = Sides()
    sides.buy(5, kind="TERM", start=1.0, end=2e9)
    request = sides.sealed(sides.request())
    return request, sides.answered(request)


def code_of(read: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(SmartlicError) as caught:
        read(*arguments)
    return caught.value.code


@settings(deadline=None)
@given(answers)
def test_an_answer_is_read_as_it_was_sealed(answer: SyncAnswer) -> None:
    """Whatever stands in it."""
    assert open_answer(sealed_answer(answer), ROOT) == answer


@settings(deadline=None)
@given(requests)
def test_a_request_is_read_as_it_was_sealed(request: SyncRequest) -> None:
    """Whatever stands in it."""
    assert open_request(sealed_request(request), ROOT) == request


@pytest.mark.parametrize("which", [0, 1])
def test_a_document_with_any_one_byte_changed_is_refused(which: int) -> None:
    """At every place, by one bit and by another letter: no spelling of a document passes but its own."""
    document = samples()[which]
    read = (open_request, open_answer)[which]
    for place, byte in enumerate(document):
        for other in {byte ^ 1, byte ^ 0x20}:
            changed = document[:place] + bytes([other]) + document[place + 1 :]
            assert code_of(read, changed, ROOT).startswith("sync-file-")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_document_that_was_changed_in_any_way_is_refused(data: st.DataObject) -> None:
    """A byte replaced, cut out, put in; the file cut short, or with more behind it."""
    which = data.draw(st.sampled_from([0, 1]))
    document = samples()[which]
    read = (open_request, open_answer)[which]
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, min(len(document), start + 3)))
    changed = document[:start] + data.draw(st.binary(max_size=3)) + document[end:]
    if changed != document:
        assert code_of(lambda: read(changed, ROOT)).startswith("sync-file-")


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_what_is_no_document_is_refused(data: bytes) -> None:
    """Bytes and texts of any kind."""
    assert code_of(lambda: open_answer(data, ROOT)) == "sync-file-damaged"


def test_each_thing_that_is_wrong_has_its_own_code() -> None:
    """Too large, the other kind, a newer format, another root, an edited body."""
    request, answer = samples()
    wrong = json.loads(answer)
    body = json.loads(base64.b64decode(wrong["body"]))
    body["purchases"][0]["quantity"] = 50_000
    edited = {**wrong, "body": base64.b64encode(json.dumps(body).encode()).decode()}
    other = new_authorities(WHEN).root.certificate
    assert code_of(lambda: open_answer(b" " * (MAX_DOCUMENT + 1), ROOT)) == "sync-file-too-large"
    assert code_of(lambda: open_answer(request, ROOT)) == "sync-file-wrong-kind"
    assert code_of(lambda: open_request(answer, ROOT)) == "sync-file-wrong-kind"
    newer = json.dumps({**wrong, "format": 2, "more": []}).encode()
    assert code_of(lambda: open_answer(newer, ROOT)) == "sync-file-newer-format"
    assert code_of(lambda: open_answer(answer, other)) == "sync-file-other-root"
    assert code_of(lambda: open_answer(_spelled(edited), ROOT)) == "sync-file-edited"
    assert code_of(lambda: open_answer(answer.replace(b"\n", b"\r\n"), ROOT)) == "sync-file-damaged"


def test_a_request_that_somebody_else_signed_is_refused() -> None:
    """A CA that another root certified, an ID certificate, and the right CA without its key."""
    sides = Sides()
    stranger = new_authorities(WHEN).ca
    for authority in (pki.der_chain(stranger.chain)[0], authorities().answers.der_chain[0], "QUJD"):
        request = sides.request(authority=authority)
        forged = seal(request, lambda data: signing.sign(stranger.key, data), ROOT)
        assert code_of(open_request, forged, ROOT) == "sync-file-edited"
    forged = seal(sides.request(), lambda data: signing.sign(stranger.key, data), ROOT)
    assert code_of(lambda: open_request(forged, ROOT)) == "sync-file-edited"


def test_an_answer_that_the_on_prem_ca_signed_is_refused() -> None:
    """Who may ask may not answer."""
    answer = open_answer(samples()[1], ROOT)
    forged = seal(answer, lambda data: signing.sign(authorities().ca.key, data), ROOT)
    assert code_of(lambda: open_answer(forged, ROOT)) == "sync-file-edited"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("serial", 2**64),
        ("serial", -1),
        ("issued_at", 1e300),
        ("quantity", 2**64),
        ("quantity", -5),
        ("end", 1e12),
    ],
)
def test_an_answer_with_a_number_that_nothing_can_hold_is_refused(field: str, value: float) -> None:
    """Signed by the root all the same: no journal could keep it, and no page show it."""
    body = json.loads(base64.b64decode(json.loads(samples()[1])["body"]))
    (body if field in body else body["purchases"][0])[field] = value
    encoded = json.dumps(body).encode()
    kind = "smartlic-sync-answer"
    signature = signing.sign(authorities().root.key, f"{kind} 1\n".encode() + encoded)
    envelope = {"kind": kind, "format": 1, "root": documents.fingerprint(ROOT), "signature": signature}
    sealed = _spelled({**envelope, "body": base64.b64encode(encoded).decode()})
    assert code_of(open_answer, sealed, ROOT) == "sync-file-damaged"


def _spelled(envelope: dict[str, object]) -> bytes:
    made = documents._Envelope(**envelope)  # type: ignore[arg-type]
    return documents._spelled(made)
