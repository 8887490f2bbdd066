"""`show license status` and `show license usage` of a device, from its record. Pure: text out.

Sections are separated by empty lines: public parsers of the classic form need that.
"""

from __future__ import annotations

import datetime

from smartlic_client.protocol.record import Attempts, Record
from smartlic_client.protocol.states import Authorization, Registration
from smartlic_client.protocol.timers import EVALUATION

__all__ = ["status", "usage"]

_TRANSPORT = {"callhome": "Callhome", "smart": "Smart"}
_MODES = {
    "in-compliance": "AUTHORIZED",
    "out-of-compliance": "OUT OF COMPLIANCE",
    "evaluation": "EVAL MODE",
    "invalid-tag": "INVALID TAG",
    "waiting": "WAITING",
}
_NOT_ALLOWED, _ALLOWED = "NOT ALLOWED", "ALLOWED"


def date(at: float | None) -> str:
    """`Mar 13 08:09:24 2024 UTC`; `None` where there is no time."""
    if at is None:
        return "None"
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%b %d %H:%M:%S %Y UTC")


def duration(seconds: float) -> str:
    """`89 days, 1 hours, 33 minutes, 51 seconds`."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    return f"{days} days, {hours} hours, {minutes} minutes, {left} seconds"


def status(record: Record, transport: str, now: float) -> str:
    """The text of `show license status`."""
    sections = [
        ["Smart Licensing is ENABLED"],
        ["Utility:", "  Status: DISABLED"],
        [
            "Data Privacy:",
            "  Sending Hostname: yes",
            "    Callhome hostname privacy: DISABLED",
            "    Smart Licensing hostname privacy: DISABLED",
            "  Version privacy: DISABLED",
        ],
        ["Transport:", f"  Type: {_TRANSPORT.get(transport, transport)}"],
        ["Registration:", *_registration(record)],
        ["License Authorization:", *_authorization(record, now)],
        ["Export Authorization Key:", "  Features Authorized:", "    <none>"],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def usage(record: Record, now: float) -> str:
    """The text of `show license usage`."""
    sections = [["License Authorization:", f"  Status: {_authorization_status(record)}"]]
    if not record.entitlements:
        sections.append(["No licenses in use"])
    for tag, used in record.entitlements.items():
        name, _, version = tag.partition(",")
        mode = used.enforcement_mode
        sections.append(
            [
                f"{name.rpartition('.')[2]} ({tag}):",
                f"  Count: {used.count}",
                f"  Version: {version.partition('_')[0]}",
                f"  Status: {_MODES.get(mode, mode.upper())}",
            ]
        )
    if record.identity is None and record.entitlements:
        sections[0].append(f"  Evaluation Period Remaining: {duration(remaining_evaluation(record, now))}")
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def remaining_evaluation(record: Record, now: float) -> float:
    """Seconds left of the 90 days; they run only while the device is in evaluation."""
    running = now - record.evaluation_since if record.evaluation_since is not None else 0.0
    return max(0.0, EVALUATION - record.evaluation_used - max(0.0, running))


def _registration(record: Record) -> list[str]:
    identity, attempts = record.identity, record.registering
    if identity is None:
        words = {
            Registration.IN_PROGRESS: "REGISTERING - REGISTRATION IN PROGRESS",
            Registration.RETRY: "REGISTERING - REGISTRATION IN PROGRESS",
            Registration.FAILED: "UNREGISTERED - REGISTRATION FAILED",
        }
        lines = [f"  Status: {words.get(record.registration, 'UNREGISTERED')}"]
        if attempts.last is not None:
            lines.append(f"  Initial Registration: FAILED on {date(attempts.last)}")
            lines.extend(_failure(attempts, "    "))
        lines.append(f"  Export-Controlled Functionality: {_NOT_ALLOWED}")
        return lines
    allowed = identity.export_controlled_allowed
    return [
        "  Status: REGISTERED",
        f"  Smart Account: {identity.smart_account}",
        f"  Virtual Account: {identity.virtual_account}",
        f"  Export-Controlled Functionality: {_ALLOWED if allowed else _NOT_ALLOWED}",
        f"  Initial Registration: SUCCEEDED on {date(identity.registered_at)}",
        "  Last Renewal Attempt: None",
        *_failure(attempts, "    "),
        f"  Next Renewal Attempt: {date(attempts.next)}",
        f"  Registration Expires: {date(identity.valid_until)}",
    ]


def _authorization_status(record: Record) -> str:
    at = f" on {date(record.authorizing.succeeded)}" if record.authorizing.succeeded else ""
    return {
        Authorization.NONE: "No Licenses in Use",
        Authorization.EVAL: "EVAL MODE",
        Authorization.EVAL_EXPIRED: "EVAL EXPIRED",
        Authorization.AUTHORIZED: f"AUTHORIZED{at}",
        Authorization.OUT_OF_COMPLIANCE: f"OUT OF COMPLIANCE{at}",
        Authorization.AUTHORIZATION_EXPIRED: "AUTHORIZATION EXPIRED",
    }[record.authorization]


def _authorization(record: Record, now: float) -> list[str]:
    lines = [f"  Status: {_authorization_status(record)}"]
    if record.identity is None:
        lines.append(f"  Evaluation Period Remaining: {duration(remaining_evaluation(record, now))}")
        return lines
    attempts = record.authorizing
    if attempts.last is not None:
        word = "FAILED" if attempts.failure else "SUCCEEDED"
        lines.append(f"  Last Communication Attempt: {word} on {date(attempts.last)}")
        lines.extend(_failure(attempts, "    "))
    else:
        lines.append("  Last Communication Attempt: None")
    lines.append(f"  Next Communication Attempt: {date(attempts.next)}")
    lines.append(f"  Communication Deadline: {date(record.deadline)}")
    return lines


def _failure(attempts: Attempts, indent: str) -> list[str]:
    if attempts.failure is None:
        return []
    return [f"{indent}Failure reason: {attempts.failure.get('sentence', attempts.failure.get('code', ''))}"]
