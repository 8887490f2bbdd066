"""The Host Common Name, the names that are served, and the trust anchor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryptography import x509

from mock_server import issuing, pki
from mock_server.control import browser
from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain import administration, problems
from mock_server.serving import Serving
from smartlic_client.errors import SmartlicError
from smartlic_client.names import DnsHost, parse_host

__all__ = ["OPERATIONS", "described", "host_common_name", "settled_anchor"]


class _CommonName(Fields, kw_only=True):
    name: str


async def common_name(serving: Serving, fields: _CommonName) -> Answer:
    name = host_common_name(fields.name, issuing.served_hosts(serving))
    happened = administration.set_common_name(serving.state, name)
    await serving.commit(fields.by, happened)
    return {**described(serving, await serving.anchor()), "changed": bool(happened)}


async def certificates(serving: Serving, _fields: Fields) -> Answer:
    return described(serving, await settled_anchor(serving))


async def settled_anchor(serving: Serving) -> x509.Certificate:
    """The trust anchor, once all that is in memory is safe."""
    anchor = await serving.anchor()
    await serving.ledger.settled()
    return anchor


def described(serving: Serving, anchor: x509.Certificate) -> Answer:
    """What is set and what is served now."""
    settings = serving.state.settings
    pending = settings.common_name != settings.served_name
    note = (
        "The certificates still bear the former name. Synchronize the local accounts with Cisco Smart "
        "Software Manager; products that use the new name before that fail to register."
    )
    return {
        "common_name": settings.common_name,
        "served_name": settings.served_name,
        "pending": pending,
        "note": note if pending else "",
        "to_synchronize": administration.behind(serving.state),
        "browser_certificate": browser.described(serving),
        "trust_anchor": pki.to_pem(anchor).decode(),
        "fingerprint": pki.fingerprint(anchor),
    }


def host_common_name(text: str, addresses: list[str]) -> str:
    """The name in its one spelling. With both families configured it has to be an FQDN (B1.4)."""
    try:
        host = parse_host(text)
    except SmartlicError as error:
        raise problems.BAD_COMMON_NAME(name=text, why=error.sentence.rstrip(".")) from None
    families = {":" in address for address in addresses}
    if len(families) == 2 and not isinstance(host, DnsHost):
        why = "the cluster has IPv4 and IPv6 addresses, and products reach it by either"
        raise problems.BAD_COMMON_NAME(name=text, why=why)
    if isinstance(host, DnsHost) and len(host.text) > 64:
        why = "a Common Name holds 64 characters (RFC 5280, appendix A.1)"
        raise problems.BAD_COMMON_NAME(name=text, why=why)
    return host.text


OPERATIONS: Final[Mapping[str, Operation]] = {
    "common-name": Operation(_CommonName, common_name),
    "certificates": Operation(Fields, certificates),
    **browser.OPERATIONS,
}
