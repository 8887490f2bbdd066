"""What the public parsers have to read, from the model alone: nothing here comes from the texts' own code.

`None`: the parser has nothing to read there. A `str`: it refuses the text, for want of a rule, with this in
what it says; each such case is told in `LIMITS`.
"""

from __future__ import annotations

import time
from typing import Any

from smartlic_client.show.model import Attempt, License, Member, Model, Policy, Requirement, Statistic

Expected = dict[str, Any] | str | None

LIMITS = {
    "schema": "Genie's `tech support` knows the layout of Smart Licensing Using Policy only",
    "handle": "Genie's `tech support` wants a license in use",
    "Next Registration Attempt": "the ASA template knows no next attempt of a registration",
    "Registration URL": "the ASA template knows no URL of a transport",
    "HA UDI List": "the ASA template knows one unit only",
    "License Conversion": "the ASA template knows classic Smart Licensing only",
}
_REGISTRATIONS = {
    "not-registered": "UNREGISTERED",
    "in-progress": "REGISTERING - REGISTRATION IN PROGRESS",
    "retry": "REGISTERING - REGISTRATION IN PROGRESS",
    "failed": "UNREGISTERED - REGISTRATION FAILED",
    "complete": "REGISTERED",
}
_AUTHORIZATIONS = {
    "none": "No Licenses in Use",
    "eval": "EVAL MODE",
    "eval-expired": "EVAL EXPIRED",
    "authorized": "AUTHORIZED",
    "out-of-compliance": "OUT OF COMPLIANCE",
    "authorization-expired": "AUTHORIZATION EXPIRED",
}
_LICENSES = {
    "waiting": "WAITING",
    "in-compliance": "AUTHORIZED",
    "out-of-compliance": "OUT OF COMPLIANCE",
    "evaluation": "EVAL MODE",
    "evaluation-expired": "EVAL EXPIRED",
    "authorization-expired": "AUTHORIZATION EXPIRED",
}
_TYPES = {"callhome": "Callhome", "smart": "Smart", "cslu": "cslu", "off": "Transport Off"}


def expected(model: Model) -> dict[str, Expected]:
    """By the names that `show_reader` gives the parsers."""
    return {
        "genie status": _genie_status(model),
        "genie summary": _genie_summary(model),
        "genie usage": _genie_usage(model),
        "genie all": _genie_all(model),
        "genie udi": {"udi_details": _unit(model.udi.pid, model.udi.sn), **_ha(model)},
        "genie tech support": _genie_tech(model),
        "genie history message": _genie_history(model),
        "genie eventlog": _genie_events(model),
        "genie rum id all": _genie_reports(model),
        "ntc ios status": _ios_status(model),
        "ntc asa all": _asa_all(model),
    }


def _date(at: float | None, otherwise: str = "<none>") -> str:
    return otherwise if at is None else time.strftime("%b %d %H:%M:%S %Y UTC", time.gmtime(at))


def _unit(pid: str | None, sn: str | None) -> dict[str, Any]:
    return {"pid": pid, "sn": sn}


def _ha(model: Model) -> dict[str, Any]:
    if not model.members:
        return {}
    return {"ha_udi_list": {unit.role.lower(): _unit(unit.udi.pid, unit.udi.sn) for unit in model.members}}


def _units(model: Model) -> list[Member]:
    return list(model.members) or [Member(udi=model.udi, trusted=model.trusted_at)]


# ---- status -----------------------------------------------------------------------------------------------
def _privacy(model: Model) -> dict[str, str]:
    hidden = "ENABLED" if model.privacy.hostname else "DISABLED"
    return {
        "sending_hostname": "no" if model.privacy.hostname else "yes",
        "callhome_hostname_privacy": hidden,
        "smart_licensing_hostname_privacy": hidden,
        "version_privacy": "ENABLED" if model.privacy.version else "DISABLED",
    }


def _accounts(model: Model) -> dict[str, Any]:
    shown = model.registration
    if model.policy is None:
        if shown.state != "complete":
            return {}
        return {
            "account_information": {
                "smart_account": shown.smart_account,
                "virtual_account": shown.virtual_account,
            }
        }
    heard = f" As of {_date(model.smart_account_at)}" if model.smart_account_at else ""
    return {
        "account_information": {
            "smart_account": f"{shown.smart_account or '<none>'}{heard}",
            "virtual_account": shown.virtual_account or "<none>",
        }
    }


def _policy(policy: Policy) -> dict[str, Any]:
    whose = "CISCO default" if policy.installed is None else "Customer Policy"

    def asked(each: Requirement) -> dict[str, str]:
        return {
            "first_report_requirement_days": f"{each.first} ({whose})",
            "reporting_frequency_days": f"{each.frequency} ({whose})",
            "report_on_change_days": f"{each.on_change} ({whose})",
        }

    custom = {
        "policy_in_use": f"Installed On {_date(policy.installed)}",
        "policy_name": policy.name,
    }
    return {
        **(custom if policy.installed else {"policy_in_use": "Merged from multiple sources."}),
        "reporting_ack_required": f"{'yes' if policy.ack_required else 'no'} ({whose})",
        "unenforced_non_export_perpetual_attributes": asked(policy.perpetual),
        "unenforced_non_export_subscription_attributes": asked(policy.subscription),
        "enforced_perpetual_subscription_license_attributes": asked(policy.enforced),
        "export_perpetual_subscription_license_attributes": asked(policy.export),
    }


def _reporting(model: Model) -> dict[str, str]:
    usage = model.usage
    return {
        "last_ack_received": _date(usage.last_ack),
        "next_ack_deadline": _date(usage.next_ack_deadline),
        "reporting_push_interval": f"{usage.interval}  days" if usage.interval else "0 (no reporting)",
        "next_ack_push_check": _date(usage.next_ack_check),
        "next_report_push": _date(usage.next_push),
        "last_report_push": _date(usage.last_push),
        "last_report_file_write": _date(usage.last_file_write),
    }


def _trust(model: Model) -> dict[str, Any]:
    return {
        unit.role.lower(): {
            **_unit(unit.udi.pid, unit.udi.sn),
            "info": f"INSTALLED on {_date(unit.trusted)}",
        }
        for unit in _units(model)
        if unit.trusted is not None
    }


def _transport(model: Model, vrf: dict[str, str], proxy: Any) -> dict[str, Any]:
    shown = model.transport
    read: dict[str, Any] = {"type": _TYPES[shown.type]}
    if model.policy is None:
        return read
    if shown.type == "smart":
        read["url"] = shown.url
    if shown.type == "cslu":
        read["cslu_address"] = shown.url
    if shown.type in ("smart", "cslu"):
        read |= {"proxy": proxy, **vrf}
    return read


def _proxy(model: Model) -> str:
    """Genie's `status` and `all` read that there is none, and not which one there is."""
    return "" if model.transport.proxy else "Not Configured"


def _genie_status(model: Model) -> Expected:
    read: dict[str, Any] = {
        "utility": {"status": "DISABLED"},
        "data_privacy": _privacy(model),
        "transport": _transport(model, {"vrf": " <empty>"}, _proxy(model)),
        **_accounts(model),
    }
    if model.policy is not None or model.custom_id:
        read["miscellaneous"] = {"custom_id": model.custom_id or "<empty>"}
    if model.policy is not None:
        read |= {
            "smart_licensing_using_policy": {"status": "ENABLED"},
            "policy": _policy(model.policy),
            "usage_reporting": _reporting(model),
            "trust_code_installed": _trust(model) or " <none>",
        }
    return read


def _ios_status(model: Model) -> Expected:
    """The template reads a registration's state of one word, and a license authorization with a date."""
    shown, policy = model.registration, model.policy is not None
    status = _REGISTRATIONS[shown.state]
    authorized = model.authorization.since or model.evaluation.expired_at
    usual = model.authorization.state not in ("none", "eval") and authorized is not None and not policy
    accounts = policy or shown.state == "complete"
    where = policy and model.transport.type in ("smart", "cslu")
    proxy = model.transport.proxy if where else None
    usage = _reporting(model) if policy else {}
    read = {
        "sl_enabled": "ENABLED",
        "transport_type": _TYPES[model.transport.type],
        "url": (model.transport.url or "") if where and model.transport.type == "smart" else "",
        "proxy_address": proxy[0] if proxy else "",
        "proxy_port": str(proxy[1]) if proxy else "",
        "proxy_username": "<empty>" if proxy else "",
        "proxy_password": "<empty>" if proxy else "",
        "vrf": "<empty>" if where else "",
        "reg_status": status if not policy and " " not in status else "",
        "smart_acct": (shown.smart_account or "<none>") if accounts else "",
        "virt_acct": (shown.virtual_account or "<none>") if accounts else "",
        "license_auth": _AUTHORIZATIONS[model.authorization.state] if usual else "",
        "last_ack_received": usage.get("last_ack_received", ""),
        "next_ack_deadline": usage.get("next_ack_deadline", ""),
        "rpt_push_interval": usage.get("reporting_push_interval", ""),
        "next_ack_push_check": usage.get("next_ack_push_check", ""),
        "next_rpt_push": usage.get("next_report_push", ""),
        "last_rpt_push": usage.get("last_report_push", ""),
        "last_rpt_file_write": usage.get("last_report_file_write", ""),
    }
    return {"rows": [read]}


# ---- licenses ---------------------------------------------------------------------------------------------
def _license_status(model: Model, used: License) -> str:
    if model.policy is not None:
        return "IN USE" if used.count else "NOT IN USE"
    return _LICENSES[used.mode]


def _export(model: Model, used: License) -> str:
    if used.enforcement != "export":
        return "NOT RESTRICTED"
    allowed = model.registration.export_controlled_allowed
    return f"RESTRICTED - {'ALLOWED' if allowed else 'NOT ALLOWED'}"


def _licenses(model: Model, whole: bool) -> dict[str, Any]:
    read = {}
    for used in model.licenses:
        description = used.description or used.name
        read[f"{used.name} ({used.tag}):"] = {
            "description": description,
            "count": used.count,
            "version": used.version,
            "status": _license_status(model, used),
            "export_status": _export(model, used),
        } | (_feature(used) if whole else {})
    return read


def _feature(used: License) -> dict[str, str]:
    kinds = {"unenforced": "NOT ENFORCED", "enforced": "ENFORCED", "export": "EXPORT RESTRICTED"}
    return {
        "feature_name": used.name,
        "feature_description": used.description or used.name,
        "enforcement_type": kinds[used.enforcement],
        "license_type": used.term.capitalize(),
    }


def _authorization_status(model: Model) -> str:
    state = model.authorization.state
    at = model.evaluation.expired_at if state == "eval-expired" else model.authorization.since
    dated = state not in ("none", "eval") and at is not None
    return f"{_AUTHORIZATIONS[state]} on {_date(at)}" if dated else _AUTHORIZATIONS[state]


def _genie_usage(model: Model) -> Expected:
    status = "Not Applicable" if model.policy is not None else _authorization_status(model)
    read: dict[str, Any] = {"license_authorization": {"status": status}}
    if model.licenses:
        read["license_name"] = _licenses(model, whole=True)
    return read


def _genie_summary(model: Model) -> Expected:
    read = _accounts(model)
    if model.licenses:
        read["license_usage"] = {}
    for used in model.licenses:
        entitlement = used.description or used.tag.split(",")[0].split(".")[-1]
        read["license_usage"][entitlement] = {
            "license": used.name,
            "entitlement": entitlement,
            "count": str(used.count),
            "status": _license_status(model, used),
        }
    return read or None


# ---- all --------------------------------------------------------------------------------------------------
def _states(model: Model, *states: str) -> int:
    return sum(report.state in states for report in model.reports)


def _genie_all(model: Model) -> Expected:
    state: dict[str, Any] = {
        "utility": {"status": "DISABLED"},
        "data_privacy": _privacy(model),
        "transport": _transport(model, {}, _proxy(model)),
        "export_authorization_key": {"features_authorized": "<none>"},
        **_accounts(model),
    }
    read: dict[str, Any] = {
        "smart_licensing_status": state,
        "product_information": {"udi": _unit(model.udi.pid, model.udi.sn), **_ha(model)},
        "agent_version": {"smart_agent_for_licensing": model.agent_version},
    }
    if model.licenses:
        read["license_usage"] = {"license_name": _licenses(model, whole=model.policy is not None)}
    if model.policy is not None or model.custom_id:
        state["miscellaneous"] = {"custom_id": model.custom_id or "<empty>"}
    if model.policy is None:
        return read
    state |= {
        "license_conversion": {"automatic_conversion_enabled": "False"},
        "smart_licensing_using_policy": {"status": "ENABLED"},
        "policy": _policy(model.policy),
        "usage_reporting": _reporting(model),
    }
    if trust := _trust(model):
        state["trust_code_installed"] = trust
    # The parser reads these states only where there is a license in use.
    installed = {"status": "NOT INSTALLED"} if model.licenses else {}
    read["license_authorizations"] = {
        "overall_status": {
            unit.role.lower(): {**_unit(unit.udi.pid, unit.udi.sn), **installed} for unit in _units(model)
        },
        "purchased_licenses": "No Purchase Information Available",
    }
    read["usage_report_summary"] = {
        "total": str(len(model.reports)),
        "purged": str(model.purged_reports),
        "total_acknowledged_received": str(_states(model, "acknowledged")),
        "waiting_for_ack": str(_states(model, "pending", "unacknowledged")),
        "available_to_report": str(_states(model, "closed")),
        "collecting_data": str(_states(model, "open")),
    }
    return read


def _asa_all(model: Model) -> Expected:
    if model.policy is not None:
        return "License Conversion"
    if model.registration.next_attempt is not None:
        return "Next Registration Attempt"
    if model.transport.type == "smart":
        return "Registration URL"
    if model.members:
        return "HA UDI List"
    registering, complete = model.registration, model.registration.state == "complete"
    authorization, last = model.authorization, model.authorization.last
    evaluating = authorization.state in ("eval", "eval-expired") or not complete
    status, _, since = _authorization_status(model).partition(" on ")
    first = _outcome(registering.first)
    if registering.state == "in-progress":
        first = ("First Attempt Pending", "", "")
    renewal = _outcome(registering.renewal, "None") if complete else ("", "", "")
    asked = _outcome(last, "None") if complete else ("", "", "")
    used = model.licenses[-1] if model.licenses else None
    hidden = _privacy(model)
    return {
        "rows": [
            {
                "smart_status": "ENABLED",
                "registration_status": _REGISTRATIONS[registering.state],
                "smart_account": registering.smart_account or "",
                "virtual_account": registering.virtual_account or "",
                "export_controlled": "ALLOWED" if registering.export_controlled_allowed else "NOT ALLOWED",
                "registration_initial_status": first[0],
                "registration_initial_date": first[1],
                "registration_last_renewal": renewal[0],
                "registration_last_renewal_date": renewal[1],
                "registration_last_renewal_error": first[2] or renewal[2],
                "registration_next_renewal_date": _date(registering.next_renewal, ""),
                "registration_expiration_date": _date(registering.expires, ""),
                "auth_status": status,
                "auth_date": since,
                "eval_remaining": _left(model.evaluation.remaining) if evaluating else "",
                "auth_last_communication": asked[0],
                "auth_last_communication_date": asked[1],
                "auth_fail_error": asked[2],
                "auth_next_communication_date": _date(authorization.next_attempt, "") if complete else "",
                "auth_deadline": _date(authorization.deadline, "None") if complete else "",
                "license": used.name if used else "",
                "license_pid": used.tag if used else "",
                "license_description": used.name if used else "",
                "license_count": str(used.count) if used else "",
                "license_version": used.version if used else "",
                "license_status": _license_status(model, used) if used else "",
                "license_export_status": _export(model, used) if used else "",
                "pid": model.udi.pid,
                "sn": model.udi.sn,
                "smart_agent_version": model.agent_version,
                "utility_status": "DISABLED",
                "privacy_sending_hostname": hidden["sending_hostname"],
                "privacy_callhome_hostname_privacy": hidden["callhome_hostname_privacy"],
                "privacy_smart_licensing_hostname_privacy": hidden["smart_licensing_hostname_privacy"],
                "privacy_version_privacy": hidden["version_privacy"],
                "transport_type": _TYPES[model.transport.type],
                "license_reservation": "DISABLED",
            }
        ]
    }


def _outcome(attempt: Attempt | None, never: str = "") -> tuple[str, str, str]:
    if attempt is None:
        return never, "", ""
    return "SUCCEEDED" if attempt.reason is None else "FAILED", _date(attempt.at), attempt.reason or ""


def _left(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    return f"{days} days, {rest // 3600} hours, {rest % 3600 // 60} minutes, {rest % 60} seconds"


# ---- the rest ---------------------------------------------------------------------------------------------
def _genie_tech(model: Model) -> Expected:
    """Of some 150 lines, those that tell of the device."""
    if model.policy is None:
        return "schema"
    if not model.licenses:
        return "handle"
    proxy: Any = {}
    if model.transport.proxy:
        address, port = model.transport.proxy
        proxy = {"address": address, "port": port, "username": "<empty>", "password": "<empty>"}
    return {
        "smart_licensing_status": {
            "utility": {"status": "DISABLED"},
            "data_privacy": _privacy(model),
            "transport": _transport(model, {"vrf": "<empty>"}, proxy),
            **_accounts(model),
            "miscellaneous": {"custom_id": model.custom_id or "<empty>"},
            "policy": _policy(model.policy),
            "usage_reporting": _reporting(model),
            "trust_code_installed": _trust(model) or "<none>",
        },
        "license_usage": {
            "handle": {str(number): _handle(model, used) for number, used in enumerate(model.licenses, 1)}
        },
        "product_information": {"udi": _unit(model.udi.pid, model.udi.sn), **_ha(model)},
        "agent_version": {"smart_agent_for_licensing": model.agent_version},
        "communication_statistics": {
            "trust_establishment": _statistic(model.statistics.get("TRUST", Statistic())),
            "usage_reporting": _statistic(model.statistics.get("LICENSE_USAGE", Statistic())),
        },
        "usage_report_summary": {
            "total": len(model.reports),
            "total_acknowledged_received": _states(model, "acknowledged"),
            "available_to_report": _states(model, "closed"),
            "collecting_data": _states(model, "open"),
        },
        "other_info": {"software_id": model.software_id, "transport": _TYPES[model.transport.type]},
    }


def _handle(model: Model, used: License) -> dict[str, Any]:
    return {
        "license": used.name,
        "entitlement_tag": used.tag,
        "description": used.description or used.name,
        "count": used.count,
        "status_time": _date(used.changed, "None"),
        "request_time": _date(used.asked, "None"),
        "export_status": _export(model, used),
        **_feature(used),
        "measurements": {
            "entitlement": {
                "current_value": used.count,
                "current_report": used.report,
                "previous": used.former_report,
            }
        },
    }


def _statistic(shown: Statistic) -> dict[str, str]:
    last = f"{shown.last_response} on {_date(shown.last_response_at)}" if shown.last_response else "<none>"
    return {
        "attempts": f"Total={shown.total}, Success={shown.success}, Fail={shown.total - shown.success}",
        "ongoing_failure": f"Overall={shown.failing} Communication={shown.lost}",
        "last_response": last,
        "failure_reason": shown.reason or "<none>",
        "last_success_time": _date(shown.last_success),
        "last_failure_time": _date(shown.last_failure),
    }


def _genie_history(model: Model) -> Expected:
    def past(kind: str, imported: bool = False) -> str:
        count = sum(each.kind == kind and each.imported == imported for each in model.messages)
        what = " Import" if imported else ""
        return f"{count} past{what} message{'s' if count > 1 else ''}" if count else f"No past{what} history"

    return {
        "message_history": {
            "trust_establishment": past("TRUST"),
            "usage_reporting": past("LICENSE_USAGE"),
            "result_polling": past("POLL"),
            "authorization_request": past("AUTHORIZATION"),
            "authorization_return": "No past history",
            "trust_sync": "No past history",
        },
        "import_message_history": {
            kind.lower().replace(" ", "_"): past(kind, imported=True)
            for kind in ("POLICY", "AUTH", "TRUST CODE", "RUM ACK", "CONVERSION ACK", "ACCOUNT INFO")
        },
    }


def _genie_events(model: Model) -> Expected:
    if not model.events:
        return {"no_eventlog_found": True}
    return {
        "event_log": [
            {
                "log_message": f"SAEVT_{event.name}"
                + "".join(f' {key}="{value}"' for key, value in event.fields.items())
                + f' MSG="{event.text}"'
            }
            for event in model.events
        ]
    }


def _genie_reports(model: Model) -> Expected:
    if not model.reports:
        return None
    short = {"acknowledged": "ACK", "unacknowledged": "UNACK"}
    return {
        "smart_license_usage_reports": {
            str(report.id): {
                "state": short.get(report.state, report.state.upper()),
                "flag": "N",
                "feature_name": report.name,
            }
            for report in model.reports
        }
    }
