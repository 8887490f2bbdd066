"""`show license usage`, `summary` and `udi`, and the lists of licenses that other commands print too."""

from __future__ import annotations

from smartlic_client.show.model import License, Model
from smartlic_client.show.status import account, authorization, authorization_status, registration
from smartlic_client.show.words import Zone, clean, duration, fitted, page

__all__ = ["license_status", "licenses", "summary", "udi", "udis", "usage"]

_MODES = {
    "waiting": "WAITING",
    "in-compliance": "AUTHORIZED",
    "out-of-compliance": "OUT OF COMPLIANCE",
    "overage": "OVERAGE",
    "evaluation": "EVAL MODE",
    "evaluation-expired": "EVAL EXPIRED",
    "authorization-expired": "AUTHORIZATION EXPIRED",
    "reservation-in-compliance": "RESERVED",
    "invalid-tag": "INVALID TAG",
    "disabled": "DISABLED",
}
ENFORCEMENTS = {"unenforced": "NOT ENFORCED", "enforced": "ENFORCED", "export": "EXPORT RESTRICTED"}


def usage(model: Model, zone: Zone) -> str:
    """The text of `show license usage`."""
    shown = "Not Applicable" if model.policy else authorization_status(model, zone)
    head = ["License Authorization:", f"  Status: {shown}"]
    if model.policy is None and model.authorization.state in ("eval", "eval-expired"):
        head.append(f"  Evaluation Period Remaining: {duration(model.evaluation.remaining)}")
    return page([head, *licenses(model, whole=True)])


def licenses(model: Model, whole: bool) -> list[list[str]]:
    """A section a license. `whole`: with feature and type, which classic `show license all` leaves out."""
    if not model.licenses:
        return [["No licenses in use"]]
    return [_license(model, used, whole) for used in model.licenses]


def _license(model: Model, used: License, whole: bool) -> list[str]:
    description = clean(used.description or used.name)
    lines = [
        f"{clean(used.name)} ({clean(used.tag)}):",
        f"  Description: {description}",
        f"  Count: {used.count}",
        f"  Version: {clean(used.version)}",
        f"  Status: {license_status(model, used)}",
        f"  Export status: {export_status(model, used)}",
    ]
    if whole:
        lines += [
            f"  Feature Name: {clean(used.name)}",
            f"  Feature Description: {description}",
            f"  Enforcement type: {ENFORCEMENTS[used.enforcement]}",
            f"  License type: {used.term.capitalize()}",
        ]
    return lines


def license_status(model: Model, used: License) -> str:
    """`AUTHORIZED`, by the enforcement mode; using policy `IN USE`, whatever the server thinks of it."""
    if model.policy is None:
        return _MODES[used.mode]
    if used.mode == "invalid-tag":
        return _MODES[used.mode]
    return "IN USE" if used.count else "NOT IN USE"


def export_status(model: Model, used: License) -> str:
    if used.enforcement != "export":
        return "NOT RESTRICTED"
    allowed = model.registration.export_controlled_allowed
    return "RESTRICTED - ALLOWED" if allowed else "RESTRICTED - NOT ALLOWED"


def summary(model: Model, zone: Zone) -> str:
    """The text of `show license summary`."""
    if model.policy is not None:
        return page([account(model, zone), _table(model)])
    return page(
        [
            ["Smart Licensing is ENABLED"],
            registration(model, zone, brief=True),
            authorization(model, zone, brief=True),
            _table(model),
        ]
    )


def _table(model: Model) -> list[str]:
    if not model.licenses:
        return ["License Usage:", "  No licenses in use"]
    lines = [
        "License Usage:",
        "  License                 Entitlement Tag               Count Status",
        "  " + "-" * 77,
    ]
    for used in model.licenses:
        tag = f"({fitted(used.description or short_name(used.tag), 26)})"
        lines.append(f"  {fitted(used.name, 23):<24}{tag:<29} {used.count:>5} {license_status(model, used)}")
    return lines


def short_name(tag: str) -> str:
    """`DNA_P_50M_A` of `regid.2018-12.com.cisco.DNA_P_50M_A,1.0_…`."""
    return tag.partition(",")[0].rpartition(".")[2] or tag


def udi(model: Model, _zone: Zone) -> str:
    """The text of `show license udi`."""
    return page(udis(model))


def udis(model: Model) -> list[list[str]]:
    """The device's UDI, and those of all its units where it has several."""
    sections = [[f"UDI: {clean(str(model.udi))}"]]
    if model.members:
        units = [f"    {unit.role}:{clean(str(unit.udi))}" for unit in model.members]
        sections.append(["HA UDI List:", *units])
    return sections
