"""The public tables, read in place, as cases of ours: a host, a certificate's names, and what is expected.

The folder is named by the environment variable SMARTLIC_TABLES; without it, it is `../shared/tables` beside
the checkout. The tables are not part of this repository: each has an owner, a version and a licence of its
own, which stand in its file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.errors import CallerError
from smartlic_client.names import CertificateNames, Match, Policy, match, parse_host

__all__ = ["TABLES", "Case", "Key", "read_table", "tables_folder"]

_REPOSITORY = Path(__file__).parents[2]

Key = tuple[str, str]
"""What names a case in its table: the certificate's names in one text, and the host."""


@dataclass(frozen=True)
class Case:
    """One line of a table. `either`: the original accepts both verdicts."""

    key: Key
    names: CertificateNames
    policy: Policy
    expected: bool
    either: bool = False

    @property
    def ours(self) -> bool:
        """Whether a connection to the host would be made; a host that is refused is not connected to."""
        try:
            host = parse_host(self.key[1])
        except CallerError:
            return False
        return isinstance(match(host, self.names, self.policy), Match)

    @property
    def differs(self) -> bool:
        return not self.either and self.ours != self.expected


def _of_a_pattern(line: dict[str, Any]) -> Case:
    """Tables of pairs: the pattern is one dNSName."""
    names = CertificateNames((), (line["pattern"],))
    either = line.get("allowed_either", False)
    key = (line["pattern"], line["host"])
    return Case(key, names, Policy.SUBJECT_ALTERNATIVE_NAME, line["expected"], either)


def _of_a_certificate(line: dict[str, Any]) -> Case:
    """CPython's policy: the Common Name counts where there is neither dNSName nor iPAddress (RFC 6125)."""
    addresses = tuple(ip_address(text.strip()) for text in line["ip"])
    names = CertificateNames(tuple(line["cn"]), tuple(line["dns"]), addresses)
    policy = Policy.SUBJECT_ALTERNATIVE_NAME if names.dns or names.ip else Policy.COMMON_NAME
    return Case(
        (" ".join((*line["cn"], *line["dns"], *line["ip"])), line["host"]), names, policy, line["expected"]
    )


TABLES: dict[str, tuple[str, int, Callable[[dict[str, Any]], Case]]] = {
    "CPython": ("cpython311_match_hostname.json", 61, _of_a_certificate),
    "OpenSSL": ("openssl_v3nametest.json", 2500, _of_a_pattern),
    "curl": ("curl_unit1397.json", 46, _of_a_pattern),
    "Go": ("go_match_hostnames.json", 38, _of_a_pattern),
    "service-identity": ("service_identity_hostname.json", 12, _of_a_pattern),
}
"""Each table's file, how many cases it has, and how a line is read."""


def tables_folder() -> Path:
    return _REPOSITORY / (os.environ.get("SMARTLIC_TABLES") or "../shared/tables")


def read_table(name: str) -> list[Case]:
    """All cases of a table; skips the test where the table is not there."""
    file, _, read = TABLES[name]
    path = tables_folder() / file
    if not path.is_file():
        pytest.skip(f"this judge was absent: {path} is not there (SMARTLIC_TABLES names the folder)")
    return [read(line) for line in json.loads(path.read_text(encoding="utf-8"))["cases"]]
