"""AUTHORIZATION and LICENSE_USAGE: what an instance uses, by counts or by usage reports.

A usage report is kept once by PIID and report id, and never changes: another one under the same id is not
acknowledged. Licenses of Smart Licensing Using Policy are unenforced, so usage is counted and never refused.
What an instance uses of an entitlement is the measurement that ended last; where its report was closed later
than it ended, the license is no longer in use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from mock_server.domain import events, licenses
from mock_server.domain.decisions import Decision, kept
from mock_server.domain.state import Instance, Mode, State, UsageReport, pool_key, report_key
from smartlic_client.protocol import errors
from smartlic_client.protocol.identity import MAX_COUNT
from smartlic_client.protocol.messages import (
    AuthorizationRequest,
    AuthorizationResult,
    Enforced,
    LicenseUsageRequest,
    LicenseUsageResult,
)
from smartlic_client.protocol.rum import RumReport

__all__ = ["authorization", "counted", "license_usage", "take"]

RENEWAL_SECONDS: Final = 30 * 86400
EXPIRY_SECONDS: Final = 90 * 86400


# ---- AUTHORIZATION ----------------------------------------------------------------------------------------
def authorization(state: State, data: AuthorizationRequest, instance: Instance, now: float) -> Decision:
    if instance.mode is not Mode.REGISTERED:
        return Decision(piid=instance.piid, problem=errors.OTHER_MODE)
    usage: dict[str, int] = {}
    for used in data.entitlements:
        if used.tag in usage:
            return Decision(piid=instance.piid, problem=errors.MESSAGE_MALFORMED)
        usage[used.tag] = used.count
    result = AuthorizationResult(
        entitlements=[
            Enforced(tag=tag, enforcement_mode=_mode(state, instance, tag, count, now))
            for tag, count in usage.items()
        ],
        renewal_interval_seconds=RENEWAL_SECONDS,
        expiry_interval_seconds=EXPIRY_SECONDS,
    )
    in_use = {tag: count for tag, count in usage.items() if count}
    event = events.UsageReported(piid=instance.piid, usage=in_use, last=kept(data, result))
    return Decision(piid=instance.piid, by=instance.name, events=[event], result=result)


def _mode(state: State, instance: Instance, tag: str, count: int, now: float) -> str:
    """By the lots that count now. An entitlement that the whole account never had is none."""
    pool = state.pools.get(pool_key(instance.account, instance.virtual_account, tag))
    if pool is None:
        if not licenses.knows(state, state.accounts[instance.account], tag):
            return "invalid-tag"
        return "out-of-compliance" if count else "in-compliance"
    others = pool.in_use - instance.usage.get(tag, 0)
    if others + count <= licenses.standing(pool, now).purchased:
        return "in-compliance"
    return "overage" if pool.overage_allowed else "out-of-compliance"


# ---- LICENSE_USAGE ----------------------------------------------------------------------------------------
def license_usage(state: State, data: LicenseUsageRequest, instance: Instance, now: float) -> Decision:
    if instance.mode is not Mode.POLICY:
        return Decision(piid=instance.piid, problem=errors.OTHER_MODE)
    taken, acknowledged = take(state, instance.piid, data.reports, now)
    usage, measured = counted(instance, taken)
    policy = state.accounts[instance.account].policy
    result = LicenseUsageResult(report_ids=acknowledged, policy=policy if policy != instance.policy else None)
    event = events.ReportsTaken(
        piid=instance.piid,
        reports=taken,
        usage=usage,
        measured=measured,
        last=kept(data, result),
    )
    return Decision(piid=instance.piid, by=instance.name, events=[event], result=result)


def take(
    state: State, piid: str, reports: Iterable[RumReport], now: float
) -> tuple[list[UsageReport], list[str]]:
    """The reports that are new, and the ids of all that the server has then, as they are."""
    taken: dict[str, UsageReport] = {}
    acknowledged: dict[str, None] = {}
    for report in reports:
        read = _read(piid, report, now)
        there = state.reports.get(report_key(piid, read.report_id)) or taken.get(read.report_id)
        if there is None:
            taken[read.report_id] = read
        if there is None or there.digest == read.digest:
            acknowledged[read.report_id] = None
    return list(taken.values()), list(acknowledged)


def _read(piid: str, report: RumReport, now: float) -> UsageReport:
    """What is kept of a report. Counts are bounded, so that no sum of them outgrows the journal's form."""
    spans = report.measurements
    last = max(spans, key=lambda span: span.end_time, default=None)
    in_use = last is not None and last.end_time >= last.log_time
    return UsageReport(
        piid=piid,
        report_id=report.asset_identification.report_id,
        tag=report.meta.entitlement_tag,
        digest=hashlib.sha256(msgspec.json.encode(report)).hexdigest(),
        taken_at=now,
        start=min((span.start_time for span in spans), default=0),
        end=last.end_time if last is not None else 0,
        highest=max((min(int(span.value.value), MAX_COUNT) for span in spans), default=0),
        count=min(int(last.value.value), MAX_COUNT) if last is not None and in_use else 0,
    )


def counted(instance: Instance, taken: Iterable[UsageReport]) -> tuple[dict[str, int], dict[str, int]]:
    """Usage, and the end of the measurement that it is by, of each tag. An older report changes neither."""
    usage, measured = dict(instance.usage), dict(instance.measured)
    for report in taken:
        if report.end < measured.get(report.tag, 1):
            continue
        measured[report.tag] = report.end
        usage[report.tag] = report.count
    return {tag: count for tag, count in usage.items() if count}, measured
