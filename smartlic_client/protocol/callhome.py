"""The Call Home envelope: our message as an inline attachment in SOAP 1.2 (protocol, end of "Messages").

XML from outside is read by lxml without entities, DTDs and network; a document with a DTD is refused.
"""

from __future__ import annotations

import binascii
import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from smartlic_client.protocol.smart import Malformed

if TYPE_CHECKING:
    from lxml.etree import XMLParser, _Element

__all__ = ["CONTENT_TYPE", "unwrap", "wrap"]

CONTENT_TYPE: Final = "text/xml; charset=utf-8"
ATTACHMENT: Final = "smart_licensing_data"

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_SESSION = "http://www.cisco.com/2004/01/aml-session"
_BLOCK = "http://www.cisco.com/2004/01/aml-block"
_ATTACHMENT = f"{{{_BLOCK}}}Attachment"
_NAME, _DATA = f"{{{_BLOCK}}}Name", f"{{{_BLOCK}}}Data"

_TEMPLATE: Final = f"""<?xml version="1.0" encoding="UTF-8"?>
<soap-env:Envelope xmlns:soap-env="{_SOAP}">
<soap-env:Header>
<aml-session:Session xmlns:aml-session="{_SESSION}" soap-env:mustUnderstand="true">
<aml-session:To>%b</aml-session:To>
<aml-session:Path><aml-session:Via>%b</aml-session:Via></aml-session:Path>
<aml-session:From>%b</aml-session:From>
<aml-session:MessageId>%b</aml-session:MessageId>
</aml-session:Session>
</soap-env:Header>
<soap-env:Body>
<aml-block:Block xmlns:aml-block="{_BLOCK}">
<aml-block:Header>
<aml-block:Type>{_BLOCK}/smart_licensing</aml-block:Type>
<aml-block:CreationDate>%b</aml-block:CreationDate>
<aml-block:Builder><aml-block:Name>%b</aml-block:Name>\
<aml-block:Version>5.0</aml-block:Version></aml-block:Builder>
<aml-block:BlockGroup><aml-block:GroupId>%b</aml-block:GroupId>\
<aml-block:Number>0</aml-block:Number><aml-block:IsLast>true</aml-block:IsLast>\
<aml-block:IsPrimary>true</aml-block:IsPrimary><aml-block:WaitForPrimary>false</aml-block:WaitForPrimary>\
</aml-block:BlockGroup>
<aml-block:Severity>1</aml-block:Severity>
</aml-block:Header>
<aml-block:Content/>
<aml-block:Attachments>
<aml-block:Attachment type="inline">
<aml-block:Name>{ATTACHMENT}</aml-block:Name>
<aml-block:Data encoding="base64">%b</aml-block:Data>
</aml-block:Attachment>
</aml-block:Attachments>
</aml-block:Block>
</soap-env:Body>
</soap-env:Envelope>
""".encode()


def wrap(message: bytes, *, serial: str, now: float, number: int, to: str, sender: str) -> bytes:
    """The SOAP envelope around `message` (the bytes of the Smart transport).

    `serial` identifies the sender, `number` counts its messages; MessageId is `M<n>:<serial>:<hex time>`.
    """
    stamp = f"{serial}:{int(now):08X}"
    where, who = escape(to).encode(), escape(sender).encode()
    ours, group = escape(f"M{number}:{stamp}").encode(), escape(f"G{number}:{stamp}").encode()
    data = binascii.b2a_base64(message, newline=False)
    return _TEMPLATE % (where, where, who, ours, _created(int(now)), who, group, data)


@lru_cache(maxsize=4)
def _created(now: int) -> bytes:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S GMT+00:00").encode()


@lru_cache(maxsize=1)
def _parser() -> XMLParser:
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )


def unwrap(raw: bytes) -> bytes:
    """The message inside a Call Home envelope. Raises Malformed."""
    from lxml import etree  # only who reads Call Home pays for it at the start

    try:
        root = etree.fromstring(raw, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed(f"no well-formed XML: {str(error)[:200]}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed("the XML declares a DTD")
    if root.tag != f"{{{_SOAP}}}Envelope":
        raise Malformed("the XML is no SOAP 1.2 envelope")
    for attachment in root.iter(_ATTACHMENT):
        name = next(attachment.iterchildren(_NAME), None)
        if name is not None and (name.text or "").strip() == ATTACHMENT:
            return _data(next(attachment.iterchildren(_DATA), None))
    raise Malformed(f"the envelope has no attachment named {ATTACHMENT}")


def _data(element: _Element | None) -> bytes:
    if element is None:
        raise Malformed("the attachment has no data")
    text = (element.text or "").strip()
    if element.get("encoding", "plain") != "base64":
        return text.encode()
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        raise Malformed("the attachment's data is not base64") from None
