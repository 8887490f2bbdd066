"""Usage (RUM) reports and policies of Smart Licensing Using Policy (protocol, "Usage reports").

A report has the form of the public sample: times are Unix seconds, counts are strings. Beside it, what a
report is acknowledged with.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

__all__ = ["CISCO_DEFAULT", "Measurement", "Policy", "Reporting", "RumReport", "RumState"]

Text = Annotated[str, msgspec.Meta(max_length=255)]
Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class RumState(StrEnum):
    """Public names (rum-report-state-enum)."""

    OPEN = "open"
    CLOSED = "closed"
    PENDING = "pending"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"


class Value(msgspec.Struct, frozen=True, kw_only=True):
    type: Text = "COUNT"
    value: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}\Z")]


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One count over one span of time."""

    log_time: Moment
    metric_name: Text = "ENTITLEMENT"
    start_time: Moment
    end_time: Moment
    sample_interval: Moment
    num_samples: Moment
    meta: dict[str, Any] = msgspec.field(default_factory=dict)
    value: Value


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    name: Text


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    sudi: dict[Text, Text]


class AssetIdentification(msgspec.Struct, frozen=True, kw_only=True):
    report_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    asset: Asset
    instance: Instance


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    entitlement_tag: Text
    software_version: Text | None = None
    ha_udi: list[dict[Text, Text]] = msgspec.field(default_factory=list)
    report_type: Text = "ENTITLEMENT"


class ReportSignature(msgspec.Struct, frozen=True, kw_only=True):
    """Over the report's bytes without its signature, with the device's key; null before it has one."""

    type: Text = "SHA-256"
    key: Text | None = None
    value: str = ""


class RumReport(msgspec.Struct, frozen=True, kw_only=True):
    version: Text = "2.0"
    asset_identification: AssetIdentification
    meta: Meta
    measurements: Annotated[list[Measurement], msgspec.Meta(max_length=1000)]
    signature: ReportSignature | None = None


class Reporting(msgspec.Struct, frozen=True, kw_only=True):
    """Days until the first report, between reports, and after a change; 0: no report is asked for."""

    first: Days = 0
    frequency: Days = 0
    on_change: Days = 0


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a device has to report, by the kind of its licenses."""

    name: Text
    acknowledgement_required: bool = True
    unenforced_perpetual: Reporting = Reporting()
    unenforced_subscription: Reporting = Reporting()
    enforced: Reporting = Reporting()
    export: Reporting = Reporting()


# As devices print it (protocol, "Policy").
CISCO_DEFAULT: Final = Policy(
    name="CISCO default",
    unenforced_perpetual=Reporting(first=365, frequency=0, on_change=90),
    unenforced_subscription=Reporting(first=90, frequency=90, on_change=90),
)
