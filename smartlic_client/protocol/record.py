"""What an agent knows and means to say: the whole of it is saved before anything is sent.

Times are Unix seconds. The record holds secrets (the private key; an ID token until it is answered): it
belongs in a file that only its owner can read, and its `repr` shows none of them.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import msgspec

from smartlic_client.protocol.identity import Count, Udi
from smartlic_client.protocol.logs import Logged, like
from smartlic_client.protocol.messages import (
    PROTOCOL_VERSION,
    LicenseUsageRequest,
    RegistrationRequest,
    Request,
    TrustRequest,
)
from smartlic_client.protocol.rum import CISCO_DEFAULT, Policy, RumState
from smartlic_client.protocol.states import Authorization, Registration

__all__ = [
    "Attempts",
    "Entitlement",
    "Identity",
    "Imported",
    "KeptReport",
    "LicenseKind",
    "Note",
    "OpenReport",
    "Record",
    "Span",
    "Usage",
    "contradiction",
]

# Kept for `show license eventlog` and `history message`; older ones go.
MAX_HISTORY = 16
MAX_NOTES = 8


Imported = Literal["RUM ACK", "POLICY"]
"""What comes in files, in the words of `show license history message`."""

LicenseKind = Literal["unenforced-perpetual", "unenforced-subscription", "enforced", "export"]


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a registration brought. Certificates in base64 DER, the key in PEM."""

    piid: str
    key: str
    certificate: str
    chain: list[str]
    serial_number: str
    valid_from: float
    valid_until: float
    smart_account: str
    virtual_account: str
    export_controlled_allowed: bool
    registered_at: float
    renewed_at: float | None = None

    def __repr__(self) -> str:
        return f"Identity({self.piid}, key=secret)"


class Entitlement(msgspec.Struct, kw_only=True, gc=False):
    """A license in use: its absolute count here, and the enforcement mode that the server gave it."""

    count: Count
    enforcement_mode: str = "waiting"
    export_controlled: bool = False
    # Which part of a policy it falls under.
    kind: LicenseKind = "unenforced-perpetual"


class Attempts(msgspec.Struct, kw_only=True, gc=False):
    """Last and next attempt of something that repeats, and why the last one failed (None: it did not).

    `next`: the machine's timer. `tries`: how often communication failed in a row.
    """

    last: float | None = None
    succeeded: float | None = None
    next: float | None = None
    failure: dict[str, Any] | None = None
    tries: int = 0


class Note(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message that was answered, or could not be: for `show license history message`.

    `request_type`: or what was imported. `outcome`: the answer's status, or the code of what came instead.
    """

    at: float
    request_type: str
    message_id: str
    outcome: str


class Span(msgspec.Struct, frozen=True, array_like=True):
    """`count` licenses from `start` to `end`."""

    start: float
    end: float
    count: Count


class OpenReport(msgspec.Struct, kw_only=True):
    """What is measured for one license: the spans that ended, and the count since the last one."""

    report_id: str
    opened_at: float
    since: float
    count: Count = 0
    spans: list[Span] = msgspec.field(default_factory=list)


class KeptReport(msgspec.Struct, kw_only=True):
    """A usage report that is closed: `text` is what was signed, and never changes."""

    report_id: str
    tag: str
    state: RumState
    closed_at: float
    text: str = ""


class Usage(msgspec.Struct, kw_only=True):
    """Smart Licensing Using Policy. `identity` came with the trust code, and signs what is reported.

    `required_at`: an acknowledgement is needed until then. `close_at`: open reports are closed then.
    """

    policy: Policy = CISCO_DEFAULT
    policy_installed_at: float | None = None
    interval_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    identity: Identity | None = None
    trust_code: str | None = None
    trusted_at: float | None = None
    trusting: Attempts = msgspec.field(default_factory=Attempts)
    reporting: Attempts = msgspec.field(default_factory=Attempts)
    close_at: float = 0.0
    required_at: float | None = None
    acknowledged_at: float | None = None
    # Of the last file with reports.
    saved_at: float | None = None
    warned: float | None = None
    numbered: int = 0
    open: dict[str, OpenReport] = msgspec.field(default_factory=dict)
    reports: list[KeptReport] = msgspec.field(default_factory=list)
    # Ids of what is to be sent.
    queue: list[str] = msgspec.field(default_factory=list)

    def __repr__(self) -> str:
        return f"Usage({self.policy.name}, {len(self.open)} open, {len(self.reports)} closed)"


class Record(msgspec.Struct, kw_only=True):
    udi: Udi
    software_id: str
    hostname: str | None = None
    custom_id: str | None = None
    # Rises with each new message, and is saved before the message is sent (protocol, "Exactly once").
    sequence: Annotated[int, msgspec.Meta(ge=0)] = 0
    sent: Annotated[int, msgspec.Meta(ge=0)] = 0
    registration: Registration = Registration.NOT_REGISTERED
    # Of the registration; and once there is one, of its ID certificate's renewal.
    registering: Attempts = msgspec.field(default_factory=Attempts)
    identity: Identity | None = None
    # The key of the certificate request that is under way.
    new_key: str | None = None
    authorization: Authorization = Authorization.NONE
    authorizing: Attempts = msgspec.field(default_factory=Attempts)
    deadline: float | None = None
    entitlements: dict[str, Entitlement] = msgspec.field(default_factory=dict)
    # The counts have changed since the last message that carries them was made.
    to_report: bool = False
    # The one message in flight: it stays until an answer with its message id has been applied.
    in_flight: Request | None = None
    evaluation_used: float = 0.0
    evaluation_since: float | None = None
    # Seconds that were left at the last warning.
    evaluation_warned: float | None = None
    certificate_warned: float | None = None
    # The clock has been outside the ID certificate's validity since then.
    outside_since: float | None = None
    to_renew: bool = False
    # The server has the message in flight, and will have the answer later, under this name.
    poll_id: str | None = None
    # What the server speaks (VERSION_TOO_HIGH takes one step down).
    protocol_version: str = PROTOCOL_VERSION
    software_version: str | None = None
    # Privacy switches: what is withheld from messages.
    hostname_private: bool = False
    version_private: bool = False
    # Nothing is sent by itself: reports go into files.
    transport_off: bool = False
    # None: the device registers, and does not use policies.
    usage: Usage | None = None
    ready: bool = False
    communication_failed: bool = False
    history: list[Logged] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)

    def __repr__(self) -> str:
        return f"Record({self.udi}, {self.registration}, {self.authorization})"

    def reset(self) -> None:
        """As it was made: what the device is and how it is set stays, and the sequence, which never falls."""
        fresh = Record(**{name: getattr(self, name) for name in _LASTING})
        for name in self.__struct_fields__:
            setattr(self, name, getattr(fresh, name))

    def to_data(self) -> dict[str, Any]:
        """JSON-ready data for a store."""
        data = msgspec.to_builtins(self)
        assert isinstance(data, dict)  # noqa: S101 - narrows the type
        return data

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Record:
        """Raises msgspec.ValidationError where the data is no record."""
        record = msgspec.convert(_shared(data, {}), cls)
        read, record.history = record.history, []
        for event in read:
            record.history.append(like(event, record.history))
        return record


def _shared(value: Any, floats: dict[float, float]) -> Any:
    """The data with each text and each time once: an idle device is small, and a process may have many."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, float):
        return floats.setdefault(value, value)
    if isinstance(value, dict):
        return {_shared(key, floats): _shared(one, floats) for key, one in value.items()}
    return [_shared(one, floats) for one in value] if isinstance(value, list) else value


def contradiction(record: Record) -> str | None:
    """What in a record cannot be at the same time, so that the tables of states have no step for it."""
    state, rights, flight = record.registration, record.authorization, record.in_flight
    registered, evaluates = record.identity is not None, rights is Authorization.EVAL
    kept = isinstance(flight, (RegistrationRequest, TrustRequest))
    said = isinstance(flight, (TrustRequest, LicenseUsageRequest))
    wrong = {
        "it registers, and no registration is in flight, or the reverse": (
            state in (Registration.IN_PROGRESS, Registration.RETRY)
        )
        != isinstance(flight, RegistrationRequest),
        "it is registered without an ID certificate": state is Registration.COMPLETE and not registered,
        "it has an ID certificate and is not registered": registered
        and state in (Registration.NOT_REGISTERED, Registration.FAILED),
        "its new key belongs to no request, or a request lacks it": (record.new_key is not None) != kept,
        "it counts evaluation time and is not in evaluation, or the reverse": (
            record.evaluation_since is not None
        )
        != evaluates,
        "it is authorized and not registered": not registered and rights not in _UNREGISTERED,
        "it has a message in flight that it could not sign": flight is not None
        and not (registered or kept or said),
        "it uses no policies, and a message in flight does": said and record.usage is None,
        "it polls for nothing": record.poll_id is not None and flight is None,
    }
    return next((why for why, holds in wrong.items() if holds), None)


_UNREGISTERED = (Authorization.NONE, Authorization.EVAL, Authorization.EVAL_EXPIRED)
_LASTING = (
    "udi",
    "software_id",
    "hostname",
    "custom_id",
    "sequence",
    "sent",
    "software_version",
    "hostname_private",
    "version_private",
    "transport_off",
)
