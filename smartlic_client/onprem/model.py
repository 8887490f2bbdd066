"""What the REST API answers, with names of Python; `rename` has the wire's.

A field that an answer leaves out, or has as null, has the default here. Times are texts, as the server writes
them: no form of them is documented.
"""

from __future__ import annotations

import msgspec

from smartlic_client.onprem.secret import Secret

__all__ = [
    "Account",
    "Alert",
    "Device",
    "Done",
    "License",
    "LicenseDetail",
    "LicenseTransfer",
    "LicenseUsage",
    "NewToken",
    "Secret",
    "Subscription",
    "Sudi",
    "Token",
    "VirtualAccount",
]


class _Answered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all of them have in common."""


class VirtualAccount(_Answered, frozen=True, kw_only=True):
    """A local virtual account."""

    name: str = ""
    description: str = ""
    is_default: bool = False
    commerce_access_level: str = ""


class Account(_Answered, frozen=True, kw_only=True, rename=None):
    """A local account. `domain` is what the other routes call it by where it differs from `name`."""

    name: str = ""
    domain: str = ""
    account_id: str = ""
    cslu_tenant_url: str = ""
    cssm_smart_account_id: str = ""
    cssm_smart_account_name: str = ""
    cssm_virtual_account_name: str = ""
    virtual_accounts: list[VirtualAccount] = []
    status: str = ""
    last_synchronization: str = ""


class Token(_Answered, frozen=True, kw_only=True):
    """An ID token in a list. `token` is empty where the server does not show it again."""

    token: Secret = Secret("")
    token_id: str = ""
    status: str = ""
    description: str = ""
    expiration_date: str = ""
    export_controlled: str = ""
    number_of_uses: int = 0
    used_count: int = 0
    created_by: str = ""


class NewToken(Token, frozen=True, kw_only=True):
    """An ID token that was made just now: give `token.reveal()` to a product."""


class LicenseDetail(_Answered, frozen=True, kw_only=True):
    """A part of a license with a term of its own."""

    license_type: str = ""
    quantity: int = 0
    start_date: str = ""
    end_date: str = ""
    subscription_id: str = ""
    status: str = ""


class License(_Answered, frozen=True, kw_only=True):
    """A license in a virtual account. Of a shortage `quantity` and `in_use` tell, and `status`."""

    license: str = ""
    entitlement_tag: str = ""
    virtual_account: str = ""
    quantity: int = 0
    in_use: int = 0
    available: int = 0
    reserved: int = 0
    pending_quantity: int = 0
    status: str = ""
    billing_type: str = ""
    is_portable: bool = False
    license_details: list[LicenseDetail] = []


class Subscription(_Answered, frozen=True, kw_only=True):
    """A license that was bought for a term."""

    subscription_id: str = ""
    license: str = ""
    virtual_account: str = ""
    license_type: str = ""
    quantity: int = 0
    start_date: str = ""
    end_date: str = ""
    status: str = ""


class Sudi(_Answered, frozen=True, kw_only=True, omit_defaults=True):
    """How a product instance names itself."""

    suvi: str = ""
    uuid: str = ""
    host_identifier: str = ""
    udi_pid: str = ""
    udi_serial_number: str = ""
    udi_vid: str = ""
    mac_address: str = ""


class LicenseUsage(_Answered, frozen=True, kw_only=True):
    license: str = ""
    quantity: int = 0


class Device(_Answered, frozen=True, kw_only=True):
    """A product instance. By `sudi` and `product_tag_name` it is transferred and removed."""

    display_name: str = ""
    instance_name: str = ""
    host_name: str = ""
    sudi: Sudi = Sudi()
    product_tag_name: str = ""
    product_type: str = ""
    virtual_account: str = ""
    status: str = ""
    registration_date: str = ""
    last_contact_date: str = ""
    license_usage: list[LicenseUsage] = []


class Alert(_Answered, frozen=True, kw_only=True):
    """What wants attention. `severity`: Major, Minor or Informational."""

    message_type: str = ""
    message: str = ""
    severity: str = ""
    source: str = ""
    source_type: str = ""
    action_due: str = ""


class Done(_Answered, frozen=True, kw_only=True):
    """What the server says of a change that it made. `message` may be empty."""

    status: str = "SUCCESS"
    message: str = msgspec.field(name="statusMessage", default="")


class LicenseTransfer(_Answered, frozen=True, kw_only=True):
    """What to move to another virtual account. `license_type`: PERPETUAL or TERM."""

    license: str
    target_virtual_account: str
    quantity: int
    license_type: str = "PERPETUAL"
    precedence: str = ""
