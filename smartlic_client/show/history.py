"""`show license history message`, `eventlog` and `rum id all`."""

from __future__ import annotations

import datetime

from smartlic_client.show.model import Event, Message, Model
from smartlic_client.show.words import Zone, clean, date, page

__all__ = ["event_log", "history", "reports"]

_RULE = "=" * 52
# The headings are IOS XE's; which of our messages goes under which is ours.
_SENT = {
    "Trust Establishment": ("TRUST",),
    "Usage Reporting": ("LICENSE_USAGE",),
    "Result Polling": ("POLL",),
    "Authorization Request": ("AUTHORIZATION",),
    "Authorization Return": (),
    "Trust Sync": (),
}
_CLASSIC = {
    "Registration": ("REGISTRATION",),
    "Registration Renewal": ("ID_CERT_RENEWAL",),
    "De-registration": ("DEREGISTRATION",),
    "Hello Message": ("HELLO",),
}
_IMPORTED = ("POLICY", "AUTH", "TRUST CODE", "RUM ACK", "CONVERSION ACK", "ACCOUNT INFO")
_REPORT_STATES = {
    "open": "OPEN",
    "closed": "CLOSED",
    "pending": "PENDING",
    "unacknowledged": "UNACK",
    "acknowledged": "ACK",
}


def history(model: Model, zone: Zone) -> str:
    """The text of `show license history message`."""
    sent = [message for message in model.messages if not message.imported]
    lines = ["Message History (oldest to newest):", _RULE]
    for title, kinds in _SENT.items():
        lines += [f"{title}:", *_entries([m for m in sent if m.kind in kinds], zone)]
    known = {kind for kinds in _SENT.values() for kind in kinds}
    for title, kinds in _CLASSIC.items():
        # A section that IOS XE's Using Policy does not have: only where there is something in it.
        if found := [message for message in sent if message.kind in kinds]:
            lines += [f"{title}:", *_entries(found, zone)[1:]]
        known.update(kinds)
    if others := [message for message in sent if message.kind not in known]:
        lines += ["Other Messages:", *_entries(others, zone)[1:]]
    imported = []
    for kind in _IMPORTED:
        found = [message for message in model.messages if message.imported and message.kind == kind]
        imported.append([f"Import {kind}:", *_entries(found, zone, " Import")])
    imported[0] = ["Import Message History (oldest to newest):", _RULE, *imported[0]]
    return page([lines, *imported])


def _entries(messages: list[Message], zone: Zone, what: str = "") -> list[str]:
    if not messages:
        return [f"  No past{what} history"]
    count = f"  {len(messages)} past{what} message{'s' if len(messages) > 1 else ''}"
    return [count, *(_entry(message, zone) for message in sorted(messages, key=lambda each: each.at))]


def _entry(message: Message, zone: Zone) -> str:
    named = f" {clean(message.id)[:64]}" if message.id else ""
    return f"  {date(message.at, zone)}: {clean(message.kind)[:32]}{named}: {clean(message.outcome)[:120]}"


def event_log(model: Model, zone: Zone, days: int | None = None) -> str:
    """The text of `show license eventlog [DAYS]`: oldest first."""
    since = model.now - days * 86400 if days is not None else float("-inf")
    events = sorted((event for event in model.events if event.at >= since), key=lambda each: each.at)
    if not events:
        return "No EventLog Found.\n"
    return page([["**** Event Log ****"], [_event(event, zone) for event in events]])


def _said(event: Event) -> str:
    if event.text is not None:
        return event.text
    from smartlic_client.protocol.logs import Logged  # for this command only: a look starts quickly

    return Logged(event.at, event.name, event.fields).text()


def _event(event: Event, zone: Zone) -> str:
    fields = "".join(f' {_key(key)}="{_quoted(value)}"' for key, value in list(event.fields.items())[:4])
    return (
        f'{_stamp(event.at, zone)} SAEVT_{clean(event.name)[:48]}{fields} MSG="{_quoted(_said(event), 300)}"'
    )


def _key(key: str) -> str:
    return "".join(character for character in clean(key)[:24] if character.isalnum() or character == "_")


def _quoted(text: str, longest: int = 40) -> str:
    return clean(text, "").replace('"', "'")[:longest]


def _stamp(at: float, zone: Zone) -> str:
    """`2021-10-30 04:32:38.266 UTC`."""
    try:
        moment = datetime.datetime.fromtimestamp(at, zone)
    except (OverflowError, ValueError, OSError):
        return "0000-00-00 00:00:00.000 UTC"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} {moment:%Z}"


def reports(model: Model, _zone: Zone) -> str:
    """The text of `show license rum id all`."""
    lines = ["Smart Licensing Usage Report:", "=" * 36, "Report Id,          State,    Flag, Feature Name"]
    for report in model.reports:
        name = "_".join(clean(report.name).split())
        lines.append(f"{report.id:<20}{_REPORT_STATES[report.state]:<10}N     {name}")
    return page([lines])
