"""An earlier result of the check, read back for --compare-with; and this run as one, for --watch."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import msgspec

from smartlic_client.hosts import InvalidName
from smartlic_client.names import CertificateNames
from smartlic_client.preflight.options import Earlier
from smartlic_client.preflight.problems import BAD_EARLIER
from smartlic_client.preflight.reports.document import (
    SCHEMA_VERSION,
    CertificateData,
    Document,
    ResultData,
    build,
)
from smartlic_client.preflight.run import Run

__all__ = ["earlier_of", "load_earlier"]

_LARGEST = 1 << 30


def load_earlier(path: str) -> dict[str, Earlier]:
    """Target → what was seen of it. Raises `check-bad-earlier`."""
    try:
        with Path(path).open("rb") as file:
            document = msgspec.json.decode(file.read(_LARGEST), type=Document)
    except OSError as error:
        raise BAD_EARLIER(path=path, why=error.strerror) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BAD_EARLIER(path=path, why=str(error)) from None
    if document.schema_version != SCHEMA_VERSION:
        why = f"its schema version is {document.schema_version}, and this release reads {SCHEMA_VERSION}"
        raise BAD_EARLIER(path=path, why=why)
    return _by_target(document)


def earlier_of(run: Run) -> dict[str, Earlier]:
    """The same, of a run that has just been made."""
    return _by_target(build(run))


def _by_target(document: Document) -> dict[str, Earlier]:
    found = {}
    for result in document.results:
        if earlier := _earlier(result, document.checked_at):
            found[result.target] = earlier
    return found


def _earlier(result: ResultData, at: str) -> Earlier | None:
    chain = next((each.chain for each in result.observed.endpoints if each.chain), None)
    if chain is None:
        return None
    issuers = tuple(each.issuer for each in chain)
    return Earlier(
        at=at,
        fingerprint=chain[0].fingerprint,
        names=_names(chain[0]),
        issuers=issuers,
        active=result.observed.active,
    )


def _names(data: CertificateData) -> CertificateNames:
    ip = tuple(_address(text) for text in data.ip_addresses)
    return CertificateNames(tuple(data.common_names), tuple(data.dns_names), ip)


def _address(text: str) -> IPv4Address | IPv6Address | InvalidName:
    try:
        return ip_address(text)
    except ValueError:
        return InvalidName(text, "it is no address")
