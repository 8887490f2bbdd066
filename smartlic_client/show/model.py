"""All that the show commands print of a device, as data.

Times are Unix seconds. The states have the names of the public YANG module `cisco-smart-license` without
their prefixes. What a device does not know, or does not have, is None or empty; `policy` None is classic
Smart Licensing, another value Smart Licensing Using Policy. Texts are as they came: who prints them cleans
them.

These are msgspec structures, not dataclasses: defining so many dataclasses would cost a command line several
milliseconds, and these are JSON without further code.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

__all__ = [
    "AGENT_VERSION",
    "ENFORCEMENT_MODES",
    "Attempt",
    "Authorization",
    "AuthorizationState",
    "Certificate",
    "EnforcementMode",
    "Evaluation",
    "Event",
    "License",
    "Member",
    "Message",
    "Model",
    "Policy",
    "Privacy",
    "Registering",
    "RegistrationState",
    "Report",
    "ReportState",
    "Requirement",
    "Statistic",
    "Transport",
    "TransportType",
    "Udi",
    "UsageReporting",
]

AGENT_VERSION: Final = "5.5.0_rel/1"
CAPABILITIES: Final = ("UTILITY", "DLC", "AppHA", "MULTITIER", "EXPORT_2", "OK_TRY_AGAIN", "POLICY_USAGE")
"""As protocol.messages has them."""

AuthorizationState = Literal[
    "none",
    "eval",
    "eval-expired",
    "authorized",
    "out-of-compliance",
    "authorization-expired",
    "authorized-reservation",
]
EnforcementMode = Literal[
    "waiting",
    "in-compliance",
    "out-of-compliance",
    "overage",
    "evaluation",
    "evaluation-expired",
    "authorization-expired",
    "reservation-in-compliance",
    "invalid-tag",
    "disabled",
]
ENFORCEMENT_MODES: Final = get_args(EnforcementMode)
RegistrationState = Literal["not-registered", "in-progress", "complete", "retry", "failed"]
ReportState = Literal["open", "closed", "pending", "unacknowledged", "acknowledged"]
TransportType = Literal["callhome", "smart", "cslu", "off"]
Enforcement = Literal["unenforced", "enforced", "export"]
Term = Literal["perpetual", "subscription"]
Role = Literal["Active", "Standby", "Member"]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is shown."""


class Udi(Shown, frozen=True, kw_only=True):
    """As protocol.identity has it."""

    pid: str | None = None
    sn: str | None = None
    vid: str | None = None
    uuid: str | None = None
    suvi: str | None = None
    host_identifier: str | None = None
    mac_address: str | None = None

    def __str__(self) -> str:
        """As devices print it: `PID:C9300-24T,SN:FOC2705Y8X0`."""
        fields = (
            ("PID", self.pid),
            ("VID", self.vid),
            ("SN", self.sn),
            ("UUID", self.uuid),
            ("SUVI", self.suvi),
            ("HID", self.host_identifier),
            ("MAC", self.mac_address),
        )
        return ",".join(f"{label}:{value}" for label, value in fields if value)


class Attempt(Shown, frozen=True, kw_only=True):
    """The last try of something that repeats. `reason`: why it failed; None where it succeeded."""

    at: float
    reason: str | None = None


class Registering(Shown, frozen=True, kw_only=True):
    """`first`: the attempt that brought the registration or failed to; `renewal`: the last one since then."""

    state: RegistrationState = "not-registered"
    export_controlled_allowed: bool = False
    smart_account: str | None = None
    virtual_account: str | None = None
    started: float | None = None
    first: Attempt | None = None
    next_attempt: float | None = None
    renewal: Attempt | None = None
    next_renewal: float | None = None
    expires: float | None = None


class Authorization(Shown, frozen=True, kw_only=True):
    """`since`: when the server last said what the state is. `last`: the last attempt to ask it."""

    state: AuthorizationState = "none"
    since: float | None = None
    last: Attempt | None = None
    next_attempt: float | None = None
    deadline: float | None = None


class Evaluation(Shown, frozen=True, kw_only=True):
    """`remaining`: seconds of license usage."""

    remaining: float
    in_use: bool = False
    expired: bool = False
    expired_at: float | None = None


class License(Shown, frozen=True, kw_only=True):
    """A license in use. `name`: what people call it, from the tag where nobody gave a better one.

    `changed` and `asked`: when its status, and its count, last changed. `report`, `former_report`: ids of the
    usage reports that count it now, and before.
    """

    tag: str
    name: str
    count: int
    mode: EnforcementMode
    version: str = ""
    description: str | None = None
    enforcement: Enforcement = "unenforced"
    term: Term = "perpetual"
    changed: float | None = None
    asked: float | None = None
    report: int = 0
    former_report: int = 0


class Transport(Shown, frozen=True, kw_only=True):
    """`proxy`: host and port, without user and password."""

    type: TransportType = "callhome"
    url: str | None = None
    proxy: tuple[str, int] | None = None


class Privacy(Shown, frozen=True, kw_only=True):
    """What is withheld from messages."""

    hostname: bool = False
    version: bool = False


class Member(Shown, frozen=True, kw_only=True):
    """A unit of the device. `trusted`: when its trust code was installed; None: it has none."""

    role: Role = "Active"
    udi: Udi
    trusted: float | None = None


class Requirement(Shown, frozen=True, kw_only=True):
    """Days until the first report, between reports, and after a change; 0: none is asked for."""

    first: int = 0
    frequency: int = 0
    on_change: int = 0


class Policy(Shown, frozen=True, kw_only=True):
    """`installed`: when the server's policy came; None: it is Cisco's default."""

    name: str = "CISCO default"
    installed: float | None = None
    ack_required: bool = True
    perpetual: Requirement = Requirement(first=365, on_change=90)
    subscription: Requirement = Requirement(first=90, frequency=90, on_change=90)
    enforced: Requirement = Requirement()
    export: Requirement = Requirement()


class UsageReporting(Shown, frozen=True, kw_only=True):
    """`interval`: days between reports, 0 for none."""

    interval: int = 30
    last_ack: float | None = None
    next_ack_deadline: float | None = None
    next_ack_check: float | None = None
    next_push: float | None = None
    last_push: float | None = None
    last_file_write: float | None = None


class Report(Shown, frozen=True, kw_only=True):
    """A usage (RUM) report of one license."""

    id: int
    state: ReportState
    tag: str
    name: str
    count: int = 0
    start: float | None = None
    end: float | None = None


class Message(Shown, frozen=True, kw_only=True):
    """A message of the history. `kind`: a request type, or what was imported: POLICY, AUTH, TRUST CODE,
    RUM ACK, CONVERSION ACK, ACCOUNT INFO. `outcome`: the answer's status, or the code of what came instead.
    """

    at: float
    kind: str
    id: str = ""
    outcome: str
    imported: bool = False


class Event(Shown, frozen=True, kw_only=True):
    """A logged event: `AGENT_READY`, and what its line is filled with. `text`: the line, where it is no name
    of protocol.logs, which has the lines.
    """

    at: float
    name: str
    text: str | None = None
    fields: dict[str, str] = {}


class Statistic(Shown, frozen=True, kw_only=True):
    """How one kind of message fared. `failing`: failures in a row; `lost`: those of communication in them."""

    total: int = 0
    success: int = 0
    failing: int = 0
    lost: int = 0
    last_response: str | None = None
    last_response_at: float | None = None
    reason: str | None = None
    last_success: float | None = None
    last_failure: float | None = None


class Certificate(Shown, frozen=True, kw_only=True):
    """The ID certificate."""

    piid: str
    serial_number: str
    valid_from: float
    valid_until: float


class Model(Shown, frozen=True, kw_only=True):
    """`now`: the moment that it shows. `members`: the units of a device of several, the active first.

    `trusted_at`: when the trust code of a device alone was installed. `smart_account_at`: when the account
    was last heard. `statistics`: by request type.
    """

    now: float
    udi: Udi
    software_id: str
    evaluation: Evaluation
    registration: Registering = Registering()
    authorization: Authorization = Authorization()
    licenses: tuple[License, ...] = ()
    transport: Transport = Transport()
    privacy: Privacy = Privacy()
    agent_version: str = AGENT_VERSION
    message_version: str = "1.3"
    capabilities: tuple[str, ...] = CAPABILITIES
    hostname: str | None = None
    custom_id: str | None = None
    members: tuple[Member, ...] = ()
    trusted_at: float | None = None
    smart_account_at: float | None = None
    policy: Policy | None = None
    usage: UsageReporting = UsageReporting()
    reports: tuple[Report, ...] = ()
    purged_reports: int = 0
    messages: tuple[Message, ...] = ()
    events: tuple[Event, ...] = ()
    certificate: Certificate | None = None
    statistics: dict[str, Statistic] = {}

    @property
    def units(self) -> tuple[Member, ...]:
        """The members; a device alone is its only one."""
        return self.members or (Member(udi=self.udi, trusted=self.trusted_at),)

    @property
    def trusted(self) -> bool:
        """Whether a trust code is installed on every unit."""
        return all(unit.trusted is not None for unit in self.units)
