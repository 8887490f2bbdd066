"""The messages: what travels between a product instance and the server, and how it is wrapped and signed.

JSON in JSON in JSON, so that a signature covers exact bytes (protocol, "Messages on the Smart transport";
the two outer layers of a request are those of Cisco TechNote 217535). What is inside `request_data` and the
whole answer are modelled: no real ones are public.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, get_args

import msgspec

from smartlic_client.protocol.identity import Count, Tag, Udi
from smartlic_client.protocol.rum import Policy, RumReport

__all__ = [
    "Acknowledged",
    "Answer",
    "AnswerData",
    "AuthorizationRequest",
    "AuthorizationResult",
    "DeregistrationRequest",
    "EntitlementUse",
    "HelloRequest",
    "IdCertRenewalRequest",
    "IdCertRenewalResult",
    "LicenseUsageRequest",
    "LicenseUsageResult",
    "PollRequest",
    "RegistrationRequest",
    "RegistrationResult",
    "Request",
    "RequestData",
    "Result",
    "Sudi",
    "TrustRequest",
    "TrustResult",
    "UnknownRequest",
    "meaning",
]

MAX_MESSAGE: Final = 1024 * 1024
"""Bytes of one message, either way; a bigger one is refused unread."""

MAX_ENTITLEMENTS: Final = 1000
"""Different licenses that one product instance may use: they travel in one message."""

MAX_REPORTS: Final = 100
"""Usage reports of one message; more travel in the next one."""

VERSIONS: Final = ("1.3", "1.1")
"""What this release speaks, newest first; VERSION_TOO_HIGH takes one step down."""

PROTOCOL_VERSION: Final = VERSIONS[0]
CAPABILITIES: Final = ("UTILITY", "DLC", "AppHA", "MULTITIER", "EXPORT_2", "OK_TRY_AGAIN", "POLICY_USAGE")

# What a store and the other side can hold: 64 bits.
Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=255)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Nonce = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[0-9]+\Z")]


class Sudi(msgspec.Struct, frozen=True, kw_only=True):
    """The UDI as the header carries it; null where absent."""

    suvi: Text | None = None
    uuid: Text | None = None
    host_identifier: Text | None = None
    mac_address: Text | None = None
    udi_pid: Text | None = None
    udi_serial_number: Text | None = None
    udi_vid: Text | None = None

    @classmethod
    def of(cls, udi: Udi) -> Sudi:
        return cls(
            suvi=udi.suvi,
            uuid=udi.uuid,
            host_identifier=udi.host_identifier,
            mac_address=udi.mac_address,
            udi_pid=udi.pid,
            udi_serial_number=udi.sn,
            udi_vid=udi.vid,
        )

    def udi(self) -> Udi:
        return Udi(
            pid=self.udi_pid,
            sn=self.udi_serial_number,
            vid=self.udi_vid,
            uuid=self.uuid,
            suvi=self.suvi,
            host_identifier=self.host_identifier,
            mac_address=self.mac_address,
        )


class ConnectInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: Text = "C_agent"
    version: Text = "5.5.0_rel/1"
    production: bool = True
    additional_info: Text = ""
    capabilities: list[Text] = msgspec.field(default_factory=lambda: list(CAPABILITIES))


class RequestHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a request, its fields in the public order."""

    version: Text = PROTOCOL_VERSION
    locale: Text = "en_US.UTF-8"
    sudi: Sudi
    timestamp: Long = 0
    nonce: Nonce
    request_type: Text
    agent_actions: list[Text] | None = None
    connect_info: ConnectInfo = msgspec.field(default_factory=ConnectInfo)
    product_instance_identifier: Text
    id_cert_serial_number: Text | None = None
    signing_cert_serial_number: Text | None = None


class RequestData(msgspec.Struct, frozen=True, kw_only=True, tag_field="request_type"):
    """What every request says: the meaning (all but `timestamp` and `nonce`) stays the same in a retry.

    `timestamp`: Unix milliseconds at sending. `sequence`: rises strictly with each new message.
    """

    timestamp: Long = 0
    nonce: Nonce = "0"
    message_id: Id
    sequence: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    software_tag_identifier: Tag
    hostname: Text | None = None
    custom_id: Text | None = None


class RegistrationRequest(RequestData, frozen=True, kw_only=True, tag="REGISTRATION"):
    id_token: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    csr: Annotated[str, msgspec.Meta(max_length=8192)]
    force: bool = False

    def __repr__(self) -> str:
        return f"RegistrationRequest(message_id={self.message_id!r}, id_token=secret)"


class EntitlementUse(msgspec.Struct, frozen=True, kw_only=True):
    """One license in use with its absolute count."""

    tag: Tag
    count: Count


class AuthorizationRequest(RequestData, frozen=True, kw_only=True, tag="AUTHORIZATION"):
    entitlements: Annotated[list[EntitlementUse], msgspec.Meta(max_length=MAX_ENTITLEMENTS)]


class DeregistrationRequest(RequestData, frozen=True, kw_only=True, tag="DEREGISTRATION"):
    pass


class HelloRequest(RequestData, frozen=True, kw_only=True, tag="HELLO"):
    pass


class IdCertRenewalRequest(RequestData, frozen=True, kw_only=True, tag="ID_CERT_RENEWAL"):
    """`csr`: for the key of the ID certificate that is renewed, so that a repeat is signed by a known key."""

    csr: Annotated[str, msgspec.Meta(max_length=8192)]


class LicenseUsageRequest(RequestData, frozen=True, kw_only=True, tag="LICENSE_USAGE"):
    """Closed usage reports; they never change once they are closed."""

    reports: Annotated[list[RumReport], msgspec.Meta(max_length=MAX_REPORTS)]


class TrustRequest(RequestData, frozen=True, kw_only=True, tag="TRUST"):
    """Asks for a trust code. As in a registration, the message is known and signed by the key of `csr`."""

    id_token: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    csr: Annotated[str, msgspec.Meta(max_length=8192)]
    force: bool = False

    def __repr__(self) -> str:
        return f"TrustRequest(message_id={self.message_id!r}, id_token=secret)"


class PollRequest(RequestData, frozen=True, kw_only=True, tag="POLL"):
    """Asks for the answer to the message that got OK_POLL: `message_id` and `sequence` are those of it."""

    poll_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


Request = (
    RegistrationRequest
    | AuthorizationRequest
    | DeregistrationRequest
    | HelloRequest
    | IdCertRenewalRequest
    | LicenseUsageRequest
    | TrustRequest
    | PollRequest
)


class UnknownRequest(RequestData, frozen=True, kw_only=True, tag=False):
    """A request of a type that this release does not know: what every request says can be read."""

    request_type: Text


def request_type(request: RequestData) -> str:
    """The wire's name of a request, such as "REGISTRATION"."""
    if (known := _TYPES.get(type(request))) is not None:
        return known
    if isinstance(request, UnknownRequest):
        return request.request_type
    raise TypeError(f"{type(request).__name__} is no request")


_TYPES = {kind: str(kind.__struct_config__.tag) for kind in get_args(Request)}


def meaning(request: RequestData) -> str:
    """A digest of what a message means: equal in every repeat of it, whatever the nonce and the time."""
    plain = msgspec.structs.replace(request, timestamp=0, nonce="0")
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()


# ---- answers ----------------------------------------------------------------------------------------------
class Enforced(msgspec.Struct, frozen=True, kw_only=True):
    tag: Tag
    enforcement_mode: Text


class RegistrationResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="registration"):
    """`id_certificate`, `id_certificate_chain`: base64 DER, the chain without the root."""

    product_instance_identifier: Id
    id_certificate: str
    id_certificate_chain: list[str]
    smart_account: str
    virtual_account: str
    export_controlled_allowed: bool


class AuthorizationResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="authorization"):
    entitlements: list[Enforced]
    renewal_interval_seconds: Long
    expiry_interval_seconds: Long


class IdCertRenewalResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="id-certificate"):
    """The new ID certificate, in the form of a registration's."""

    id_certificate: str
    id_certificate_chain: list[str]


class LicenseUsageResult(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="usage-acknowledged"
):
    """Each report that the server has; a policy only where it is a new one. `device`: whose reports they are
    (`identity.device_digest`, hex), in an acknowledgement that is carried as a file."""

    report_ids: list[Id]
    policy: Policy | None = None
    device: str | None = None


class TrustResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="trust"):
    """What a registration brings, and the trust code and policy of Smart Licensing Using Policy."""

    product_instance_identifier: Id
    id_certificate: str
    id_certificate_chain: list[str]
    smart_account: str
    virtual_account: str
    trust_code: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    policy: Policy | None = None
    export_controlled_allowed: bool = False


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="acknowledged"):
    pass


Result = (
    RegistrationResult
    | AuthorizationResult
    | Acknowledged
    | IdCertRenewalResult
    | LicenseUsageResult
    | TrustResult
)


class AnswerHeader(msgspec.Struct, frozen=True, kw_only=True):
    version: Text = PROTOCOL_VERSION
    locale: Text = "en_US.UTF-8"
    timestamp: Long = 0
    nonce: Nonce
    request_type: Text
    product_instance_identifier: Text


class AnswerData(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: OK, COMPLETE, FAILED, OK_POLL, OK_TRY_AGAIN, VERSION_TOO_HIGH. `code`: ours, of a refusal."""

    timestamp: Long
    nonce: Nonce
    message_id: Text
    status: Text
    status_code: Long = 0
    status_message: str = ""
    code: str | None = None
    retry_time_seconds: Long | None = None
    poll_id: str | None = None
    data: Result | None = None


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    type: Text = "SHA-256"
    value: str = ""
    certificates: list[str] | msgspec.UnsetType = msgspec.UNSET


class RequestEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    signature: Signature
    credential: Any = None
    request: str


class RequestBody(msgspec.Struct, frozen=True, kw_only=True):
    header: RequestHeader
    nonce: Nonce
    request_data: str


class AnswerEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    signature: Signature
    response: str


class AnswerBody(msgspec.Struct, frozen=True, kw_only=True):
    header: AnswerHeader
    nonce: Nonce
    response_data: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's two inner layers, read and in agreement with each other."""

    header: AnswerHeader
    data: AnswerData
