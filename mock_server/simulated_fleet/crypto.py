"""What a simulated cluster signs with: real keys and certificates, or a keyed hash."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass
from typing import Literal, Protocol

from mock_server import pki
from mock_server.domain.devices import IssuedCertificate
from mock_server.simulated_fleet.hashed import HashSeals
from smartlic_client.protocol import seals, signing

__all__ = ["Crypto", "Kind", "crypto"]

Kind = Literal["real", "hash"]


class Crypto(Protocol):
    """`anchors`: what devices trust. `chain`: of answers; `id_chain`: of ID certificates."""

    @property
    def seals(self) -> seals.Seals: ...

    @property
    def anchors(self) -> bytes: ...

    @property
    def chain(self) -> list[str]: ...

    @property
    def id_chain(self) -> list[str]: ...

    def new_key(self) -> signing.PrivateKey: ...

    def sign_answer(self, data: bytes, /) -> str: ...

    def issue(self, public_key: signing.PublicKey, piid: str, now: float, /) -> IssuedCertificate: ...


def crypto(kind: Kind, seed: int, begin: float, days: float) -> Crypto:
    """For a simulation of so many days from `begin` (Unix seconds)."""
    return _real(begin, days) if kind == "real" else _Hashed(HashSeals(random.Random(f"keys {seed}")))  # noqa: S311


class _Hashed:
    anchors = b""

    def __init__(self, made: HashSeals) -> None:
        self.seals: seals.Seals = made
        self.chain: list[str] = made.chain
        self.id_chain: list[str] = []
        self.new_key = made.new_key
        self.sign_answer = made.sign_answer
        self.issue = made.issue


@dataclass(frozen=True)
class _Real:
    anchors: bytes
    chain: list[str]
    id_chain: list[str]
    issuer: pki.Issuer
    key: signing.PrivateKey
    seals: seals.Seals = seals.REAL

    def new_key(self) -> signing.PrivateKey:
        return signing.new_key()

    def sign_answer(self, data: bytes, /) -> str:
        return signing.sign(self.key, data)

    def issue(self, public_key: signing.PublicKey, piid: str, now: float, /) -> IssuedCertificate:
        certificate = self.issuer.identity(public_key, piid, now=_when(now))
        return IssuedCertificate(pki.der_chain([certificate])[0], f"{certificate.serial_number:x}")


def _when(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


def _real(begin: float, days: float) -> _Real:
    """Authorities as a new server has them. The certificate for answers lasts as long as the simulation:
    a cluster renews its own, which is another subject."""
    when = _when(begin)
    root = pki.new_root("Simulated Licensing Root CA", when)
    ca_key, id_key = signing.new_key(), signing.new_key()
    _, ca_chain = pki.new_authority(root, "Simulated CA", ca_key.public_key(), now=when, path_length=1)
    authority = pki.Issuer(ca_chain[0], ca_key, ca_chain)
    _, id_chain = pki.new_id_authority(authority, "Simulated ID CA", id_key.public_key(), now=when)
    lasting = pki.Purpose(signing.LICENSING_ANSWER, max(pki.ANSWERS.days, int(days) + 2))
    answers = authority.leaf("Simulated licensing answers", lasting, now=when)
    return _Real(
        anchors=pki.to_pem(root.certificate),
        chain=answers.der_chain,
        id_chain=pki.der_chain(id_chain),
        issuer=pki.Issuer(id_chain[0], id_key, id_chain),
        key=signing.load_key(answers.key_pem.decode()),
    )
