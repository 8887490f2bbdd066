"""How the events of product instances change the state: registrations, usage, and what is in files."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mock_server.domain import events, places, pools
from mock_server.domain.pools import Touched
from mock_server.domain.state import Instance, State, UsageReport, report_key
from smartlic_client.protocol.identity import device_digest
from smartlic_client.protocol.messages import RegistrationResult

__all__ = ["APPLY", "index_key", "key_digest", "share_texts"]


def key_digest(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()


def _instance_registered(
    state: State, event: events.InstanceRegistered, _at: float, touched: Touched
) -> None:
    instance = event.instance
    usage, instance.usage = instance.usage, {}
    pools.use(state, instance, usage, touched)
    share_texts(instance)
    _known(state, instance)
    state.by_key[event.key_digest] = instance.piid
    state.tokens[event.token_digest].used += 1
    touched.update((("instance", instance.piid), ("token", event.token_digest)))


def _known(state: State, instance: Instance) -> None:
    state.instances[instance.piid] = instance
    places.put(state, instance)
    state.by_identity[device_digest(instance.udi, instance.software_id)] = instance.piid


def index_key(state: State, public_key: bytes, piid: str) -> None:
    if public_key:  # one that is known by a file only has none
        state.by_key[key_digest(public_key)] = piid


def share_texts(instance: Instance) -> None:
    """Keep once what a hundred thousand instances have in common. The values stay what they are."""
    instance.usage = _shared(instance.usage)
    _share(instance, "account", "virtual_account", "software_id")
    _share(instance.udi, "pid")
    if isinstance(instance.last.result, RegistrationResult):
        _share(instance.last.result, "smart_account", "virtual_account")


def _shared(usage: dict[str, int]) -> dict[str, int]:
    return {sys.intern(tag): count for tag, count in usage.items()}


def _share(struct: msgspec.Struct, *fields: str) -> None:
    for field in fields:
        value = getattr(struct, field)
        if value is not None:
            msgspec.structs.force_setattr(struct, field, sys.intern(value))


def _usage_reported(state: State, event: events.UsageReported, at: float, touched: Touched) -> None:
    instance = state.instances[event.piid]
    pools.use(state, instance, _shared(event.usage), touched)
    instance.last, instance.last_contact = event.last, at
    touched.add(("instance", event.piid))


def _reports_taken(state: State, event: events.ReportsTaken, at: float, touched: Touched) -> None:
    instance = _measured(state, event, at, touched)
    instance.last, instance.last_contact = event.last, at
    told = getattr(event.last.result, "policy", None)
    instance.policy = told or instance.policy


def _instance_imported(state: State, event: events.InstanceImported, _at: float, touched: Touched) -> None:
    instance = event.instance
    share_texts(instance)
    _known(state, instance)
    touched.add(("instance", instance.piid))


def _reports_imported(state: State, event: events.ReportsImported, at: float, touched: Touched) -> None:
    instance = _measured(state, event, at, touched)
    instance.policy = event.policy or instance.policy


def _measured(
    state: State, event: events.ReportsTaken | events.ReportsImported, at: float, touched: Touched
) -> Instance:
    instance = state.instances[event.piid]
    for report in event.reports:
        _keep_report(state, report, touched)
    pools.use(state, instance, dict(event.usage), touched)
    instance.measured, instance.last_report = dict(event.measured), at
    touched.add(("instance", event.piid))
    return instance


def _keep_report(state: State, report: UsageReport, touched: Touched) -> None:
    key = report_key(report.piid, report.report_id)
    state.reports[key] = report
    state.reports_of.setdefault(report.piid, set()).add(key)
    touched.add(("report", key))


def _certificate_renewed(state: State, event: events.CertificateRenewed, at: float, touched: Touched) -> None:
    instance = state.instances[event.piid]
    instance.certificate_serial, instance.last = event.certificate_serial, event.last
    instance.last_contact = instance.renewed_at = at
    touched.add(("instance", event.piid))


def _instance_renamed(state: State, event: events.InstanceRenamed, _at: float, touched: Touched) -> None:
    instance = state.instances[event.piid]
    places.take(state, instance)
    instance.name = event.name
    places.put(state, instance)
    touched.add(("instance", event.piid))


def _instance_transferred(
    state: State, event: events.InstanceTransferred, _at: float, touched: Touched
) -> None:
    instance = state.instances[event.piid]
    usage = instance.usage
    pools.use(state, instance, {}, touched)
    places.take(state, instance)
    instance.virtual_account = event.target
    places.put(state, instance)
    pools.use(state, instance, usage, touched)
    touched.add(("instance", event.piid))


def _instance_gone(state: State, event: events.InstanceGone, _at: float, touched: Touched) -> None:
    tombstone = event.tombstone
    instance = state.instances.pop(tombstone.piid)
    places.take(state, instance)
    pools.use(state, instance, {}, touched)
    identity = device_digest(instance.udi, instance.software_id)
    if state.by_identity.get(identity) == instance.piid:
        del state.by_identity[identity]
    state.tombstones[tombstone.piid] = tombstone
    for key in sorted(state.reports_of.pop(tombstone.piid, ())):
        report = state.reports.pop(key)
        touched.add(("report", key))
        if event.successor:
            _keep_report(state, msgspec.structs.replace(report, piid=event.successor), touched)
    touched.update((("instance", tombstone.piid), ("tombstone", tombstone.piid)))


APPLY: Final[dict[type[Any], Callable[[State, Any, float, Touched], None]]] = {
    events.InstanceRegistered: _instance_registered,
    events.UsageReported: _usage_reported,
    events.ReportsTaken: _reports_taken,
    events.InstanceImported: _instance_imported,
    events.ReportsImported: _reports_imported,
    events.CertificateRenewed: _certificate_renewed,
    events.InstanceRenamed: _instance_renamed,
    events.InstanceTransferred: _instance_transferred,
    events.InstanceGone: _instance_gone,
}
