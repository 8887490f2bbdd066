"""What makes a message believable: keys, signatures and certificates, and the bytes that they are over.

Agent and server ask for all of it here. There is one kind that anything outside a simulation takes: `REAL`,
which is `signing` and `smart`. A simulation may bring another kind for both of its sides; the two kinds do
not read each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.serialization import load_der_public_key

from smartlic_client.protocol import signing, smart
from smartlic_client.protocol.messages import AnswerData, AnswerHeader, Request, RequestHeader
from smartlic_client.protocol.signing import PrivateKey, PublicKey

__all__ = ["REAL", "Certified", "Seals"]

Sign = Callable[[bytes], str]


class Certified(NamedTuple):
    """An ID certificate: serial number in hex, validity in Unix seconds, and whether it is for the key."""

    serial: str
    begins: float
    ends: float
    fits: bool


class Seals(Protocol):
    """Each function as in `signing` and `smart`, which say what they raise."""

    def dump_key(self, key: PrivateKey, /) -> str: ...

    def load_key(self, text: str, /) -> PrivateKey: ...

    def public_key_bytes(self, key: PublicKey, /) -> bytes: ...

    def load_public_key(self, raw: bytes, /) -> PublicKey: ...

    def make_csr(self, key: PrivateKey, common_name: str, /) -> str: ...

    def read_csr(self, text: str, /) -> PublicKey | None: ...

    def sign(self, key: PrivateKey, data: bytes, /) -> str: ...

    def verify(self, key: PublicKey, data: bytes, signature: str, /) -> bool: ...

    def certified(self, text: str, key: PrivateKey, /) -> Certified:
        """Raises ValueError for what is no certificate."""
        ...

    def verify_answer_chain(self, chain: Sequence[str], anchors: bytes, now: float, /) -> PublicKey: ...

    def encode_request(self, header: RequestHeader, data: Request, sign: Sign | None, /) -> bytes: ...

    def decode_request(self, raw: bytes, /) -> smart.SignedRequest: ...

    def encode_answer(
        self, header: AnswerHeader, data: AnswerData, sign: Sign, certificates: Sequence[str], /
    ) -> bytes: ...

    def decode_answer(self, raw: bytes, /) -> smart.SignedAnswer: ...


class _Real:
    dump_key = staticmethod(signing.dump_key)
    load_key = staticmethod(signing.load_key)
    public_key_bytes = staticmethod(signing.public_key_bytes)
    make_csr = staticmethod(signing.make_csr)
    read_csr = staticmethod(signing.read_csr)
    sign = staticmethod(signing.sign)
    verify = staticmethod(signing.verify)
    verify_answer_chain = staticmethod(signing.verify_answer_chain)
    encode_request = staticmethod(smart.encode_request)
    decode_request = staticmethod(smart.decode_request)
    encode_answer = staticmethod(smart.encode_answer)
    decode_answer = staticmethod(smart.decode_answer)

    @staticmethod
    def load_public_key(raw: bytes, /) -> PublicKey:
        return load_der_public_key(raw)  # type: ignore[return-value]

    @staticmethod
    def certified(text: str, key: PrivateKey, /) -> Certified:
        certificate, certified = signing.read_certificate(text)
        return Certified(
            f"{certificate.serial_number:x}",
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
            certified == key.public_key(),
        )


REAL: Final[Seals] = _Real()
