"""The model of a device, from its record as it is stored.

A record's JSON-ready data is read, not the record itself: so a look at a device on disk needs no import of
the protocol, and starts in half the time; and a field that records of an older form lack is simply not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from smartlic_client.show.model import ENFORCEMENT_MODES, Member, Model, Statistic

if TYPE_CHECKING:
    from smartlic_client.protocol.record import Record

__all__ = ["EVALUATION", "NO_RECORD", "Extras", "model_of", "model_of_data"]

Data = Mapping[str, Any]

EVALUATION: Final = 90 * 86400.0
"""Seconds of license usage, as protocol.timers has it."""

CSLU_PATH: Final = "/cslu/v1/pi/"
_KINDS: Final = {
    "unenforced-perpetual": ("unenforced", "perpetual"),
    "unenforced-subscription": ("unenforced", "subscription"),
    "enforced": ("enforced", "perpetual"),
    "export": ("export", "perpetual"),
}
_IMPORTED: Final = ("RUM ACK", "POLICY")
_REGISTRATION: Final = {
    "export_controlled_allowed": "export_controlled_allowed",
    "smart_account": "smart_account",
    "virtual_account": "virtual_account",
    "valid_until": "expires",
}


NO_RECORD: Final = (
    msgspec.ValidationError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
)
"""What reading raises for data that are no record: they are used as they are stored."""


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown and is in no record: an emulator's other units, and how its messages fared."""

    members: Sequence[Member] = ()
    statistics: Mapping[str, Statistic] = {}


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

    Raises one of NO_RECORD for what is no record.
    """
    identity, usage = record.get("identity"), record.get("usage")
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
        "licenses": [_license(tag, used, usage) for tag, used in record.get("entitlements", {}).items()],
        "transport": _transport(record, settings),
        "privacy": {
            "hostname": record.get("hostname_private", False),
            "version": record.get("version_private", False),
        },
        "message_version": record.get("protocol_version", "1.3"),
        "messages": [
            {"at": at, "kind": kind, "id": message_id, "outcome": outcome, "imported": kind in _IMPORTED}
            for at, kind, message_id, outcome in record.get("notes", ())
        ],
        "events": [
            {"at": at, "name": name, "fields": dict(*fields)}
            for at, name, *fields in record.get("history", ())
        ],
        "certificate": None if identity is None else _certificate(identity),
        "members": more.members,
        "statistics": more.statistics,
    }
    if usage is not None:
        shown |= _using_policy(usage)
    return msgspec.convert(shown, Model)


def _transport(record: Data, settings: Data) -> Data:
    kind, url = settings.get("transport") or "callhome", settings.get("url")
    if record.get("transport_off"):
        kind = "off"
    elif isinstance(url, str) and CSLU_PATH in url:
        kind = "cslu"  # it takes the messages of the Smart transport
    return {"type": kind, "url": url, "proxy": _address(settings.get("proxy"))}


# ---- Using Policy -----------------------------------------------------------------------------------------
def _using_policy(usage: Data) -> dict[str, Any]:
    policy, reporting = usage["policy"], usage.get("reporting") or {}
    identity = usage.get("identity") or {}
    heard = [at for at in (usage.get("trusted_at"), reporting.get("succeeded")) if at is not None]
    return {
        "policy": {
            "name": policy["name"],
            "installed": usage.get("policy_installed_at"),
            "ack_required": policy["acknowledgement_required"],
            "perpetual": policy["unenforced_perpetual"],
            "subscription": policy["unenforced_subscription"],
            "enforced": policy["enforced"],
            "export": policy["export"],
        },
        "usage": {
            "interval": usage["interval_days"],
            "last_ack": usage.get("acknowledged_at"),
            "next_ack_deadline": usage.get("required_at"),
            "next_push": usage.get("close_at") if reporting.get("next") is None else reporting["next"],
            "last_push": reporting.get("last"),
            "last_file_write": usage.get("saved_at"),
        },
        "reports": [*map(_kept, usage.get("reports", ())), *map(_open, usage.get("open", {}).items())],
        # There is no registration, but the accounts that the trust code came from.
        "registration": {name: identity.get(name) for name in ("smart_account", "virtual_account")},
        "smart_account_at": max(heard, default=None),
        "trusted_at": usage.get("trusted_at"),
    }


class _Value(msgspec.Struct):
    value: str


class _Measured(msgspec.Struct):
    start_time: int
    value: _Value


class _Text(msgspec.Struct):
    """Of a report's text, what is shown."""

    measurements: list[_Measured] = []


def _kept(report: Data) -> Data:
    text = report.get("text")
    measured = msgspec.json.decode(text, type=_Text).measurements if text else []
    return {
        "start": measured[0].start_time if measured else None,
        "count": int(measured[-1].value.value) if measured else 0,
        "id": int(report["report_id"]),
        "state": report["state"],
        "tag": report["tag"],
        "name": _name(report["tag"]),
        "end": report["closed_at"],
    }


def _open(opened: tuple[str, Data]) -> Data:
    tag, report = opened
    return {
        "id": int(report["report_id"]),
        "state": "open",
        "tag": tag,
        "name": _name(tag),
        "count": report["count"],
        "start": report["opened_at"],
    }


# ---- both -------------------------------------------------------------------------------------------------
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


def _license(tag: str, used: Data, usage: Data | None) -> Data:
    mode = used.get("enforcement_mode", "waiting")
    enforcement, term = _KINDS.get(used.get("kind", ""), ("unenforced", "perpetual"))
    numbers = {"report": 0, "former_report": 0}
    if usage is not None:
        if (opened := usage.get("open", {}).get(tag)) is not None:
            numbers["report"] = int(opened["report_id"])
        numbers["former_report"] = max(
            (int(kept["report_id"]) for kept in usage.get("reports", ()) if kept["tag"] == tag), default=0
        )
    return {
        "tag": tag,
        "name": _name(tag),
        "version": tag.partition(",")[2].partition("_")[0],
        "count": used["count"],
        # What a server of a newer release may say beyond them is not known here.
        "mode": mode if mode in ENFORCEMENT_MODES else "waiting",
        "enforcement": "export" if used.get("export_controlled") else enforcement,
        "term": term,
        **numbers,
    }


def _name(tag: str) -> str:
    """`DNA_P_50M_A` of `regid.2018-12.com.cisco.DNA_P_50M_A,1.0_…`."""
    return tag.partition(",")[0].rpartition(".")[2] or tag


def _certificate(identity: Data) -> Data:
    return {name: identity[name] for name in ("piid", "serial_number", "valid_from", "valid_until")}


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
