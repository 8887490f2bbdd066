"""The documents of synchronization as bytes, by network and as files: sealed, and opened again.

A document is JSON in one spelling only, with a signature over its kind, format and body: a file of which any
byte has changed is refused. Checked in this order: size, form, kind, format, root, signature.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mock_server.domain.synchronization import SyncAnswer, SyncRequest
from mock_server.errors import RefusedError, problem
from smartlic_client.protocol import signing

__all__ = ["FORMAT", "MAX_DOCUMENT", "fingerprint", "open_answer", "open_request", "seal"]

FORMAT: Final = 1
MAX_DOCUMENT: Final = 1 << 20
"""Bytes."""

Sign = Callable[[bytes], str]
Body = TypeVar("Body", SyncRequest, SyncAnswer)

_KINDS: Final[dict[type[msgspec.Struct], str]] = {
    SyncRequest: "smartlic-sync-request",
    SyncAnswer: "smartlic-sync-answer",
}

TOO_LARGE = problem(
    "sync-file-too-large",
    RefusedError,
    "The file is no synchronization document: it is larger than {limit} bytes.",
    "Give the file that was downloaded, as it was.",
)
DAMAGED = problem(
    "sync-file-damaged",
    RefusedError,
    "The synchronization document is damaged, or is none: {why}.",
    "Carry the file over again, as it was downloaded: no editor, no mail program that changes line ends.",
)
WRONG_KIND = problem(
    "sync-file-wrong-kind",
    RefusedError,
    "This is a {found}, and a {wanted} is needed.",
    "SSM On-Prem makes the request; CSSM makes the answer from it; SSM On-Prem takes the answer.",
)
NEWER_FORMAT = problem(
    "sync-file-newer-format",
    RefusedError,
    "The synchronization document has format {found}; this release knows formats up to {known}.",
    "Update the side that reads it.",
)
OTHER_ROOT = problem(
    "sync-file-other-root",
    RefusedError,
    "The synchronization document is of another licensing root ({found}), not of {wanted}.",
    "Give it to the CSSM, or the SSM On-Prem, that it was made for.",
)
EDITED = problem(
    "sync-file-edited",
    RefusedError,
    "The synchronization document's signature does not hold: it has been changed since it was made.",
    "Carry the file over again as it was downloaded; it cannot be edited.",
)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`root`: SHA-256 of the root's certificate, hex. `body`: base64 of JSON. `signature`: base64."""

    kind: str
    format: int
    root: str
    body: str
    signature: str


class _Opening(msgspec.Struct, frozen=True):
    """What stands in a document of any format."""

    kind: str
    format: int


def fingerprint(root: x509.Certificate) -> str:
    """How a document names the licensing root that it is of."""
    return root.fingerprint(hashes.SHA256()).hex()


def seal(body: SyncRequest | SyncAnswer, sign: Sign, root: x509.Certificate) -> bytes:
    """The document. `sign(data)`: a base64 signature, by the On-Prem CA's key or the root's."""
    kind, encoded = _KINDS[type(body)], msgspec.json.encode(body)
    return _spelled(
        _Envelope(
            kind,
            FORMAT,
            fingerprint(root),
            base64.b64encode(encoded).decode(),
            sign(_signed(kind, encoded)),
        )
    )


def open_request(data: bytes, root: x509.Certificate) -> SyncRequest:
    """A request whose SSM On-Prem was certified by `root` and signed it."""
    envelope, encoded, request = _open(data, root, SyncRequest)
    try:
        authority, key = signing.read_certificate(request.authority)
        authority.verify_directly_issued_by(root)
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound, Warning):
        # A warning is raised for some damaged certificates, where warnings are errors.
        raise EDITED() from None
    if not constraints.ca:
        raise EDITED()
    _verify(key, envelope, encoded)
    return request


def open_answer(data: bytes, root: x509.Certificate) -> SyncAnswer:
    """An answer that `root` signed."""
    envelope, encoded, answer = _open(data, root, SyncAnswer)
    _verify(root.public_key(), envelope, encoded)
    return answer


def _open(data: bytes, root: x509.Certificate, wanted: type[Body]) -> tuple[_Envelope, bytes, Body]:
    if len(data) > MAX_DOCUMENT:
        raise TOO_LARGE(limit=MAX_DOCUMENT)
    opening = _decode(data, _Opening)
    if opening.kind not in _KINDS.values():
        raise DAMAGED(why="it does not say what it is")
    if opening.kind != _KINDS[wanted]:
        raise WRONG_KIND(found=opening.kind, wanted=_KINDS[wanted])
    if opening.format > FORMAT:
        raise NEWER_FORMAT(found=opening.format, known=FORMAT)
    envelope = _decode(data, _Envelope)
    if opening.format != FORMAT or _spelled(envelope) != data:
        raise DAMAGED(why="it is not written as it was made")
    if envelope.root != fingerprint(root):
        raise OTHER_ROOT(found=envelope.root[:16], wanted=fingerprint(root)[:16])
    encoded = _base64(envelope.body)
    return envelope, encoded, _decode(encoded, wanted)


def _verify(key: object, envelope: _Envelope, encoded: bytes) -> None:
    _base64(envelope.signature)
    if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise EDITED()
    if not signing.verify(key, _signed(envelope.kind, encoded), envelope.signature):
        raise EDITED()


def _signed(kind: str, encoded: bytes) -> bytes:
    return f"{kind} {FORMAT}\n".encode() + encoded


def _spelled(envelope: _Envelope) -> bytes:
    return msgspec.json.format(msgspec.json.encode(envelope), indent=1) + b"\n"


Decoded = TypeVar("Decoded", bound=msgspec.Struct)


def _decode(data: bytes, form: type[Decoded]) -> Decoded:
    try:
        return msgspec.json.decode(data, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DAMAGED(why=str(error)) from None


def _base64(text: str) -> bytes:
    """Strictly: no other spelling of the same bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DAMAGED(why=str(error)) from None
    if base64.b64encode(data).decode() != text:
        raise DAMAGED(why="its base64 is not as it was made")
    return data
