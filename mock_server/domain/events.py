"""What happened. An event carries its results, so that applying it needs no clock, chance or key.

A change is the events of one command, applied as a whole. `VERSION` rises when an event's form changes;
a journal of an older version is read, a newer one is refused.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mock_server.domain.state import (
    AccessToken,
    Account,
    ApiClient,
    Instance,
    LastMessage,
    Lot,
    PasswordHash,
    Pool,
    Schedule,
    SyncFailure,
    Token,
    Tombstone,
    UsageReport,
    User,
)
from smartlic_client.protocol.rum import Policy

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
    """An answer of CSSM was taken. `waiting`: it was for another Host Common Name than the present one."""

    name: str
    serial: int = 0
    waiting: bool = False
    next_sync: float | None = None
    by_file: bool = False


class SyncFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`next_sync`: when it is tried again."""

    name: str
    failure: SyncFailure
    next_sync: float | None


class SyncScheduled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str
    schedule: Schedule | None
    next_sync: float | None


class SignedIn(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody has signed in to CSSM for the account."""

    name: str
    user: str
    next_sync: float | None


class SyncRequested(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request was written to a file."""

    name: str
    nonce: str


class TokenCreated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    digest: str
    token: Token


class TokenRevoked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    digest: str
    token_id: str = ""


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


class BrowserKeyMade(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request for a browser certificate was made; `key`: the name of its key in the key store."""

    key: str


class BrowserCertificateUploaded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`chain`: base64 DER, its leaf first. `key`: the name of its key in the key store."""

    chain: list[str]
    key: str
    subject: str


class BrowserCertificateReset(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The uploaded one is gone; the cluster serves one of its own again. `why`: reset, or by a teardown."""

    chain: list[str]
    why: str


class AnchorKept(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The licensing root's certificate, base64 DER: devices' trust anchor, also while CSSM is away."""

    root: str


class ClockSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The clock of licensing is ahead of the real one by `offset` seconds."""

    offset: float


class InstanceRegistered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """By a REGISTRATION or a TRUST: the instance's mode says which."""

    instance: Instance
    key_digest: str
    token_digest: str


class UsageReported(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    piid: str
    usage: dict[str, int]
    last: LastMessage


class ReportsTaken(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Usage reports that are new, and what the instance uses by them."""

    piid: str
    reports: list[UsageReport]
    usage: dict[str, int]
    measured: dict[str, int]
    last: LastMessage


class InstanceImported(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """By a file of usage reports: it has no key."""

    instance: Instance


class ReportsImported(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """As ReportsTaken, by a file. `policy`: the one that its acknowledgement tells."""

    piid: str
    reports: list[UsageReport]
    usage: dict[str, int]
    measured: dict[str, int]
    policy: Policy | None


class CertificateRenewed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An instance has a new ID certificate, for the same key."""

    piid: str
    name: str
    certificate_serial: str
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
    """De-registered, replaced or removed. `successor`: the instance that its usage reports go to."""

    tombstone: Tombstone
    why: str
    name: str = ""
    successor: str = ""


class ApiClientCreated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    client: ApiClient


class ApiClientRenewed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It has a new secret; its access tokens are gone."""

    client_id: str
    name: str
    digest: str


class ApiClientDeleted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """With its access tokens."""

    client_id: str
    name: str


class AccessTokenIssued(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`who`: whose it is, in words. `gone`: digests of those that are cleared away with it."""

    digest: str
    token: AccessToken
    who: str
    gone: list[str] = []


class RestApiConfigured(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    rate_limit: int
    whole_tokens: bool


class UserCreated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    user: User


class PasswordChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str
    password: PasswordHash


class SignedOut(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`session`: its digest. `now`, `until`: Unix seconds of the real clock; by `until` its age ends it."""

    name: str
    session: str
    now: float
    until: float


class UserRemoved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str


Event = (
    AccountChanged
    | AccountDeleted
    | VirtualAccountCreated
    | VirtualAccountDeleted
    | AccountSynchronized
    | SyncFailed
    | SyncScheduled
    | SignedIn
    | SyncRequested
    | TokenCreated
    | TokenRevoked
    | LicensesPurchased
    | LotsArrived
    | LicensesTransferred
    | CommonNameSet
    | CertificatesInstalled
    | BrowserKeyMade
    | BrowserCertificateUploaded
    | BrowserCertificateReset
    | AnchorKept
    | ClockSet
    | InstanceRegistered
    | UsageReported
    | ReportsTaken
    | InstanceImported
    | ReportsImported
    | CertificateRenewed
    | InstanceRenamed
    | InstanceTransferred
    | InstanceGone
    | ApiClientCreated
    | ApiClientRenewed
    | ApiClientDeleted
    | AccessTokenIssued
    | RestApiConfigured
    | UserCreated
    | PasswordChanged
    | UserRemoved
    | SignedOut
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
    try:
        change = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise msgspec.ValidationError(f"the change cannot be read: {error}") from None
    if change.version > VERSION:
        raise msgspec.ValidationError(
            f"the change has version {change.version}, this release reads {VERSION}"
        )
    return change
