"""Smart Licensing Using Policy on the device's side: usage reports, their states, policy and trust code.

1. Whatever is in use is measured: each count is a span of time in the report of its license that is open.
2. A report is closed after its interval, or earlier where the policy wants it, signed where there is a trust
   code, and never changed again: the text that was signed is what is kept, sent and saved.
3. It is kept until it is acknowledged; an acknowledgement names it by its id.
4. Nothing here stops a license from being used: licenses are unenforced.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from smartlic_client.protocol import signing, timers, usage_file
from smartlic_client.protocol.machine import Machine
from smartlic_client.protocol.messages import MAX_REPORTS, LicenseUsageResult
from smartlic_client.protocol.record import KeptReport, OpenReport, Record, Span, Usage
from smartlic_client.protocol.rum import (
    Asset,
    AssetIdentification,
    Instance,
    Measurement,
    Meta,
    Policy,
    Reporting,
    ReportSignature,
    RumReport,
    RumState,
    Value,
)
from smartlic_client.protocol.states import Step

__all__ = ["REPORT", "ReportEvent", "saved_reports"]

MAX_ACKNOWLEDGED: Final = 8


class ReportEvent(StrEnum):
    CLOSED = "interval over"
    SENT = "sent"
    SAVED = "saved to a file"
    ACKNOWLEDGED = "acknowledged"


_S, _E = RumState, ReportEvent

REPORT: Final[Mapping[tuple[RumState, ReportEvent], Step[RumState]]] = {
    (_S.OPEN, _E.CLOSED): Step(_S.CLOSED),
    (_S.CLOSED, _E.SENT): Step(_S.PENDING),
    (_S.CLOSED, _E.SAVED): Step(_S.UNACKNOWLEDGED),
    (_S.CLOSED, _E.ACKNOWLEDGED): Step(_S.ACKNOWLEDGED),
    (_S.PENDING, _E.SENT): Step(_S.PENDING),
    (_S.PENDING, _E.SAVED): Step(_S.PENDING),
    (_S.PENDING, _E.ACKNOWLEDGED): Step(_S.ACKNOWLEDGED),
    (_S.UNACKNOWLEDGED, _E.SENT): Step(_S.PENDING),
    (_S.UNACKNOWLEDGED, _E.SAVED): Step(_S.UNACKNOWLEDGED),
    (_S.UNACKNOWLEDGED, _E.ACKNOWLEDGED): Step(_S.ACKNOWLEDGED),
    (_S.ACKNOWLEDGED, _E.ACKNOWLEDGED): Step(_S.ACKNOWLEDGED),
}


def step(report: KeptReport, event: ReportEvent) -> None:
    report.state = REPORT[report.state, event].state


# ---- policy -----------------------------------------------------------------------------------------------
def start(machine: Machine, interval_days: int, now: float) -> None:
    """Smart Licensing Using Policy from now on; what is in use already is measured from now on."""
    record = machine.record
    record.usage = Usage(interval_days=interval_days, close_at=now + interval_days * timers.DAY)
    record.to_report = False
    for tag, one in record.entitlements.items():
        one.enforcement_mode = "disabled"
        used(machine, tag, one.count, now)


def _reportings(record: Record, policy: Policy) -> list[Reporting]:
    """What the policy wants for the kinds of licenses that are in use."""
    kinds = {used.kind for used in record.entitlements.values() if used.count}
    return [getattr(policy, kind.replace("-", "_")) for kind in sorted(kinds)]


def _require(machine: Machine, now: float, days: int) -> None:
    """An acknowledgement is needed in so many days, if not before."""
    usage = machine.record.usage
    if usage is None or not days:
        return
    at = now + days * timers.DAY
    if usage.required_at is None or at < usage.required_at:
        usage.required_at, usage.warned = at, timers.warning_due(days * timers.DAY, None)
        usage.close_at = min(usage.close_at, at)
        machine.log("REPORTING_REQUIRED", now, days=str(days))


def take_policy(machine: Machine, policy: Policy, now: float) -> None:
    usage = machine.record.usage
    if usage is not None and policy != usage.policy:
        usage.policy, usage.policy_installed_at = policy, now
        machine.log("POLICY_INSTALL_SUCCESS", now)


# ---- measuring (rule 1) -----------------------------------------------------------------------------------
def used(machine: Machine, tag: str, count: int, now: float) -> None:
    """`tag` is used `count` times from now on."""
    record = machine.record
    usage = record.usage
    if usage is None:
        raise RuntimeError("usage is not measured")
    report = usage.open.get(tag)
    if report is None:
        report = usage.open[tag] = _opened(usage, now, 0)
    end_span(report, now)
    report.count, report.since = count, now
    reportings = _reportings(record, usage.policy)
    never = usage.acknowledged_at is None
    for days in (one.first if never and one.first else one.on_change for one in reportings):
        _require(machine, now, days)


def _opened(usage: Usage, now: float, count: int) -> OpenReport:
    """A new report. Its id is a number, as in the public sample, and is never given twice."""
    usage.numbered += 1
    report_id = f"{max(0, int(now)):010d}{usage.numbered:06d}"
    return OpenReport(report_id=report_id, opened_at=now, since=now, count=count)


def end_span(report: OpenReport, now: float) -> None:
    """Close the span that runs; one of no length is none."""
    if report.count and now > report.since:
        report.spans.append(Span(report.since, now, report.count))
    report.since = now


def close_all(machine: Machine, now: float) -> None:
    """Rule 2: what is open is closed; what is still in use goes on in a new report."""
    record = machine.record
    usage = record.usage
    if usage is None:
        return
    opened = usage.open
    usage.open = {}
    for tag, report in opened.items():
        end_span(report, now)
        if report.spans:
            kept = KeptReport(report_id=report.report_id, tag=tag, state=RumState.OPEN, closed_at=now)
            kept.text = _sealed(record, tag, report, now)
            step(kept, ReportEvent.CLOSED)
            usage.reports.append(kept)
        if report.count:
            usage.open[tag] = _opened(usage, now, report.count)
    usage.close_at = now + usage.interval_days * timers.DAY
    enqueue(usage, now)


def enqueue(usage: Usage, now: float) -> None:
    """Mean to send everything that is not acknowledged, oldest first, where there is a trust code."""
    waiting = [kept.report_id for kept in usage.reports if kept.state is not RumState.ACKNOWLEDGED]
    if usage.identity is not None and waiting:
        usage.queue, usage.reporting.next = waiting, now


def _sealed(record: Record, tag: str, report: OpenReport, now: float) -> str:
    """The report as it stays: JSON, signed with the key of the trust code where there is one."""
    made = RumReport(
        asset_identification=AssetIdentification(
            report_id=report.report_id,
            asset=Asset(name=record.software_id),
            instance=Instance(sudi=usage_file.sudi_of(record.udi)),
        ),
        meta=Meta(
            entitlement_tag=tag,
            software_version=None if record.version_private else record.software_version,
            ha_udi=[usage_file.sudi_of(record.udi)],
        ),
        measurements=[
            Measurement(
                log_time=int(now),
                start_time=int(span.start),
                end_time=int(span.end),
                sample_interval=int(timers.SAMPLE),
                num_samples=int((span.end - span.start) // timers.SAMPLE),
                value=Value(value=str(span.count)),
            )
            for span in report.spans[-1000:]
        ],
    )
    identity = record.usage.identity if record.usage is not None else None
    if identity is not None:
        value = signing.sign(signing.load_key(identity.key), msgspec.json.encode(made))
        made = msgspec.structs.replace(
            made, signature=ReportSignature(key=identity.serial_number, value=value)
        )
    return msgspec.json.encode(made).decode()


# ---- sending and saving (rule 3) --------------------------------------------------------------------------
def to_send(record: Record) -> list[RumReport]:
    """The next message's reports; they are pending with it."""
    usage = record.usage
    if usage is None or usage.identity is None or not usage.queue:
        return []
    named, usage.queue = set(usage.queue[:MAX_REPORTS]), usage.queue[MAX_REPORTS:]
    waiting = [kept for kept in usage.reports if kept.report_id in named]
    for kept in waiting:
        step(kept, ReportEvent.SENT)
    return [msgspec.json.decode(kept.text, type=RumReport) for kept in waiting]


def acknowledged(machine: Machine, result: LicenseUsageResult, now: float) -> None:
    """Report ids of others are passed over. One that comes again, by file, has no effect."""
    usage = machine.record.usage
    if usage is None:
        return
    named = set(result.report_ids)
    newly = [k for k in usage.reports if k.report_id in named and k.state is not RumState.ACKNOWLEDGED]
    for kept in newly:
        step(kept, ReportEvent.ACKNOWLEDGED)
    usage.queue = [report_id for report_id in usage.queue if report_id not in named]
    if newly:
        usage.acknowledged_at, usage.required_at, usage.warned = now, None, None
        if result.policy is not None:
            take_policy(machine, result.policy, now)
        for one in _reportings(machine.record, usage.policy):
            _require(machine, now, one.frequency)
    done = [kept for kept in usage.reports if kept.state is RumState.ACKNOWLEDGED]
    gone = {kept.report_id for kept in done[:-MAX_ACKNOWLEDGED]}
    usage.reports = [kept for kept in usage.reports if kept.report_id not in gone]


def imported(machine: Machine, result: LicenseUsageResult, now: float) -> None:
    """An acknowledgement that came in a file."""
    usage = machine.record.usage
    former = None if usage is None else usage.policy
    machine.imported("RUM ACK", now)
    acknowledged(machine, result, now)
    if usage is not None and usage.policy != former:
        machine.imported("POLICY", now)


def saved_reports(record: Record, now: float) -> bytes:
    """A file of the `off` transport: the reports that are not acknowledged, oldest first, as many as one
    holds. They stay until they are acknowledged."""
    usage = record.usage
    reports = [] if usage is None else usage.reports
    waiting: list[KeptReport] = []
    room = usage_file.ROOM
    for kept in reports:
        if kept.state is RumState.ACKNOWLEDGED:
            continue
        room -= len(msgspec.json.encode(kept.text))
        if waiting and room < 0:
            break
        waiting.append(kept)
    for kept in waiting:
        step(kept, ReportEvent.SAVED)
    if usage is not None:
        usage.saved_at = now
    return usage_file.pack(record, [kept.text for kept in waiting], now)


# ---- time -------------------------------------------------------------------------------------------------
def tick(machine: Machine, now: float) -> None:
    record = machine.record
    usage = record.usage
    if usage is None:
        return
    usage.close_at = min(usage.close_at, now + usage.interval_days * timers.DAY)
    if usage.reporting.next is not None:
        usage.reporting.next = min(usage.reporting.next, now + timers.STANDING)
    if now >= usage.close_at:
        close_all(machine, now)
    due = usage.reporting.next
    if due is not None and due <= now and not usage.queue and record.in_flight is None:
        usage.reporting.next = None
        enqueue(usage, now)
    if usage.required_at is not None:
        left = usage.required_at - now
        mark = timers.warning_due(left - 0.001, usage.warned)
        if mark is not None and _next_mark(usage.warned) is not None:
            usage.warned = mark
            machine.log("REPORTING_REQUIRED", now, days=str(max(0, int(left // timers.DAY))))


def ends(usage: Usage) -> list[float]:
    """When reports are closed, and when the next warning is due, Unix seconds."""
    moments = [usage.close_at]
    if usage.required_at is not None:
        mark = _next_mark(usage.warned)
        if mark is not None:
            moments.append(usage.required_at - mark)
    return moments


def _next_mark(warned: float | None) -> float | None:
    """Warnings of reports stop at the last whole day."""
    mark = timers.warning_after(warned)
    return mark if mark is not None and mark >= timers.DAY else None
