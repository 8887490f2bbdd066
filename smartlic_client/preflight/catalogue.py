"""What a finding is, and the catalogue of all that there are.

Each rule defines its own next to the function that makes them (`rules`), as rooms do with their problems. An
id is defined once and never changes: pipelines, `--only`, `--skip` and baselines hold on to it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["CATALOGUE", "FAMILIES", "Entry", "Finding", "Severity", "catalogue", "entry", "reference"]


class Severity(StrEnum):
    """`error`: products will not register, or will stop. `warning`: some may. `information`: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"

    @property
    def rank(self) -> int:
        """The gravest first."""
        return _RANKS[self]


_RANKS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFORMATION: 2}

FAMILIES = {
    "destination": "The destination URL",
    "resolution": "Name resolution",
    "reach": "Reachability and TLS",
    "chain": "The certificate: chain, dates, strength",
    "names": "The certificate: names",
    "cluster": "The nodes of the cluster, and failover",
    "service": "What answers at the path",
    "server": "What the server's REST API tells",
    "file": "Certificate files",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was found. `at`: the address, node or file where, if not all of the target."""

    id: str
    family: str
    severity: Severity
    target: str
    seen: str
    expected: str
    mend: str
    reference: str
    at: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of finding; call it with its facts to get one. `seen`, `expected` and `mend` are templates.

    `severity` is the usual one. A rule may give a lower one where the same fact does less harm.
    """

    id: str
    family: str
    severity: Severity
    title: str
    seen: str
    expected: str
    mend: str
    reference: str

    def __call__(
        self, target: str, *, severity: Severity | None = None, at: str | None = None, **facts: Any
    ) -> Finding:
        return Finding(
            id=self.id,
            family=self.family,
            severity=severity or self.severity,
            target=target,
            seen=self.seen.format_map(facts),
            expected=self.expected.format_map(facts),
            mend=self.mend.format_map(facts),
            reference=self.reference,
            at=at,
        )


CATALOGUE: dict[str, Entry] = {}


def entry(
    id_: str,
    family: str,
    severity: Severity,
    title: str,
    *,
    seen: str,
    expected: str,
    mend: str,
    reference: str,
) -> Entry:
    """Define a kind of finding. A second definition of an id is a programming error."""
    if id_ in CATALOGUE or family not in FAMILIES:
        raise ValueError(f"finding {id_!r} is defined twice, or its family {family!r} is none")
    CATALOGUE[id_] = made = Entry(
        id=id_,
        family=family,
        severity=severity,
        title=title,
        seen=seen,
        expected=expected,
        mend=mend,
        reference=reference,
    )
    return made


def catalogue() -> dict[str, Entry]:
    """All kinds of findings by id, in the order of the families: every rule has been imported."""
    from smartlic_client.preflight import rules

    rules.load()
    order = list(FAMILIES)
    return dict(sorted(CATALOGUE.items(), key=lambda item: order.index(item[1].family)))


def reference() -> str:
    """The page about all findings, in Markdown."""
    parts = [
        "# Findings of `smartlic check`\n",
        "An id never changes. The severity is the usual one; a rule lowers it where the same fact does less\n"
        "harm. In `{}` stands what a finding tells of the case. `--only`, `--skip`, `--explain` take ids;\n"
        "`--only` and `--skip` take families as well.\n",
    ]
    found = catalogue()
    for family, title in FAMILIES.items():
        parts.append(f"\n## {title} (`{family}`)\n")
        parts += [_section(each) for each in found.values() if each.family == family]
    return "\n".join(parts)


def _section(each: Entry) -> str:
    lines = [
        f"### {each.id}\n",
        f"**{each.title}** ({each.severity.value})\n",
        f"- Seen: {each.seen}",
        f"- Expected: {each.expected}",
        f"- What to do: {each.mend}",
        f"- Reference: {each.reference}\n",
    ]
    return "\n".join(lines).replace("<", "&lt;")
