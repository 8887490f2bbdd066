"""The files of transport `off`: usage reports that a person carries to the server, and the acknowledgement
that is carried back (protocol, "Usage reports").

As in a message, what is said is a JSON string in JSON, so that a signature covers exact bytes. A device signs
with the key of its trust code; one that has none signs nothing. The acknowledgement is the server's answer to
LICENSE_USAGE, and names the device: report ids alone do not, since each device numbers its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final

import msgspec

from smartlic_client.errors import CallerError, problem
from smartlic_client.protocol import signing, smart
from smartlic_client.protocol.identity import Tag, Udi, device_digest
from smartlic_client.protocol.messages import AnswerData, AnswerHeader, LicenseUsageResult, Text
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.rum import ReportSignature, RumReport

__all__ = ["MAX_FILE", "UsageContent", "UsageFile", "acknowledge", "pack", "read_acknowledgement", "unpack"]

FORMAT: Final = "smartlic-usage-reports"
VERSION: Final = 1
MAX_FILE: Final = 2 * 1024 * 1024
"""Bytes of a usage file that a server takes."""

ROOM: Final = 3 * MAX_FILE // 4
"""Bytes of reports in one file; what is over goes into the next one."""

ACKNOWLEDGEMENT_UNREADABLE = problem(
    "acknowledgement-unreadable",
    CallerError,
    "The file is no acknowledgement of usage reports: {why}.",
    "Give the file that the server wrote when it took the usage reports, as it was written.",
)
ACKNOWLEDGEMENT_FORGED = problem(
    "acknowledgement-signature-not-valid",
    CallerError,
    "The acknowledgement's signature does not hold: {why}.",
    "Carry the file over again; it has to come from a server whose licensing root this device trusts.",
)
ACKNOWLEDGEMENT_OTHER = problem(
    "acknowledgement-of-another-device",
    CallerError,
    "The acknowledgement is for another device than {udi}.",
    "Import it on the device whose usage reports were given to the server.",
)


class UsageContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a usage file says. `saved_at`: Unix seconds."""

    udi: Udi
    software_id: Tag
    hostname: Text | None = None
    saved_at: Annotated[int, msgspec.Meta(ge=0, le=2**40)]
    reports: list[RumReport]


class UsageFile(msgspec.Struct, frozen=True, kw_only=True):
    """`content`: UsageContent as JSON. `signature`: over it; None where there is no trust code."""

    format: str
    version: int
    content: str
    signature: ReportSignature | None = None


_file = msgspec.json.Decoder(UsageFile)
_content = msgspec.json.Decoder(UsageContent)


def sudi_of(udi: Udi) -> dict[str, str]:
    """The UDI as a usage report carries it."""
    names = {"pid": "udi_pid", "sn": "udi_serial_number", "vid": "udi_vid"}
    return {names.get(field, field): value for field, value in msgspec.to_builtins(udi).items()}


def pack(record: Record, reports: Iterable[str], now: float) -> bytes:
    """The file with `reports`, each the JSON that was closed."""
    content: dict[str, Any] = {
        "udi": record.udi,
        "software_id": record.software_id,
        "hostname": None if record.hostname_private else record.hostname,
        "saved_at": max(0, int(now)),
        "reports": [msgspec.Raw(text.encode()) for text in reports],
    }
    said = msgspec.json.encode(content)
    identity = record.usage.identity if record.usage is not None else None
    signature = None
    if identity is not None:
        value = signing.sign(signing.load_key(identity.key), said)
        signature = ReportSignature(key=identity.serial_number, value=value)
    file = UsageFile(format=FORMAT, version=VERSION, content=said.decode(), signature=signature)
    return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def unpack(data: bytes) -> tuple[UsageFile, UsageContent]:
    """A usage file, its signature not looked at. Raises smart.Malformed."""
    try:
        file = _file.decode(data)
        if file.format != FORMAT or file.version != VERSION:
            raise smart.Malformed(f"its format is {file.format[:40]!r}, version {file.version}")
        return file, _content.decode(file.content)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise smart.Malformed(str(error)) from None


def acknowledge(
    result: LicenseUsageResult,
    piid: str,
    now: float,
    sign: Callable[[bytes], str],
    certificates: Sequence[str],
) -> bytes:
    """The acknowledgement as a file: an answer that answers no message."""
    stamp = int(now * 1000)
    header = AnswerHeader(
        timestamp=stamp, nonce="0", request_type="LICENSE_USAGE", product_instance_identifier=piid
    )
    data = AnswerData(timestamp=stamp, nonce="0", message_id="file", status="COMPLETE", data=result)
    return smart.encode_answer(header, data, sign, certificates) + b"\n"


def read_acknowledgement(data: bytes, record: Record, anchors: bytes, now: float) -> LicenseUsageResult:
    """What the file acknowledges. Raises acknowledgement-unreadable, -signature-not-valid and
    -of-another-device."""
    try:
        signed = smart.decode_answer(data)
    except smart.Malformed as error:
        raise ACKNOWLEDGEMENT_UNREADABLE(why=str(error)) from None
    try:
        key = signing.verify_answer_chain(signed.certificates, anchors, now)
    except ValueError as error:
        raise ACKNOWLEDGEMENT_FORGED(why=str(error)) from None
    if not signing.verify(key, signed.signed, signed.signature):
        raise ACKNOWLEDGEMENT_FORGED(why="it does not fit the text")
    result = signed.answer.data.data
    if signed.answer.header.request_type != "LICENSE_USAGE" or not isinstance(result, LicenseUsageResult):
        raise ACKNOWLEDGEMENT_UNREADABLE(why="it is an answer to something else")
    if result.device != device_digest(record.udi, record.software_id).hex():
        raise ACKNOWLEDGEMENT_OTHER(udi=str(record.udi))
    return result
