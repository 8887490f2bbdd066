"""The Smart transport: wrapping, signing and reading of requests and answers. Both sides use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import msgspec

from smartlic_client.protocol.messages import (
    Answer,
    AnswerBody,
    AnswerData,
    AnswerEnvelope,
    AnswerHeader,
    Request,
    RequestBody,
    RequestEnvelope,
    RequestHeader,
    Signature,
    UnknownRequest,
    request_type,
)

__all__ = [
    "Malformed",
    "SignedAnswer",
    "SignedRequest",
    "decode_answer",
    "decode_error_map",
    "decode_request",
    "encode_answer",
    "encode_error_map",
    "encode_request",
]

CONTENT_TYPE = "application/json"

_encode = msgspec.json.Encoder().encode
_request_envelope = msgspec.json.Decoder(RequestEnvelope)
_request_body = msgspec.json.Decoder(RequestBody)
_known_data = msgspec.json.Decoder(Request)
_unknown_data = msgspec.json.Decoder(UnknownRequest)
_KNOWN = {str(kind.__struct_config__.tag) for kind in get_args(Request)}
_answer_envelope = msgspec.json.Decoder(AnswerEnvelope)
_answer_body = msgspec.json.Decoder(AnswerBody)
_answer_data = msgspec.json.Decoder(AnswerData)
_error_map = msgspec.json.Decoder(dict[str, list[str]])


class Malformed(ValueError):
    """Bytes that are no message; the text says where."""


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was read: its parts, and the exact bytes that the signature covers."""

    header: RequestHeader
    data: Request | UnknownRequest
    signed: bytes
    signature: str

    def __repr__(self) -> str:
        """Without `signed`: it holds the ID token of a registration."""
        return f"SignedRequest({self.header!r}, {self.data!r})"


class SignedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    answer: Answer
    signed: bytes
    signature: str
    certificates: list[str]


def encode_request(header: RequestHeader, data: Request, sign: Callable[[bytes], str] | None) -> bytes:
    """The request's bytes. `sign` makes the base64 signature; None for a HELLO before registration."""
    body = RequestBody(header=header, nonce=header.nonce, request_data=_encode(data).decode())
    text = _encode(body)
    value = sign(text) if sign else ""
    return _encode(RequestEnvelope(signature=Signature(value=value), request=text.decode()))


def decode_request(raw: bytes) -> SignedRequest:
    """Read a request, also of a type that this release does not know. Raises Malformed.

    The layers must agree on nonce and request type.
    """
    try:
        envelope = _request_envelope.decode(raw)
        body = _request_body.decode(envelope.request)
        data = _request_data(body.request_data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if not body.header.nonce == body.nonce == data.nonce:
        raise Malformed("the layers carry different nonces")
    if body.header.request_type != request_type(data):
        raise Malformed("the layers carry different request types")
    return SignedRequest(
        header=body.header, data=data, signed=_bytes(envelope.request), signature=envelope.signature.value
    )


def _request_data(text: str) -> Request | UnknownRequest:
    try:
        known: Request = _known_data.decode(text)
    except msgspec.ValidationError:
        unknown = _unknown_data.decode(text)
        if unknown.request_type in _KNOWN:
            raise
        return unknown
    return known


def encode_answer(
    header: AnswerHeader, data: AnswerData, sign: Callable[[bytes], str], certificates: Sequence[str]
) -> bytes:
    body = AnswerBody(header=header, nonce=header.nonce, response_data=_encode(data).decode())
    text = _encode(body)
    signature = Signature(value=sign(text), certificates=list(certificates))
    return _encode(AnswerEnvelope(signature=signature, response=text.decode()))


def decode_answer(raw: bytes) -> SignedAnswer:
    """Read an answer. Raises Malformed. Signature and fit to a request are the caller's to check."""
    try:
        envelope = _answer_envelope.decode(raw)
        body = _answer_body.decode(envelope.response)
        data = _answer_data.decode(body.response_data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if not body.header.nonce == body.nonce == data.nonce:
        raise Malformed("the layers carry different nonces")
    certificates = envelope.signature.certificates
    return SignedAnswer(
        answer=Answer(header=body.header, data=data),
        signed=_bytes(envelope.response),
        signature=envelope.signature.value,
        certificates=[] if isinstance(certificates, msgspec.UnsetType) else certificates,
    )


def decode_error_map(raw: bytes) -> dict[str, list[str]] | None:
    """The public error form, a map from field to texts, or None if the bytes are not one."""
    try:
        return _error_map.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def encode_error_map(errors: dict[str, list[str]]) -> bytes:
    return _encode(errors)


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Malformed("the signed text has characters that are none") from None
