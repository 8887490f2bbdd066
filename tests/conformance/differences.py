"""Where our rule differs from a public table on purpose: every case by name, each under its reason.

`test_tables.py` holds this list against the tables: what differs is listed, and what is listed differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.conformance.tables import Key

__all__ = ["DIFFERENCES", "Difference"]


@dataclass(frozen=True)
class Difference:
    """`rule`: the sentence of ours; `why`: what it protects from. `cases`: per table, the cases by key."""

    rule: str
    why: str
    cases: Mapping[str, tuple[Key, ...]]

    @property
    def count(self) -> int:
        return sum(map(len, self.cases.values()))

    @property
    def counts(self) -> str:
        return ", ".join(f"{table} {len(cases)}" for table, cases in self.cases.items())


def same(*names: str) -> tuple[Key, ...]:
    """Cases whose name and host are the same text."""
    return tuple((name, name) for name in names)


_MAILBOXES = ("Postmaster@example.com", "postmaster@example.com", "postmaster@EXAMPLE.COM")
_LONG = "".join(60 * letter for letter in "ABCDE")

DIFFERENCES = (
    Difference(
        "A wildcard never stands in a Common Name.",
        "A Host Common Name is one cluster's; stock clients disagree about wildcards there.",
        {"CPython": (("*.a.com", "foo.a.com"),)},
    ),
    Difference(
        "A wildcard has at least two labels after it.",
        "It would else cover every name under a top-level domain.",
        {"Go": (("*.com", "example.com"), ("*.com", "example.com."))},
    ),
    Difference(
        "A host is never a wildcard, even where the certificate has the same text.",
        "No server has that name: somebody took the certificate's name for the destination's.",
        {
            "OpenSSL": same(
                "*",
                ".*",
                "*@",
                "@*",
                "**",
                "*.com",
                "*com",
                "*.*.com",
                "com*",
                "*example.com",
                "*@example.com",
                "test@*.example.com",
                "*.example.com",
                "*.www.example.com",
                "test.*.example.com",
                "www.*.com",
                "*www.example.com",
                "*.xn--rger-koa.example.com",
                "*.good--example.com",
                "*.xn--bar.com",
            ),
            "curl": (("*.e.llo", "*.e.llo."), ("*.e.llo", "************.e.llo.")),
        },
    ),
    Difference(
        "A name of the certificate with a trailing dot never matches.",
        "RFC 5280 has no root label in a dNSName, and clients disagree about it.",
        {
            "OpenSSL": same("a.", "b.", "*."),
            "curl": (("*.e.llo.", "h.e.llo."), ("*.e.llo.", "h.e.llo")),
            "Go": same("example.com."),
        },
    ),
    Difference(
        "One trailing dot on the host is dropped.",
        "It says that the name is complete, and names the same server.",
        {"OpenSSL": (("a", "a."), ("b", "b."))},
    ),
    Difference(
        "A name with an empty label is none.",
        "No resolver knows it.",
        {"OpenSSL": same(".", ".a", ".b", "..", ".www.example.com"), "Go": same("www.example..com")},
    ),
    Difference(
        "A DNS name has letters, digits, inner hyphens and underscores only.",
        "Whatever else stands there, such as a mailbox or a colon, is another kind of name.",
        {
            "OpenSSL": (
                *same("@", "a@", "@a", "b@", "@@", "-example.com", "example-.com"),
                *((name, host) for name in _MAILBOXES for host in _MAILBOXES),
            ),
            "Go": same("foo:bar"),
        },
    ),
    Difference(
        "A dNSName holds A-labels only.",
        "It is an IA5String (RFC 5280, section 4.2.1.6): other bytes mean what the reader takes them for.",
        {"curl": same("\u00ff")},
    ),
    Difference(
        "A name with a NUL or a blank is no name.",
        "What reads names as C strings stops there, and a blank is seen by no eye.",
        {
            "CPython": same("null.python.org\0example.org"),
            "curl": (("*.e.llo", " h.e.llo"),),
        },
    ),
    Difference(
        "A label has at most 63 characters.",
        "RFC 1035, section 2.3.4.",
        {"curl": (("*.e.llo", f"{_LONG}.e.llo."),)},
    ),
    Difference(
        "An IP address never matches a dNSName.",
        "RFC 9525, section 6.1; addresses stand in iPAddress, or here in the Common Name.",
        {"curl": same("192.168.0.1", "fe80::3285:a9ff:fe46:b619")},
    ),
)
