"""What an agent logs: `%SMART_LIC-<severity>-<NAME>: <text>` (protocol, "Log messages").

The names and severities are public. `Logged` is the event as data; `text()` gives the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from string import Formatter
from typing import Final, NamedTuple

import msgspec

__all__ = ["CATALOGUE", "FIELDS", "Logged", "span"]

_MANAGER = "the Cisco Smart Software Manager (CSSM)"


class Entry(NamedTuple):
    """`severity` as in syslog: 3 error, 4 warning, 5 notice, 6 information. `text`: filled by the fields."""

    severity: int
    text: str


CATALOGUE: Final[Mapping[str, Entry]] = {
    "AGENT_READY": Entry(6, "Smart Agent for Licensing is initialized"),
    "AGENT_ENABLED": Entry(6, "Smart Agent for Licensing is enabled"),
    "AGENT_REG_SUCCESS": Entry(
        6, f"Smart Agent for Licensing Registration with {_MANAGER} successful for udi {{udi}}"
    ),
    "AGENT_REG_FAILED": Entry(
        3, f"Smart Agent for Licensing Registration with {_MANAGER} failed: {{reason}}"
    ),
    "AGENT_DEREG_SUCCESS": Entry(
        6, f"Smart Agent for Licensing De-registration with {_MANAGER} successful for udi {{udi}}"
    ),
    "COMM_FAILED": Entry(3, f"Communications failure with {_MANAGER} : {{reason}}"),
    "COMM_RESTORED": Entry(5, f"Communications with {_MANAGER} restored"),
    "AUTH_RENEW_SUCCESS": Entry(
        6, f"Authorization renewal with {_MANAGER} successful. State={{state}} for udi {{udi}}"
    ),
    "AUTH_RENEW_FAILED": Entry(3, f"Authorization renewal with {_MANAGER} failed: {{reason}}"),
    "OUT_OF_COMPLIANCE": Entry(3, "One or more entitlements are out of compliance"),
    "IN_COMPLIANCE": Entry(5, "All entitlements and licenses in use on this device are authorized"),
    "EVAL_START": Entry(5, "Entering evaluation period"),
    "EVAL_WILL_EXPIRE_WARNING": Entry(4, "Evaluation period will expire in {left}"),
    "EVAL_EXPIRED": Entry(3, "Evaluation period expired"),
    "ID_CERT_RENEW_SUCCESS": Entry(5, "Identity certificate renewal successful"),
    "ID_CERT_RENEW_FAILED": Entry(3, "Identity certificate renewal failed: {reason}"),
    "ID_CERT_EXPIRED_WARNING": Entry(4, "This device's registration will expire in {left}"),
    "ID_CERT_EXPIRED": Entry(
        3, "Identity certificate expired. The agent will go to the unidentified (not registered) state"
    ),
    "EXPORT_CONTROLLED": Entry(6, "Usage of export controlled features is {allowed}"),
    "REPORTING_REQUIRED": Entry(6, "A Usage report acknowledgement will be required in {days} days."),
    "REPORTING_NOT_SUPPORTED": Entry(
        4, "The CSSM OnPrem is down rev and does not support the enhanced policy and usage reporting mode"
    ),
    "TRUST_CODE_INSTALL_SUCCESS": Entry(6, "A new licensing trust code was successfully installed on {udi}"),
    "TRUST_CODE_INSTALL_FAILED": Entry(3, "The install of a new licensing trust code has failed: {reason}"),
    "POLICY_INSTALL_SUCCESS": Entry(6, "A new licensing policy was successfully installed"),
}


FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(field for _, field, _, _ in Formatter().parse(entry.text) if field)
    for name, entry in CATALOGUE.items()
}
"""The fields that each text is filled with."""


class Logged(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event. `at`: Unix seconds. `fields`: what the text is filled with; nobody changes them."""

    at: float
    name: str
    fields: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def severity(self) -> int:
        """3 error to 6 information; 6 for a name of a newer release."""
        return CATALOGUE[self.name].severity if self.name in CATALOGUE else 6

    def text(self) -> str:
        """`%SMART_LIC-3-COMM_FAILED: Communications failure with …`, on one line."""
        entry = CATALOGUE.get(self.name)
        said = entry.text.format_map(_Fields(self.fields)) if entry else ""
        return f"%SMART_LIC-{self.severity}-{self.name}: {' '.join(said.split())}".rstrip()


def like(event: Logged, known: Iterable[Logged]) -> Logged:
    """The event, sharing its fields with one of `known` that says the same, or with another device's event:
    devices say few things, and say them often."""
    for other in known:
        if other.name == event.name and other.fields == event.fields:
            return Logged(event.at, other.name, other.fields)
    return Logged(event.at, event.name, _common(tuple(event.fields.items())))


@lru_cache(maxsize=256)
def _common(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(fields)


class _Fields(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "unknown"


def span(seconds: float) -> str:
    """`60 days, 0 hours, 0 minutes, 0 seconds`: how devices print a time that is left."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    return f"{days} days, {hours} hours, {minutes} minutes, {left} seconds"
