"""What an agent knows and means to say: the whole of it is saved before anything is sent.

Times are Unix seconds. The record holds secrets (the private key; an ID token until it is answered): it
belongs in a file that only its owner can read, and its `repr` shows none of them.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from smartlic_client.protocol.identity import Count, Udi
from smartlic_client.protocol.logs import Logged
from smartlic_client.protocol.messages import PROTOCOL_VERSION, Request
from smartlic_client.protocol.states import Authorization, Registration

__all__ = ["Attempts", "Entitlement", "Identity", "Note", "Record"]

# Kept for `show license eventlog` and `history message`; older ones go.
MAX_HISTORY = 16
MAX_NOTES = 8


class Identity(msgspec.Struct, frozen=True, kw_only=True):
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


class Entitlement(msgspec.Struct, kw_only=True):
    """A license in use: its absolute count here, and the enforcement mode that the server gave it."""

    count: Count
    enforcement_mode: str = "waiting"
    export_controlled: bool = False


class Attempts(msgspec.Struct, kw_only=True):
    """Last and next attempt of something that repeats, and why the last one failed (None: it did not).

    `next`: the machine's timer. `tries`: how often communication failed in a row.
    """

    last: float | None = None
    succeeded: float | None = None
    next: float | None = None
    failure: dict[str, Any] | None = None
    tries: int = 0


class Note(msgspec.Struct, frozen=True, array_like=True):
    """A message that was answered, or could not be: for `show license history message`.

    `outcome`: the answer's status, or the code of what came instead.
    """

    at: float
    request_type: str
    message_id: str
    outcome: str


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
    ready: bool = False
    communication_failed: bool = False
    history: list[Logged] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)

    def __repr__(self) -> str:
        return f"Record({self.udi}, {self.registration}, {self.authorization})"

    def to_data(self) -> dict[str, Any]:
        """JSON-ready data for a store."""
        data = msgspec.to_builtins(self)
        assert isinstance(data, dict)  # noqa: S101 - narrows the type
        return data

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Record:
        """Raises msgspec.ValidationError where the data is no record."""
        return msgspec.convert(data, cls)
