"""`show license all`."""

from __future__ import annotations

from smartlic_client.show.model import Model
from smartlic_client.show.status import (
    NO_FEATURES,
    authorization,
    common,
    miscellaneous,
    policy_head,
    policy_sections,
    registration,
)
from smartlic_client.show.usage import licenses, udis
from smartlic_client.show.words import Zone, clean, page

__all__ = ["everything", "report_counts", "state_sections", "titled"]

_CONVERSION = [
    "License Conversion:",
    "  Automatic Conversion Enabled: False",
    "  Last Data Push: <none>",
    "  Last File Export: <none>",
]


def everything(model: Model, zone: Zone) -> str:
    """The text of `show license all`."""
    using_policy = model.policy is not None
    product = titled("Product Information", udis(model))
    return page(
        [
            *titled("Smart Licensing Status", state_sections(model, zone), apart=True),
            *titled("License Usage", licenses(model, whole=using_policy), apart=True),
            *product,
            *titled("Agent Version", [[f"Smart Agent for Licensing: {clean(model.agent_version)}"]]),
            *(_authorizations(model) if using_policy else titled("Reservation Info", [[_NO_RESERVATION]])),
        ]
    )


_NO_RESERVATION = "License reservation: DISABLED"


def titled(title: str, sections: list[list[str]], apart: bool = False) -> list[list[str]]:
    """Sections under an underlined title; `apart`: with an empty line below it."""
    head = [title, "=" * len(title)]
    if apart:
        return [head, *sections]
    return [head + sections[0], *sections[1:]]


def state_sections(model: Model, zone: Zone) -> list[list[str]]:
    """All that is under `Smart Licensing Status`."""
    utility, privacy, transport = common(model)
    enabled = ["Smart Licensing is ENABLED"]
    if model.policy is None:
        return [
            enabled,
            registration(model, zone),
            authorization(model, zone),
            NO_FEATURES,
            utility,
            privacy,
            transport,
            miscellaneous(model) if model.custom_id else [],
        ]
    return [
        enabled,
        _CONVERSION,
        NO_FEATURES,
        utility,
        *policy_head(model, zone),
        privacy,
        transport,
        *policy_sections(model, model.policy, zone, miscellaneous_first=True),
    ]


def _authorizations(model: Model) -> list[list[str]]:
    overall = ["Overall status:"]
    for unit in model.units:
        overall += [f"  {unit.role}: {clean(str(unit.udi))}", "    Status: NOT INSTALLED"]
    counts = report_counts(model)
    return [
        *titled("License Authorizations", [overall]),
        ["Purchased Licenses:", "  No Purchase Information Available"],
        [
            "Usage Report Summary:",
            "=" * 21,
            f"Total: {counts['total']},  Purged: {model.purged_reports}",
            f"Total Acknowledged Received: {counts['acknowledged']},  Waiting for Ack: {counts['waiting']}",
            f"Available to Report: {counts['available']}  Collecting Data: {counts['open']}",
        ],
    ]


def report_counts(model: Model) -> dict[str, int]:
    """The usage reports by what becomes of them next."""
    states = [report.state for report in model.reports]
    return {
        "total": len(states),
        "acknowledged": states.count("acknowledged"),
        "waiting": states.count("pending") + states.count("unacknowledged"),
        "available": states.count("closed"),
        "open": states.count("open"),
    }
