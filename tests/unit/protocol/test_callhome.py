"""The Call Home envelope: our message inside SOAP 1.2, read by a hardened parser."""

from __future__ import annotations

import base64
import re
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.protocol import callhome
from smartlic_client.protocol.smart import Malformed
from tests.unit.protocol.strategies import damaged

SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
SESSION = "{http://www.cisco.com/2004/01/aml-session}"
BLOCK = "{http://www.cisco.com/2004/01/aml-block}"
WRAPPED = callhome.wrap(
    b'{"a":1}', serial="FOC1", now=1_750_000_000.5, number=7, to="https://a/b", sender="c"
)


def envelope(attachments: str, head: str = "") -> bytes:
    return (
        f"{head}<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' "
        "xmlns:b='http://www.cisco.com/2004/01/aml-block'><s:Body><b:Block><b:Attachments>"
        f"{attachments}</b:Attachments></b:Block></s:Body></s:Envelope>"
    ).encode()


def attachment(data: str, name: str = "smart_licensing_data") -> str:
    return f"<b:Attachment type='inline'><b:Name>{name}</b:Name>{data}</b:Attachment>"


PLAIN = attachment("<b:Data>{}</b:Data>")


# ---- round trip and form ----------------------------------------------------------------------------------
@settings(deadline=None, max_examples=100)
@given(
    st.binary(max_size=300),
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=30),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**31),
)
def test_a_message_survives_the_envelope(message: bytes, serial: str, now: int, number: int) -> None:
    """Any bytes come out as they went in, whatever stands in the fields around them."""
    raw = callhome.wrap(message, serial=serial, now=now, number=number, to=serial, sender=serial)
    assert callhome.unwrap(raw) == message
    root = fromstring(raw)  # noqa: S314 - ours, and another parser than the one under test
    assert root.findtext(f".//{SESSION}MessageId") == f"M{number}:{serial}:{now:08X}"


def test_the_envelope_has_the_public_form() -> None:
    """SOAP header, block header and attachment have the public names and the public MessageId."""
    root: Element = fromstring(WRAPPED)  # noqa: S314 - ours
    assert root.tag == f"{SOAP}Envelope"
    session = root.find(f"{SOAP}Header/{SESSION}Session")
    assert session is not None
    assert [child.tag for child in session] == [f"{SESSION}{n}" for n in ("To", "Path", "From", "MessageId")]
    assert (
        session.findtext(f"{SESSION}To") == session.findtext(f"{SESSION}Path/{SESSION}Via") == "https://a/b"
    )
    message_id = session.findtext(f"{SESSION}MessageId") or ""
    found = re.fullmatch(r"M7:FOC1:([0-9A-F]{8})", message_id)
    assert found is not None
    assert int(found[1], 16) == 1_750_000_000
    block = root.find(f"{SOAP}Body/{BLOCK}Block")
    assert block is not None
    assert [child.tag for child in block] == [f"{BLOCK}{n}" for n in ("Header", "Content", "Attachments")]
    header = block[0]
    names = ("Type", "CreationDate", "Builder", "BlockGroup", "Severity")
    assert [child.tag for child in header] == [f"{BLOCK}{n}" for n in names]
    group = [child.tag.removeprefix(BLOCK) for child in header[3]]
    assert group == ["GroupId", "Number", "IsLast", "IsPrimary", "WaitForPrimary"]
    assert block.findtext(f"{BLOCK}Attachments/{BLOCK}Attachment/{BLOCK}Name") == "smart_licensing_data"


def test_fields_cannot_break_out_of_their_elements() -> None:
    """Markup in a serial number or a URL stays text."""
    bad = "</aml-session:From><x>&amp;<!DOCTYPE"
    raw = callhome.wrap(b"m", serial=bad, now=0, number=1, to=bad, sender=bad)
    root = fromstring(raw)  # noqa: S314 - ours
    assert root.findtext(f".//{SESSION}From") == bad
    assert callhome.unwrap(raw) == b"m"


# ---- encodings of the attachment --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "data",
    [
        '<b:Data>{"a":1}</b:Data>',
        '<b:Data encoding="plain">\n {"a":1}\n</b:Data>',
        '<b:Data><![CDATA[{"a":1}]]></b:Data>',
        "<b:Data encoding='base64'>eyJhIjoxfQ==</b:Data>",
        "<b:Data encoding='base64'>\n  eyJh\n  IjoxfQ==\n</b:Data>",
    ],
)
def test_an_attachment_is_read_plain_and_in_base64(data: str) -> None:
    """Plain text, CDATA, and base64 with line ends all give the message."""
    assert callhome.unwrap(envelope(attachment(data))) == b'{"a":1}'


def test_the_attachment_is_found_by_its_name() -> None:
    """Other attachments around ours are passed over."""
    other = attachment("<b:Data>no</b:Data>", "inventory")
    ours = attachment("<b:Data>yes</b:Data>", " smart_licensing_data\n")
    assert callhome.unwrap(envelope(other + ours + other)) == b"yes"


_LAUGHS = "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))
HOSTILE = {
    "empty": (b"", "well-formed"),
    "no XML": (b"{}", "well-formed"),
    "zero bytes": (b"\x00" * 50, "well-formed"),
    "not UTF-8": (envelope(attachment("<b:Data>x</b:Data>")).replace(b"x<", b"\xff<"), "well-formed"),
    "unclosed": (WRAPPED[:-20], "well-formed"),
    "two roots": (WRAPPED.split(b"\n", 1)[1] * 2, "well-formed"),
    "surrogate reference": (envelope(attachment("<b:Data>&#xD800;</b:Data>")), "well-formed"),
    "control character": (envelope(attachment("<b:Data>&#1;</b:Data>")), "well-formed"),
    "unknown encoding": (b"<?xml version='1.0' encoding='no-such'?><a/>", "well-formed"),
    "odd codec": (b"<?xml version='1.0' encoding='hex'?><a/>", "well-formed"),
    "codec that fails": (b"<?xml version='1.0' encoding='undefined'?><a/>", "well-formed"),
    "multi-byte codec": (b"<?xml version='1.0' encoding='shift_jis'?><a/>", "well-formed|no SOAP"),
    "unbound prefix": (b"<s:Envelope/>", "well-formed"),
    "deep nesting": (b"<a>" * 200_000, "well-formed"),
    "deep nesting, closed": (b"<a>" * 50_000 + b"</a>" * 50_000, "well-formed|no SOAP"),
    "deep attachment": (envelope("<b:x>" * 50_000 + "</b:x>" * 50_000), "well-formed|no attachment"),
    "another root": (b"<a/>", "no SOAP"),
    "SOAP 1.1": (WRAPPED.replace(b"http://www.w3.org/2003/05/soap-envelope", b"urn:soap"), "no SOAP"),
    "no attachment": (envelope(""), "no attachment"),
    "wrong name": (envelope(attachment("<b:Data>x</b:Data>", "smart_licensing")), "no attachment"),
    "no name": (envelope("<b:Attachment><b:Data>x</b:Data></b:Attachment>"), "no attachment"),
    "no data": (envelope(attachment("")), "no data"),
    "not base64": (envelope(attachment("<b:Data encoding='base64'>!!</b:Data>")), "not base64"),
    "base64 cut": (envelope(attachment("<b:Data encoding='base64'>eyJhI</b:Data>")), "not base64"),
    "base64 of another script": (envelope(attachment("<b:Data encoding='base64'>é</b:Data>")), "not base64"),
    "DTD": (envelope(PLAIN, "<!DOCTYPE s:Envelope>"), "DTD"),
    "billion laughs": (
        envelope(attachment("<b:Data>&l9;</b:Data>"), f"<!DOCTYPE x [<!ENTITY l0 'ha'>{_LAUGHS}]>"),
        "DTD|entity",
    ),
    "external entity": (
        envelope(
            attachment("<b:Data>&e;</b:Data>"), "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
        ),
        "DTD",
    ),
    "parameter entity": (
        envelope(PLAIN, "<!DOCTYPE x [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/x.dtd'> %p;]>"),
        "DTD",
    ),
    "external DTD": (envelope(PLAIN, "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>"), "DTD"),
    "undefined entity": (envelope(attachment("<b:Data>&nbsp;</b:Data>")), "well-formed"),
}


@pytest.mark.parametrize(("raw", "why"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_xml_is_malformed(raw: bytes, why: str) -> None:
    """DTDs, entities, nesting, broken texts and wrong forms: each is refused as Malformed, for its reason."""
    with pytest.raises(Malformed, match=why):
        callhome.unwrap(raw)


# ---- only Malformed ---------------------------------------------------------------------------------------
@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=100)
    | damaged(WRAPPED)
    | damaged(envelope(PLAIN, "<!DOCTYPE x [<!ENTITY e 'f'>]>"))
    | st.binary(max_size=20).map(
        lambda data: envelope(attachment("<b:Data encoding='base64'>X</b:Data>")) + data
    )
)
def test_bytes_are_an_envelope_or_malformed(raw: bytes) -> None:
    """Arbitrary bytes and damaged envelopes raise Malformed and nothing else."""
    try:
        assert isinstance(callhome.unwrap(raw), bytes)
    except Malformed as error:
        assert str(error)


@settings(deadline=None, max_examples=100)
@given(st.text("ABCabc0189+/= \n!", max_size=30))
def test_base64_inside_is_decoded_or_malformed(text: str) -> None:
    """Whatever stands where base64 is promised either decodes strictly or is Malformed."""
    raw = envelope(attachment(f"<b:Data encoding='base64'>{text}</b:Data>"))
    try:
        assert callhome.unwrap(raw) == base64.b64decode("".join(text.split()), validate=True)
    except (Malformed, ValueError) as error:
        assert isinstance(error, Malformed)
