"""What calls send and what answers have, as structs: reading and the OpenAPI document come from them.

`x-schema`: what the OpenAPI document says of a field instead, where more is read than the type can say.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from mock_server.domain.alerts import Severity

__all__ = [
    "SUCCESS",
    "AccessTokenRequest",
    "Accounts",
    "Alert",
    "Alerts",
    "Bearer",
    "Device",
    "DeviceTransfer",
    "Devices",
    "DevicesToRemove",
    "DevicesToTransfer",
    "Done",
    "Failure",
    "IdToken",
    "IdTokens",
    "License",
    "LicenseDetail",
    "LicenseTransfer",
    "LicenseUsage",
    "Licenses",
    "LicensesToTransfer",
    "LocalAccount",
    "NewIdToken",
    "NewIdTokenRequest",
    "NewVirtualAccount",
    "Nothing",
    "OneDevice",
    "Page",
    "Search",
    "Subscription",
    "Subscriptions",
    "Sudi",
    "TokensToRevoke",
    "VirtualAccount",
    "VirtualAccounts",
    "VirtualAccountsPage",
]

SUCCESS: Final = "SUCCESS"


class _Wire(msgspec.Struct, kw_only=True, rename="camel"):
    """Names of the API."""


def _schema(*kinds: dict[str, Any], null: bool = True, **more: Any) -> Meta:
    every = [*kinds, {"type": "null"}] if null else list(kinds)
    return Meta(extra_json_schema={"x-schema": {"anyOf": every, **more}})


# What is printable beyond these is a table of Unicode, and not said here.
_INNER, _OUTER = r"[^\x00-\x1f\x7f-\x9f]", r"[^\x00-\x20\x7f-\xa0]"
_NAME: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "pattern": f"^{_OUTER}({_INNER}*{_OUTER})?$",
}
_SAID: Final = {"type": "string", "minLength": 1, "pattern": r"\S"}
_NAMES: Final = {"type": "array", "items": {"type": "string"}}

Limit = Annotated[
    int,
    Meta(ge=-1),
    _schema(
        {"type": "integer", "minimum": -1},
        {"type": "string", "pattern": r"^(-1|[0-9]{1,9})?$"},
        description="So many of them; -1 for all, which are streamed.",
    ),
]
Offset = Annotated[
    int,
    Meta(ge=0),
    _schema(
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^([0-9]{1,9})?$"},
        description="Leave out so many before them.",
    ),
]
Days = Annotated[
    float,
    _schema(
        {"type": "number", "minimum": 1, "maximum": 365},
        {"type": "string", "pattern": r"^([1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-5])?$"},
        description="1 to 365; 30 if it is missing or empty.",
    ),
]
Uses = Annotated[
    int,
    _schema(
        {"type": "integer", "minimum": 1, "maximum": 100_000},
        {"type": "string", "pattern": r"^([1-9][0-9]{0,4})?$"},
        description="1 to 100,000; any number of uses if it is missing or empty.",
    ),
]
Quantity = Annotated[
    int,
    _schema(
        {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
        {"type": "string", "pattern": r"^[1-9][0-9]{0,8}$"},
        null=False,
    ),
]
Text = Annotated[str, Meta(max_length=255), _schema({"type": "string", "maxLength": 255})]
Name = Annotated[str, _schema(_NAME, null=False)]
AnyText = Annotated[str, _schema({"type": "string"})]
Names = Annotated[
    list[str],
    _schema(_NAMES, {"type": "string"}, description="Virtual accounts, by name; missing or empty: all."),
]
Allowed = Annotated[
    Literal["Allowed", "Not Allowed"],
    _schema({"enum": ["Allowed", "Not Allowed", ""]}, {"type": "boolean"}),
]


# ---- what calls send --------------------------------------------------------------------------------------
class Nothing(_Wire, kw_only=True):
    """Whatever is sent is not looked at."""


class AccessTokenRequest(_Wire, rename=None, kw_only=True):
    grant_type: Annotated[str, _schema({"enum": ["client_credentials", "password"]}, null=False)]
    client_id: AnyText = ""
    client_secret: AnyText = ""
    username: AnyText = ""
    password: AnyText = ""

    def __repr__(self) -> str:
        return f"AccessTokenRequest({self.grant_type!r}, secrets=…)"


class Page(_Wire, kw_only=True):
    limit: Limit = 50
    offset: Offset = 0


class VirtualAccountsPage(Page, kw_only=True):
    virtual_accounts: Names = []


class Search(_Wire, kw_only=True):
    domain: Annotated[str, _schema({"type": "string"}, description="A part of the account's domain.")] = ""


class NewVirtualAccount(_Wire, kw_only=True):
    name: Name
    description: Text = ""


class NewIdTokenRequest(_Wire, kw_only=True):
    description: Text = ""
    expires_after_days: Days = 30.0
    export_controlled: Allowed = "Not Allowed"
    number_of_uses: Uses | None = None


class TokensToRevoke(_Wire, kw_only=True):
    """Whole tokens, or the `tokenId` of each."""

    tokens: Annotated[
        list[str],
        Meta(min_length=1),
        _schema({"type": "array", "items": _SAID, "minItems": 1}, _SAID, null=False),
    ]


class LicenseTransfer(_Wire, kw_only=True):
    """`license`: its name, or its entitlement tag. `precedence` is not looked at."""

    license: Annotated[str, _schema(_SAID, null=False)]
    quantity: Quantity
    target_virtual_account: Annotated[str, _schema(_SAID, null=False)]
    license_type: Annotated[
        Literal["PERPETUAL", "TERM"] | None, _schema({"enum": ["PERPETUAL", "TERM", ""]})
    ] = None


class LicensesToTransfer(_Wire, kw_only=True):
    licenses: Annotated[list[LicenseTransfer], Meta(min_length=1)]


class Sudi(_Wire, kw_only=True):
    """Who a product instance is. What is null or missing is not compared."""

    suvi: AnyText | None = None
    uuid: AnyText | None = None
    host_identifier: AnyText | None = None
    udi_pid: AnyText | None = None
    udi_serial_number: AnyText | None = None
    udi_vid: AnyText | None = None
    mac_address: AnyText | None = None


class OneDevice(_Wire, kw_only=True):
    sudi: Sudi
    product_tag_name: AnyText = ""


class DeviceTransfer(OneDevice, kw_only=True):
    target_virtual_account: Annotated[str, _schema(_SAID, null=False)]


class DevicesToTransfer(_Wire, kw_only=True):
    product_instances: Annotated[list[DeviceTransfer], Meta(min_length=1)]


class DevicesToRemove(_Wire, kw_only=True):
    product_instances: Annotated[list[OneDevice], Meta(min_length=1)]


# ---- what answers have ------------------------------------------------------------------------------------
class Failure(_Wire, kw_only=True):
    """`mend`: what to do. `error`: of POST /oauth/token, by RFC 6749."""

    status: Literal["ERROR"]
    status_message: str
    code: str
    mend: str
    error: str | msgspec.UnsetType = msgspec.UNSET


class Done(_Wire, kw_only=True):
    status: Literal["SUCCESS"] = SUCCESS
    status_message: str = ""


class Bearer(_Wire, rename=None, kw_only=True):
    """`expires_in`: seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of RFC 6750
    expires_in: int

    def __repr__(self) -> str:
        return f"Bearer(expires_in={self.expires_in})"


class VirtualAccount(_Wire, kw_only=True):
    name: str
    description: str
    is_default: Literal["true", "false"]
    commerce_access_level: str


class VirtualAccounts(Done, kw_only=True):
    virtual_accounts: list[VirtualAccount]


class LocalAccount(_Wire, rename=None, kw_only=True):
    """The ids are numbers that are made from the names, and stay the same."""

    name: str
    domain: str
    account_id: str
    cslu_tenant_url: str
    cssm_smart_account_id: str
    cssm_smart_account_name: str
    cssm_virtual_account_name: str
    virtual_accounts: list[VirtualAccount]
    status: str
    last_synchronization: str | None


class Accounts(Done, kw_only=True):
    accounts: list[LocalAccount]


class IdToken(_Wire, kw_only=True):
    """`token` is empty unless the server keeps tokens whole."""

    token: str
    token_id: str
    description: str
    expiration_date: str
    export_controlled: Literal["Allowed", "Not Allowed"]
    used_count: int
    number_of_uses: int | None
    created_by: str
    status: str


class IdTokens(Done, kw_only=True):
    tokens: list[IdToken]


class NewIdToken(Done, kw_only=True):
    token_info: IdToken


class LicenseDetail(_Wire, kw_only=True):
    """`subscriptionId`: the lot's id."""

    license_type: Literal["PERPETUAL", "TERM"]
    quantity: int
    start_date: str | None
    end_date: str | None
    subscription_id: str
    status: Literal["ACTIVE", "FUTURE", "EXPIRED"]


class License(_Wire, kw_only=True):
    """A license in one virtual account. `available`: what is not in use, 0 where there is a shortage."""

    license: str
    virtual_account: str
    quantity: int
    in_use: int
    available: int
    reserved: int
    pending_quantity: int
    status: Literal["In Compliance", "Out Of Compliance"]
    billing_type: Literal["PREPAID", "USAGE"]
    is_portable: bool
    aha_apps: bool
    license_details: list[LicenseDetail]
    license_substitutions: list[str]
    entitlement_tag: str


class Licenses(Done, kw_only=True):
    total_records: int
    licenses: list[License]


class Subscription(LicenseDetail, kw_only=True):
    license: str
    virtual_account: str


class Subscriptions(Done, kw_only=True):
    total_records: int
    license_subscriptions: list[Subscription]


class LicenseUsage(_Wire, kw_only=True):
    license: str
    quantity: int


class Device(_Wire, kw_only=True):
    """`productTagName`: the software id. `status`: of the licenses that it uses."""

    display_name: str
    instance_name: str
    host_name: str
    sudi: Sudi
    product_tag_name: str
    product_type: str
    virtual_account: str
    status: Literal["In Compliance", "Out Of Compliance"]
    registration_date: str
    last_contact_date: str
    license_usage: list[LicenseUsage]


class Devices(Done, kw_only=True):
    total_records: int
    devices: list[Device]


class Alert(_Wire, kw_only=True):
    """`actionDue`: a time, `Now`, or null where nothing has to be done by a time."""

    message_type: str
    message: str
    severity: Severity
    source: str
    source_type: str
    action_due: str | None


class Alerts(Done, kw_only=True):
    total_records: int
    alerts: list[Alert]
