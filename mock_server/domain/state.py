"""What the server knows: aggregates, each of which is one row (kind, key) beside the journal.

Times are Unix seconds. Keys that have several parts join them with the unit separator, which no name holds.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import Result
from smartlic_client.protocol.rum import Policy

__all__ = [
    "AccessToken",
    "Account",
    "AccountStatus",
    "ApiClient",
    "Instance",
    "LastMessage",
    "Lot",
    "LotKind",
    "Mode",
    "Origin",
    "PasswordHash",
    "Pool",
    "Schedule",
    "Settings",
    "State",
    "SyncFailure",
    "Token",
    "Tombstone",
    "UsageReport",
    "User",
    "UserRole",
    "pool_key",
    "report_key",
]

_SEPARATOR: Final = "\x1f"
DEFAULT_ACCOUNT: Final = "Lab"
DEFAULT_VIRTUAL_ACCOUNT: Final = "Default"
DEFAULT_SMART_ACCOUNT: Final = "Lab Smart Account"
DEFAULT_CSSM_VIRTUAL_ACCOUNT: Final = "On-Prem"
"""What the first local account is bound to in CSSM."""


class AccountStatus(StrEnum):
    REQUESTED = "requested"
    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"
    """No row has it: it is where an account's life ends."""


class Settings(msgspec.Struct, kw_only=True):
    """`common_name`: Host Common Name as set. `served_name`: the one that the product certificate bears.

    `certificates`: name of a certificate → base64 DER chain, leaf first, with the key of the same name in the
    key store; "root" has none here. `clock_offset`: seconds by which the clock of licensing is ahead of the
    real one. `browser_request`: the name of the key that an uploaded browser certificate has to be for;
    `browser_key`: of the one that is served, if it was uploaded. `rate_limit`: calls of the REST API a minute
    that each bearer has; 0: any number. `whole_tokens`: new ID tokens are kept readable, for its listing.
    """

    common_name: str = ""
    served_name: str = ""
    generation: int = 0
    certificates: dict[str, list[str]] = msgspec.field(default_factory=dict)
    clock_offset: float = 0.0
    browser_request: str = ""
    browser_key: str = ""
    rate_limit: int = 0
    whole_tokens: bool = False


class Schedule(StrEnum):
    """How often an account synchronizes by itself."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class SyncFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last synchronization failed, and when."""

    code: str
    sentence: str
    at: float
    attempts: int = 1
    """How often in a row."""


class Account(msgspec.Struct, kw_only=True):
    """A local account, bound to one virtual account of a smart account in CSSM.

    `waiting`: it has not been synchronized since the Host Common Name was set. `reason`: why it was
    deactivated. `descriptions`: of its virtual accounts, by name. `requested_at`: when it was asked for.
    `signed_in_at`: when somebody last signed in to CSSM for it; that token ages. `sync_serial`: of the last
    answer of CSSM that was taken. `pending_request`: the nonce of the last request written to a file.
    `policy`: what its instances of Smart Licensing Using Policy have to report; None: each has its own.
    """

    name: str
    smart_account: str
    virtual_account: str
    status: AccountStatus = AccountStatus.ACTIVE
    virtual_accounts: list[str] = msgspec.field(default_factory=lambda: [DEFAULT_VIRTUAL_ACCOUNT])
    last_sync: float | None = None
    waiting: bool = False
    email: str = ""
    reason: str = ""
    requested_at: float | None = None
    descriptions: dict[str, str] = msgspec.field(default_factory=dict)
    schedule: Schedule | None = None
    next_sync: float | None = None
    sync_failure: SyncFailure | None = None
    signed_in_at: float | None = None
    sync_serial: int = 0
    pending_request: str | None = None
    policy: Policy | None = None


class Token(msgspec.Struct, kw_only=True):
    """An ID token: only the hash of its text is kept. `uses`: None allows any number."""

    token_id: str
    account: str
    virtual_account: str
    description: str
    created_at: float
    expires_at: float
    uses: int | None
    used: int = 0
    export_controlled: bool = False
    revoked: bool = False
    created_by: str = ""


class LotKind(StrEnum):
    PERPETUAL = "PERPETUAL"
    TERM = "TERM"


class Origin(StrEnum):
    CSSM = "cssm"
    LOCAL = "local"


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """So many licenses, bought together. They count from `start` until before `end`; None: without bound.

    A lot that lies in several virtual accounts has the same id in each, with its part as quantity.
    """

    id: str
    quantity: int
    kind: LotKind = LotKind.PERPETUAL
    start: float | None = None
    end: float | None = None
    origin: Origin = Origin.CSSM


LOCAL_LOT: Final = "local"
"""The lot of what was bought on this server, without CSSM."""


class Pool(msgspec.Struct, kw_only=True):
    """The licenses of one entitlement in one virtual account: its lots by id, and how many are in use.

    `overage_allowed`: more than there are may be in use, and is overage then.
    """

    account: str
    virtual_account: str
    tag: str
    name: str
    in_use: int = 0
    lots: dict[str, Lot] = msgspec.field(default_factory=dict)
    overage_allowed: bool = False
    former: int = msgspec.field(default=0, name="purchased")
    """Before there were lots: the quantity, which is read as a local lot."""

    def __post_init__(self) -> None:
        if self.former:
            lot = Lot(id=LOCAL_LOT, quantity=self.former, origin=Origin.LOCAL)
            self.lots.setdefault(LOCAL_LOT, lot)
            self.former = 0


class LastMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The last message of an instance and its result, so that a repeat gets the same one."""

    sequence: int
    message_id: str
    meaning: str
    result: Result


class Mode(StrEnum):
    """How a product instance is licensed."""

    REGISTERED = "registered"
    POLICY = "SL Using Policy"


class Instance(msgspec.Struct, kw_only=True):
    """`measured`: entitlement tag → the end of the measurement that `usage` is by (Unix seconds).

    `policy`: the one that it was told last. `last_report`: when the last usage report was taken.
    `public_key`: empty while it is known by a file only, and has no trust code.
    """

    piid: str
    name: str
    udi: Udi
    software_id: str
    account: str
    virtual_account: str
    public_key: bytes
    certificate_serial: str
    registered_at: float
    last_contact: float
    last: LastMessage
    usage: dict[str, int] = msgspec.field(default_factory=dict)
    mode: Mode = Mode.REGISTERED
    export_controlled: bool = False
    renewed_at: float | None = None
    policy: Policy | None = None
    measured: dict[str, int] = msgspec.field(default_factory=dict)
    last_report: float | None = None


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a usage (RUM) report of an instance: an id is taken once.

    `digest`: SHA-256 of the report. `start`, `end`: of what it measures, Unix seconds. `highest`: the largest
    count in it. `count`: what was in use when it was closed.
    """

    piid: str
    report_id: str
    tag: str
    digest: str
    taken_at: float
    start: int
    end: int
    highest: int
    count: int


class UserRole(StrEnum):
    """`administrator`: may do everything; `user`: what concerns accounts, and not the server."""

    ADMINISTRATOR = "administrator"
    USER = "user"


class PasswordHash(msgspec.Struct, frozen=True, kw_only=True):
    """scrypt (RFC 7914) with r = 8, p = 1. `cost`: its N."""

    salt: bytes
    cost: int
    digest: bytes


class User(msgspec.Struct, kw_only=True):
    """A local user of the server."""

    name: str
    role: UserRole
    password: PasswordHash
    created_at: float
    created_by: str = ""
    changed_at: float | None = None
    """When the password was changed last."""
    ended: dict[str, float] = {}
    """Sessions that were signed out: digest of each, and when it would have ended by its age."""


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of an instance that is gone, so that its repeats are answered and its keys stay used."""

    piid: str
    public_key: bytes
    last: LastMessage | None


class ApiClient(msgspec.Struct, kw_only=True):
    """What automation signs in as; its scope is its local account. `digest`: SHA-256 of its secret, hex."""

    client_id: str
    account: str
    name: str
    digest: str
    created_at: float
    created_by: str = ""
    renewed_at: float | None = None


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """Kept under the hash of its text. `client_id`, `user`: whose it is; each may be empty.

    `account`: the only one that it opens; None: what the user may see.
    """

    client_id: str
    user: str
    account: str | None
    issued_at: float
    expires_at: float


def pool_key(account: str, virtual_account: str, tag: str) -> str:
    return _SEPARATOR.join((account, virtual_account, tag))


def report_key(piid: str, report_id: str) -> str:
    return _SEPARATOR.join((piid, report_id))


class PlaceChange(NamedTuple):
    """The change `number` of `State.by_place`: `entry` (name, PIID) came to `place`, or went from there."""

    number: int
    place: tuple[str, str]
    came: bool
    entry: tuple[str, str]


class State:
    """All aggregates in memory, and the indexes that are derived from them."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.accounts: dict[str, Account] = {}
        self.tokens: dict[str, Token] = {}
        self.pools: dict[str, Pool] = {}
        self.instances: dict[str, Instance] = {}
        self.tombstones: dict[str, Tombstone] = {}
        # report_key → report.
        self.reports: dict[str, UsageReport] = {}
        # Client id → client.
        self.api_clients: dict[str, ApiClient] = {}
        # SHA-256 of its text (hex) → access token.
        self.access_tokens: dict[str, AccessToken] = {}
        self.users: dict[str, User] = {}
        # SHA-256 of a public key (hex) → PIID, of instances and tombstones; derived.
        self.by_key: dict[str, str] = {}
        # device_digest → PIID, of instances; derived.
        self.by_identity: dict[bytes, str] = {}
        # PIID → keys of its reports; derived.
        self.reports_of: dict[str, set[str]] = {}
        # (account, virtual account) → (name, PIID) of its instances, in order; derived. They are bisected:
        # with 100,000 a registration moves 800 KB at most, and any page is there at once.
        self.by_place: dict[tuple[str, str], list[tuple[str, str]]] = {}
        # How often that has changed, and the last changes: who made something of it can follow.
        self.place_changes = 0
        self.place_log: deque[PlaceChange] = deque(maxlen=1000)
