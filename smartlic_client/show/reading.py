"""The model of a device, from its record as it is stored.

A record's JSON-ready data is read, not the record itself: so a look at a device on disk needs no import of
the protocol, and starts in half the time; and a field that records of an older form lack is simply not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from smartlic_client.show.model import (
    ENFORCEMENT_MODES,
    Member,
    Model,
    Policy,
    Report,
    Statistic,
    UsageReporting,
)

if TYPE_CHECKING:
    from smartlic_client.protocol.record import Record

__all__ = ["EVALUATION", "Extras", "model_of", "model_of_data"]

Data = Mapping[str, Any]

EVALUATION: Final = 90 * 86400.0
"""Seconds of license usage, as protocol.timers has it."""

_REGISTRATION: Final = {
    "export_controlled_allowed": "export_controlled_allowed",
    "smart_account": "smart_account",
    "virtual_account": "virtual_account",
    "valid_until": "expires",
}


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown and is in no record."""

    members: Sequence[Member] = ()
    policy: Policy | None = None
    usage: UsageReporting = UsageReporting()
    reports: Sequence[Report] = ()
    statistics: Mapping[str, Statistic] = {}
    smart_account_at: float | None = None


def model_of(
    record: Record,
    now: float,
    *,
    transport: str = "callhome",
    url: str | None = None,
    proxy: str | None = None,
    extras: Extras | None = None,
) -> Model:
    """What there is to show of `record` at `now`; `transport`, `url`, `proxy`: of the device's settings."""
    settings = {"transport": transport, "url": url, "proxy": proxy}
    return model_of_data(record.to_data(), settings, now, extras)


def model_of_data(record: Data, settings: Data, now: float, extras: Extras | None = None) -> Model:
    """The same of a record and settings as they are stored.

    Raises msgspec.ValidationError, KeyError, TypeError, ValueError or AttributeError for what is no record.
    """
    identity = record.get("identity")
    more = extras or Extras()
    shown = {
        "now": now,
        "udi": record["udi"],
        "software_id": record["software_id"],
        "hostname": record.get("hostname"),
        "custom_id": record.get("custom_id"),
        "registration": _registration(record, identity),
        "authorization": _authorization(record),
        "evaluation": _evaluation(record, now),
        "licenses": [_license(tag, used) for tag, used in record.get("entitlements", {}).items()],
        "transport": {
            "type": settings.get("transport") or "callhome",
            "url": settings.get("url"),
            "proxy": _address(settings.get("proxy")),
        },
        "privacy": {
            "hostname": record.get("hostname_private", False),
            "version": record.get("version_private", False),
        },
        "message_version": record.get("protocol_version", "1.3"),
        "messages": [
            {"at": at, "kind": kind, "id": message_id, "outcome": outcome}
            for at, kind, message_id, outcome in record.get("notes", ())
        ],
        "events": [_event(logged) for logged in record.get("history", ())],
        "certificate": None if identity is None else _certificate(identity),
        "members": more.members,
        "policy": more.policy,
        "usage": more.usage,
        "reports": more.reports,
        "statistics": more.statistics,
        "smart_account_at": more.smart_account_at,
    }
    return msgspec.convert(shown, Model)


def _evaluation(record: Data, now: float) -> Data:
    """The 90 days run only while the device is in evaluation."""
    since = record.get("evaluation_since")
    running = 0.0 if since is None else max(0.0, now - since)
    return {
        "remaining": max(0.0, EVALUATION - record.get("evaluation_used", 0.0) - running),
        "in_use": record.get("authorization") == "eval",
        "expired": record.get("authorization") == "eval-expired",
        "expired_at": record.get("evaluation_expired_at"),
    }


def _registration(record: Data, identity: Data | None) -> Data:
    attempts: Data = record.get("registering") or {}
    state = record.get("registration", "not-registered")
    if identity is None:
        return {
            "state": state,
            "first": _attempt(attempts),
            "started": attempts.get("began"),
            "next_attempt": attempts.get("next") if state == "retry" else None,
        }
    renewed = identity.get("renewed_at")
    return {
        "state": state,
        "first": {"at": identity["registered_at"]},
        "renewal": _attempt(attempts) if attempts.get("failure") else renewed and {"at": renewed},
        "next_renewal": attempts.get("next"),
        **{name: identity[given] for given, name in _REGISTRATION.items()},
    }


def _authorization(record: Data) -> Data:
    attempts: Data = record.get("authorizing") or {}
    return {
        "state": record.get("authorization", "none"),
        "since": attempts.get("succeeded"),
        "last": _attempt(attempts),
        "next_attempt": attempts.get("next"),
        "deadline": record.get("deadline"),
    }


def _attempt(attempts: Data) -> Data | None:
    if attempts.get("last") is None:
        return None
    failure = attempts.get("failure")
    reason = None if failure is None else failure.get("sentence") or failure.get("code") or "unknown"
    return {"at": attempts["last"], "reason": reason}


def _license(tag: str, used: Data) -> Data:
    regid, _, rest = tag.partition(",")
    mode = used.get("enforcement_mode", "waiting")
    return {
        "tag": tag,
        "name": regid.rpartition(".")[2] or tag,
        "version": rest.partition("_")[0],
        "count": used["count"],
        # What a server of a newer release may say beyond them is not known here.
        "mode": mode if mode in ENFORCEMENT_MODES else "waiting",
        "enforcement": "export" if used.get("export_controlled") else "unenforced",
    }


def _certificate(identity: Data) -> Data:
    return {name: identity[name] for name in ("piid", "serial_number", "valid_from", "valid_until")}


def _event(logged: Sequence[Any]) -> Data:
    from smartlic_client.protocol import logs  # type: ignore[attr-defined,unused-ignore]

    event = logs.Logged(*logged)
    return {
        "at": event.at,
        "name": event.name,
        "severity": event.severity,
        "text": event.text(),
        "fields": event.fields,
    }


def _address(proxy: str | None) -> tuple[str, int] | None:
    """Host and port of a proxy's URL, never the password that may stand before them."""
    if not proxy:
        return None
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port or 80) if host else None
