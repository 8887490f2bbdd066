"""`show license status`, classic and Using Policy, and its sections, which other commands print too."""

from __future__ import annotations

from smartlic_client.show.model import Attempt, Model, Policy, Requirement
from smartlic_client.show.words import EMPTY, NONE, Zone, clean, date, duration, either, page

__all__ = ["authorization", "authorization_status", "common", "policy_sections", "registration", "status"]

NO_FEATURES = ["Export Authorization Key:", "  Features Authorized:", "    <none>"]

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
    "authorized-reservation": "AUTHORIZED - RESERVED",
}
TRANSPORTS = {"callhome": "Callhome", "smart": "Smart", "cslu": "cslu", "off": "Transport Off"}


def status(model: Model, zone: Zone) -> str:
    """The text of `show license status`."""
    if model.policy is not None:
        sections = common(model)
        at = 1
        sections[at:at] = policy_head(model, zone)
        sections += policy_sections(model, model.policy, zone, miscellaneous_first=False)
        return page(sections)
    return page(
        [
            ["Smart Licensing is ENABLED"],
            *common(model),
            registration(model, zone),
            authorization(model, zone),
            NO_FEATURES,
            miscellaneous(model) if model.custom_id else [],
        ]
    )


def common(model: Model) -> list[list[str]]:
    """Utility, data privacy and transport."""
    hostname = either(model.privacy.hostname)
    return [
        ["Utility:", "  Status: DISABLED"],
        [
            "Data Privacy:",
            f"  Sending Hostname: {either(model.privacy.hostname, 'no', 'yes')}",
            f"    Callhome hostname privacy: {hostname}",
            f"    Smart Licensing hostname privacy: {hostname}",
            f"  Version privacy: {either(model.privacy.version)}",
        ],
        _transport(model),
    ]


def _transport(model: Model) -> list[str]:
    transport = model.transport
    lines = ["Transport:", f"  Type: {TRANSPORTS[transport.type]}"]
    url = clean(transport.url, EMPTY)
    if model.policy is None:
        if transport.type == "smart":
            lines += [f"  Registration URL: {url}", f"  Utility URL: {url}"]
        return lines
    if transport.type == "smart":
        lines.append(f"  URL: {url}")
    elif transport.type == "cslu":
        lines.append(f"  Cslu address: {url}")
    if transport.type in ("smart", "cslu"):
        lines += ["  Proxy:", *_proxy(model), f"  VRF: {EMPTY}"]
    return lines


def _proxy(model: Model) -> list[str]:
    if model.transport.proxy is None:
        return ["    Not Configured"]
    address, port = model.transport.proxy
    return [
        f"    Address: {clean(address, EMPTY)}",
        f"    Port: {port}",
        "    Username: <empty>",
        "    Password: <empty>",
    ]


def miscellaneous(model: Model) -> list[str]:
    return ["Miscellaneous:", f"  Custom Id: {clean(model.custom_id, EMPTY)}"]


# ---- classic ----------------------------------------------------------------------------------------------
def registration(model: Model, zone: Zone, brief: bool = False) -> list[str]:
    """The section `Registration:`; `brief` as the summary has it."""
    shown = model.registration
    lines = ["Registration:", f"  Status: {_REGISTRATIONS[shown.state]}"]
    if shown.state == "complete":
        lines += [
            f"  Smart Account: {clean(shown.smart_account)}",
            f"  Virtual Account: {clean(shown.virtual_account)}",
        ]
    allowed = either(shown.export_controlled_allowed, "ALLOWED", "NOT ALLOWED")
    lines.append(f"  Export-Controlled Functionality: {allowed}")
    if shown.state == "complete":
        if not brief:
            lines += _attempt("Initial Registration", shown.first, zone)
        lines += _attempt("Last Renewal Attempt", shown.renewal, zone)
        lines.append(f"  Next Renewal Attempt: {date(shown.next_renewal, zone, 'None')}")
        if not brief:
            lines.append(f"  Registration Expires: {date(shown.expires, zone, 'None')}")
        return lines
    if shown.first is not None:
        lines += _attempt("Initial Registration", shown.first, zone)
    elif shown.state == "in-progress":
        lines.append("  Initial Registration: First Attempt Pending")
    if shown.next_attempt is not None:
        lines.append(f"  Next Registration Attempt: {date(shown.next_attempt, zone, 'None')}")
    return lines


def authorization_status(model: Model, zone: Zone, dated: bool = True) -> str:
    """`AUTHORIZED on Mar 13 08:09:28 2024 UTC`."""
    shown = model.authorization
    since = model.evaluation.expired_at if shown.state == "eval-expired" else shown.since
    if shown.state in ("none", "eval"):
        since = None
    on = f" on {date(since, zone)}" if dated and since is not None else ""
    return f"{_AUTHORIZATIONS[shown.state]}{on}"


def authorization(model: Model, zone: Zone, brief: bool = False) -> list[str]:
    """The section `License Authorization:`; `brief` as the summary has it."""
    shown = model.authorization
    lines = ["License Authorization:", f"  Status: {authorization_status(model, zone, not brief)}"]
    registered = model.registration.state == "complete"
    if shown.state in ("eval", "eval-expired") or not registered:
        lines.append(f"  Evaluation Period Remaining: {duration(model.evaluation.remaining)}")
    if registered:
        lines += _attempt("Last Communication Attempt", shown.last, zone, dated=not brief)
        lines.append(f"  Next Communication Attempt: {date(shown.next_attempt, zone, 'None')}")
        if not brief:
            lines.append(f"  Communication Deadline: {date(shown.deadline, zone, 'None')}")
    return lines


def _attempt(label: str, attempt: Attempt | None, zone: Zone, dated: bool = True) -> list[str]:
    if attempt is None:
        return [f"  {label}: None"]
    word = "SUCCEEDED" if attempt.reason is None else "FAILED"
    lines = [f"  {label}: {word} on {date(attempt.at, zone)}" if dated else f"  {label}: {word}"]
    if attempt.reason is not None:
        lines.append(f"    Failure reason: {clean(attempt.reason)}")
    return lines


# ---- Using Policy -----------------------------------------------------------------------------------------
def policy_head(model: Model, zone: Zone) -> list[list[str]]:
    return [["Smart Licensing Using Policy:", "  Status: ENABLED"], account(model, zone)]


def account(model: Model, zone: Zone) -> list[str]:
    """The section `Account Information:`."""
    name = clean(model.registration.smart_account)
    if model.registration.smart_account and model.smart_account_at is not None:
        name += f" As of {date(model.smart_account_at, zone)}"
    return [
        "Account Information:",
        f"  Smart Account: {name}",
        f"  Virtual Account: {clean(model.registration.virtual_account)}",
    ]


def policy_sections(
    model: Model, policy: Policy, zone: Zone, *, miscellaneous_first: bool
) -> list[list[str]]:
    """Policy, miscellaneous, usage reporting and trust code; `show license all` has the second one first."""
    both = [_policy(policy, zone), miscellaneous(model)]
    if miscellaneous_first:
        both.reverse()
    return [*both, _reporting(model, zone), _trust(model, zone)]


def _policy(policy: Policy, zone: Zone) -> list[str]:
    whose = "CISCO default" if policy.installed is None else "Customer Policy"
    lines = ["Policy:"]
    if policy.installed is None:
        lines.append("  Policy in use: Merged from multiple sources.")
    else:
        lines += [
            f"  Policy in use: Installed On {date(policy.installed, zone)}",
            f"  Policy name: {clean(policy.name)}",
        ]
    lines.append(f"  Reporting ACK required: {either(policy.ack_required, 'yes', 'no')} ({whose})")
    for title, asked in (
        ("Unenforced/Non-Export Perpetual Attributes", policy.perpetual),
        ("Unenforced/Non-Export Subscription Attributes", policy.subscription),
        ("Enforced (Perpetual/Subscription) License Attributes", policy.enforced),
        ("Export (Perpetual/Subscription) License Attributes", policy.export),
    ):
        lines += [f"  {title}:", *_requirement(asked, whose)]
    return lines


def _requirement(asked: Requirement, whose: str) -> list[str]:
    return [
        f"    First report requirement (days): {asked.first} ({whose})",
        f"    Reporting frequency (days): {asked.frequency} ({whose})",
        f"    Report on change (days): {asked.on_change} ({whose})",
    ]


def _reporting(model: Model, zone: Zone) -> list[str]:
    usage = model.usage
    interval = f"{usage.interval}  days" if usage.interval else "0 (no reporting)"
    return [
        "Usage Reporting:",
        f"  Last ACK received: {date(usage.last_ack, zone)}",
        f"  Next ACK deadline: {date(usage.next_ack_deadline, zone)}",
        f"  Reporting push interval: {interval}",
        f"  Next ACK push check: {date(usage.next_ack_check, zone)}",
        f"  Next report push: {date(usage.next_push, zone)}",
        f"  Last report push: {date(usage.last_push, zone)}",
        f"  Last report file write: {date(usage.last_file_write, zone)}",
    ]


def _trust(model: Model, zone: Zone) -> list[str]:
    if all(unit.trusted is None for unit in model.units):
        return [f"Trust Code Installed: {NONE}"]
    lines = ["Trust Code Installed:"]
    for unit in model.units:
        installed = NONE if unit.trusted is None else f"INSTALLED on {date(unit.trusted, zone)}"
        lines += [f"  {unit.role}: {clean(str(unit.udi))}", f"    {installed}"]
    return lines
