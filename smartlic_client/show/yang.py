"""The device's state in the shape of the public YANG module `cisco-smart-license`, revision 2021-03-01.

JSON by RFC 7951: names of the outermost node carry the module's name, 64-bit integers are strings, nothing is
null, and a node whose `when` does not hold is not there. Only `/licensing/state` is given: what is configured
is the device's own business.

Where the module says less than it should, the choice is ours: `key_udi` is the UDI as devices print it, a
`rum-report-key` is UDI and report id, and of `utility` only that it is off is said.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

from smartlic_client.show.model import (
    Attempt,
    License,
    Model,
    Policy,
    Registering,
    Report,
    Requirement,
    Udi,
)

__all__ = ["MODULE", "REVISION", "document", "tree"]

MODULE: Final = "cisco-smart-license"
REVISION: Final = "2021-03-01"

Node = dict[str, Any]

_REGISTRATION = {
    "not-registered": "reg-state-not-registered",
    "in-progress": "reg-state-in-progress",
    "complete": "reg-state-complete",
    "retry": "reg-state-retry",
    "failed": "reg-state-failed",
}
_LAST = 253402300799.0  # the end of 9999: yang:date-and-time has years of four digits


def document(model: Model) -> str:
    """The tree as JSON text, with a line end."""
    import json

    return json.dumps(tree(model), indent=2, ensure_ascii=False) + "\n"


def tree(model: Model) -> Node:
    """`{"cisco-smart-license:licensing": {"state": …}}`, JSON-ready."""
    state = {
        "always-enabled": True,
        "smart-enabled": True,
        "version": _text(model.agent_version),
        "state-info": _state(model),
    }
    return {f"{MODULE}:licensing": {"state": _there(state)}}


def _state(model: Model) -> Node:
    return _there(
        {
            "registration": _registration(model.registration),
            "authorization": _authorization(model),
            "utility": {"enabled": False, "reporting": "utility-reporting-type-none"},
            "custom-id": _text(model.custom_id),
            "transport": _transport(model),
            "privacy": {"hostname": model.privacy.hostname, "version": model.privacy.version},
            "evaluation": _evaluation(model),
            "udi": _udi(model.udi),
            "usage": [_usage(model, used) for used in model.licenses if used.count],
            "policy": None if model.policy is None else _policy(model.policy),
            "trust-code": _trust(model) if model.policy is not None else None,
            "rum-reports-closed-keys": [_report(model, each) for each in model.reports if _unreported(each)],
            "rum-ack": _acknowledged(model) if model.policy is not None else None,
        }
    )


# ---- registration and authorization -----------------------------------------------------------------------
def _registration(shown: Registering) -> Node:
    node: Node = {"registration-state": _REGISTRATION[shown.state]}
    if shown.state == "in-progress":
        node["registration-in-progress"] = {"start-time": _time(shown.started)}
    elif shown.state == "failed":
        node["registration-failed"] = _failure(shown.first)
    elif shown.state == "retry":
        node["registration-retry"] = {"retry-next-time": _time(shown.next_attempt), **_failure(shown.first)}
    elif shown.state == "complete":
        node["registration-complete"] = _complete(shown)
    node["export-control-allowed"] = shown.export_controlled_allowed
    return _there(node)


def _failure(attempt: Attempt | None) -> Node:
    if attempt is None or attempt.reason is None:
        return {}
    return {"fail-time": _time(attempt.at), "fail-message": _message(attempt.reason)}


def _complete(shown: Registering) -> Node:
    renewal = shown.renewal
    return {
        "complete-time": _time(shown.first.at if shown.first else None),
        "last-renew-time": _time(renewal.at if renewal else None),
        "next-renew-time": _time(shown.next_renewal),
        "expire-time": _time(shown.expires),
        "last-renew-success": None if renewal is None else renewal.reason is None,
        "fail-message": _message(renewal.reason if renewal else None),
        "smart-account": _text(shown.smart_account),
        "virtual-account": _text(shown.virtual_account),
    }


def _authorization(model: Model) -> Node:
    shown = model.authorization
    node: Node = {"authorization-state": f"auth-state-{shown.state}"}
    under = f"authorization-{shown.state}"
    if shown.state == "eval":
        node[under] = {"seconds-left": str(_seconds(model.evaluation.remaining))}
    elif shown.state == "eval-expired":
        node[under] = {"expire-time": _time(model.evaluation.expired_at)}
    elif shown.state == "authorized-reservation":
        node[under] = {"reservation-time": _time(shown.since)}
    elif shown.state != "none":
        last = shown.last
        node[under] = {
            "last-comm-status-success": None if last is None else last.reason is None,
            "fail-message": _message(last.reason if last else None),
            "last-comm-time": _time(last.at if last else None),
            "next-comm-time": _time(shown.next_attempt),
            "comm-deadline-time": _time(shown.deadline),
        }
        if shown.state == "out-of-compliance":
            node[under]["ooc-time"] = _time(shown.since)
    return _there(node)


def _evaluation(model: Model) -> Node:
    shown = model.evaluation
    node: Node = {"eval-in-use": shown.in_use, "eval-expired": shown.expired}
    if shown.expired:
        node["eval-expire-time"] = {"expire-time": _time(shown.expired_at)}
    else:
        node["eval-period-left"] = {"time-left": _seconds(shown.remaining)}
    return _there(node)


# ---- the device, and what it uses -------------------------------------------------------------------------
def _transport(model: Model) -> Node:
    node: Node = {"transport-type": f"transport-type-{model.transport.type}"}
    if model.transport.type == "smart" and model.transport.url:
        url = _text(model.transport.url)
        node["url-settings"] = {"url-registration": url, "url-utility": url}
    return node


def _udi(udi: Udi) -> Node:
    mac = udi.mac_address and "".join(character for character in udi.mac_address if character.isalnum())
    pairs = mac and len(mac) == 12 and ":".join(mac[at : at + 2] for at in range(0, 12, 2))
    return _there(
        {
            "pid": _text(udi.pid),
            "sn": _text(udi.sn),
            "vid": _text(udi.vid),
            "uuid": udi.uuid,
            "suvi": _text(udi.suvi),
            "host-identifier": _text(udi.host_identifier),
            "mac-address": pairs or None,
        }
    )


def _usage(model: Model, used: License) -> Node:
    # The names that the server has are there only once the device has registered.
    registered = model.registration.state == "complete"
    return _there(
        {
            "entitlement-tag": _text(used.tag),
            "short-name": _text(used.name),
            "license-name": _text(used.description) if registered else None,
            "description": _text(used.description) if registered else None,
            "count": used.count,
            "enforcement-mode": f"enforcement-{used.mode}",
            "post-paid": False,
        }
    )


# ---- Using Policy -----------------------------------------------------------------------------------------
def _policy(policy: Policy) -> Node:
    custom = policy.installed is not None
    return _there(
        {
            "policy-type": "policy-type-custom" if custom else "policy-type-cisco-default",
            "policy-name": _text(policy.name),
            "install-time": _time(policy.installed),
            "ack-required": policy.ack_required,
            "policy-enforced": _requirement(policy.enforced),
            "policy-export": _requirement(policy.export),
            "policy-subscription": _requirement(policy.subscription),
            "policy-perpetual": _requirement(policy.perpetual),
        }
    )


def _requirement(asked: Requirement) -> Node:
    return {
        "reporting-first-time": asked.first,
        "reporting-ongoing": asked.frequency,
        "reporting-macd": asked.on_change,
    }


def _trust(model: Model) -> list[Node]:
    return [
        _there(
            {
                "key_udi": _text(str(unit.udi)),
                "is-installed": unit.trusted is not None,
                "time-installed": _time(unit.trusted),
                "udi": _udi(unit.udi),
            }
        )
        for unit in model.units
    ]


def _unreported(report: Report) -> bool:
    return report.state in ("closed", "pending", "unacknowledged")


def _report(model: Model, report: Report) -> Node:
    return _there(
        {
            "rum-report-key": f"{_text(str(model.udi))},{report.id}",
            "report-id": str(report.id),
            "udi": _udi(model.udi),
            "report-start-time": _time(report.start),
            "report-end-time": _time(report.end),
            "report-state": f"rum-report-state-{report.state}",
        }
    )


def _acknowledged(model: Model) -> Node:
    return _there(
        {
            "last-received-time": _time(model.usage.last_ack),
            "next-report-deadline": _time(model.usage.next_ack_deadline),
        }
    )


# ---- values -----------------------------------------------------------------------------------------------
def _there(node: Mapping[str, Any]) -> Node:
    """The node without what is not there; RFC 7951 knows no null."""
    kept: Node = {}
    for name, value in node.items():
        if isinstance(value, dict):
            value = _there(value)
        if value is not None and value not in ({}, []):
            kept[name] = value
    return kept


def _time(at: float | None) -> str | None:
    """yang:date-and-time, always in UTC; a time that it cannot say is left out."""
    if at is None or not 0 <= at <= _LAST:
        return None
    return datetime.datetime.fromtimestamp(int(at), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(left: float) -> int:
    return min(max(0, int(left)), 2**32 - 1) if left == left and left < 1e12 else 0


def _message(text: str | None) -> str | None:
    """A fail-message-type: 255 characters at most."""
    shown = _text(text)
    return shown if shown is None or len(shown) <= 255 else shown[:252] + "..."


def _text(text: str | None) -> str | None:
    """A YANG string has no control characters, surrogates or noncharacters (RFC 7950, section 9.4): they are
    shown as escapes."""
    if not text:
        return None
    if any(_bad(character) for character in text):
        return "".join(
            character.encode("unicode_escape").decode() if _bad(character) else character
            for character in text
        )[:255]
    return text[:255]


def _bad(character: str) -> bool:
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return character not in "\t\n\r"
    return 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
