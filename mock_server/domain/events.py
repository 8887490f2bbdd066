"""What happened. An event carries its results, so that applying it needs no clock, chance or key.

A change is the events of one command, applied as a whole. `VERSION` rises when an event's form changes;
a journal of an older version is read, a newer one is refused.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mock_server.domain.state import Account, Instance, LastMessage, Lot, Pool, Token, Tombstone

__all__ = ["Change", "Event", "decode", "encode"]

VERSION: Final = 1


class AccountChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A local account in its new form: created, or changed."""

    account: Account


class AccountDeleted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Gone with its virtual accounts, tokens and licenses. `why`: deleted, or its request refused."""

    name: str
    why: str


class VirtualAccountCreated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    account: str
    name: str
    description: str = ""


class VirtualAccountDeleted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Its licenses are in `Default` now, its tokens gone."""

    account: str
    name: str


class AccountSynchronized(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str


class TokenCreated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    digest: str
    token: Token


class TokenRevoked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    digest: str


class LicensesPurchased(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The pool's local licenses, an absolute number; its `in_use` is not looked at."""

    pool: Pool


class LotsArrived(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What an account has of one entitlement by CSSM, and how it lies in its virtual accounts."""

    account: str
    tag: str
    name: str
    lots: dict[str, list[Lot]]


class LicensesTransferred(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`lots`: lot id → quantity that went from virtual account `source` to `target`."""

    account: str
    tag: str
    name: str
    source: str
    target: str
    lots: dict[str, int]


class CommonNameSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str


class CertificatesInstalled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """New certificates are served. Their private keys are in the key store, under the same names."""

    served_name: str
    generation: int
    certificates: dict[str, list[str]]


class ClockSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The clock of licensing is ahead of the real one by `offset` seconds."""

    offset: float


class InstanceRegistered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    instance: Instance
    key_digest: str
    token_digest: str


class UsageReported(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    piid: str
    usage: dict[str, int]
    last: LastMessage


class InstanceRenamed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    piid: str
    former: str
    name: str


class InstanceTransferred(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What it uses counts in virtual account `target` now."""

    piid: str
    name: str
    source: str
    target: str


class InstanceGone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """De-registered, replaced or removed."""

    tombstone: Tombstone
    why: str
    name: str = ""


Event = (
    AccountChanged
    | AccountDeleted
    | VirtualAccountCreated
    | VirtualAccountDeleted
    | AccountSynchronized
    | TokenCreated
    | TokenRevoked
    | LicensesPurchased
    | LotsArrived
    | LicensesTransferred
    | CommonNameSet
    | CertificatesInstalled
    | ClockSet
    | InstanceRegistered
    | UsageReported
    | InstanceRenamed
    | InstanceTransferred
    | InstanceGone
)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: Unix seconds. `by`: who did it: a product instance's name, a user, or the system."""

    version: int = VERSION
    at: float
    by: str
    node: str
    events: list[Event]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Change)


def encode(change: Change) -> bytes:
    return _encoder.encode(change)


def decode(payload: bytes) -> Change:
    """Raises msgspec.ValidationError for a payload that is none of ours."""
    change = _decoder.decode(payload)
    if change.version > VERSION:
        raise msgspec.ValidationError(
            f"the change has version {change.version}, this release reads {VERSION}"
        )
    return change
