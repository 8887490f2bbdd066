"""Seals of a simulation: a keyed hash in place of signatures and certificates, and no envelopes.

A message is handed over as it is, within the process. What stands for its bytes is the hash, and what it is
over; the message hangs on them.

A key signs and checks with the same secret, so whoever can check can also forge: it proves nothing to
anybody outside the process that made it. Devices and nodes take `seals.REAL` unless they are given another
kind, and nothing but the simulated fleet gives them this one (import contract in pyproject.toml).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final, cast

import msgspec

from mock_server import pki
from mock_server.domain.devices import IssuedCertificate
from smartlic_client.protocol import smart
from smartlic_client.protocol.messages import Answer, AnswerData, AnswerHeader, Request, RequestHeader
from smartlic_client.protocol.seals import Certified
from smartlic_client.protocol.signing import PrivateKey, PublicKey

__all__ = ["HashSeals"]

_MARK: Final = b"\x00"
"""No JSON text begins with it: what was sealed by a hash is no message to anybody else."""
_SIZE: Final = 16
_TEXT: Final = 2 * _SIZE
_NONE: Final = "0" * _TEXT
_HOUR: Final = 3600
_DAY: Final = 86400

Sign = Callable[[bytes], str]


_encode = msgspec.msgpack.Encoder().encode


class _Parcel(bytes):
    """Mark, signature and what is signed; `content`: what was sent. A copy of the bytes has none."""

    content: tuple[RequestHeader, Request] | tuple[AnswerHeader, AnswerData]


class HashSeals:
    """Keys are texts of 32 hexadecimal digits, private and public ones the same. `chance` makes them."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._authority = self._drawn()
        self._answers = self._drawn()
        self.chain: Final = [self._mac(self._authority, self._answers.encode())]
        self._issued = 0

    def new_key(self) -> PrivateKey:
        return cast(PrivateKey, self._drawn())

    def sign_answer(self, data: bytes) -> str:
        return self._mac(self._answers, data)

    def issue(self, public_key: PublicKey, piid: str, now: float) -> IssuedCertificate:
        """With the times of the real one, which knows whole seconds only."""
        self._issued += 1
        begins, ends = int(now) - _HOUR, int(now) + pki.IDENTITY.days * _DAY
        content = f"{self._issued:x} {begins} {ends} {public_key} {piid}"
        return IssuedCertificate(
            f"{self._mac(self._authority, content.encode())} {content}", f"{self._issued:x}"
        )

    def _drawn(self) -> str:
        return self._chance.randbytes(_SIZE).hex()

    @staticmethod
    def _mac(key: str, data: bytes) -> str:
        return blake2b(data, key=key.encode(), digest_size=_SIZE).hexdigest()

    # ---- keys and certificates (seals.Seals) --------------------------------------------------------------
    def dump_key(self, key: PrivateKey, /) -> str:
        return cast(str, key)

    def load_key(self, text: str, /) -> PrivateKey:
        return cast(PrivateKey, text)

    def public_key_bytes(self, key: PublicKey, /) -> bytes:
        return cast(str, key).encode()

    def load_public_key(self, raw: bytes, /) -> PublicKey:
        return cast(PublicKey, raw.decode())

    def make_csr(self, key: PrivateKey, _common_name: str, /) -> str:
        return cast(str, key)

    def read_csr(self, text: str, /) -> PublicKey | None:
        return cast(PublicKey, text) if len(text) == _TEXT else None

    def sign(self, key: PrivateKey, data: bytes, /) -> str:
        return self._mac(cast(str, key), data)

    def verify(self, key: PublicKey, data: bytes, signature: str, /) -> bool:
        return self._mac(cast(str, key), data) == signature

    def certified(self, text: str, key: PrivateKey, /) -> Certified:
        mac, _, content = text.partition(" ")
        if self._mac(self._authority, content.encode()) != mac:
            raise ValueError("it is not by this simulation")
        serial, begins, ends, certified, _ = content.split(" ")
        return Certified(serial, float(begins), float(ends), certified == cast(str, key))

    def verify_answer_chain(self, chain: Sequence[str], _anchors: bytes, _now: float, /) -> PublicKey:
        if chain != self.chain:
            raise ValueError("it is not by this simulation")
        return cast(PublicKey, self._answers)

    # ---- bytes --------------------------------------------------------------------------------------------
    def encode_request(self, header: RequestHeader, data: Request, sign: Sign | None, /) -> bytes:
        text = _encode(data)
        parcel = _Parcel(b"".join((_MARK, (sign(text) if sign else _NONE).encode(), text)))
        parcel.content = (header, data)
        return parcel

    def decode_request(self, raw: bytes, /) -> smart.SignedRequest:
        header, data = _opened(raw)
        if not isinstance(header, RequestHeader) or isinstance(data, AnswerData):
            raise smart.Malformed("it is no request")
        signature, text = _parts(raw)
        return smart.SignedRequest(header=header, data=data, signed=text, signature=signature)

    def encode_answer(
        self, header: AnswerHeader, data: AnswerData, sign: Sign, _certificates: Sequence[str], /
    ) -> bytes:
        text = _encode(data)
        parcel = _Parcel(b"".join((_MARK, sign(text).encode(), text)))
        parcel.content = (header, data)
        return parcel

    def decode_answer(self, raw: bytes, /) -> smart.SignedAnswer:
        header, data = _opened(raw)
        if not isinstance(header, AnswerHeader) or not isinstance(data, AnswerData):
            raise smart.Malformed("it is no answer")
        signature, text = _parts(raw)
        answer = Answer(header=header, data=data)
        return smart.SignedAnswer(answer=answer, signed=text, signature=signature, certificates=self.chain)


def _opened(raw: bytes) -> tuple[RequestHeader, Request] | tuple[AnswerHeader, AnswerData]:
    if not isinstance(raw, _Parcel):
        raise smart.Malformed("it is not sealed by a hash")
    return raw.content


def _parts(raw: bytes) -> tuple[str, bytes]:
    """Signature, and what it is over."""
    return raw[1 : _TEXT + 1].decode("ascii"), raw[_TEXT + 1 :]
