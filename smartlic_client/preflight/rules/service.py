"""What answered at the path, on the connection whose chain and name held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smartlic_client.preflight.catalogue import Finding, Severity, entry
from smartlic_client.preflight.observation import Observation, Service
from smartlic_client.preflight.options import Options

__all__ = ["find"]

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
_URLS = "Protocol, Destination URLs"

missing = entry(
    "path-missing",
    "service",
    _ERROR,
    "There is nothing at the path",
    seen="{url} answers with HTTP {status} to {sent}.",
    expected="a service for licensing messages at {path}",
    mend="Check the port and the path: for the transport {transport} the path is {right}.",
    reference=_URLS,
)
redirects = entry(
    "path-redirects",
    "service",
    _ERROR,
    "The path redirects",
    seen="{url} redirects to {location} (HTTP {status}), and licensing messages follow no redirect.",
    expected="a service for licensing messages at {path}",
    mend="Put the URL of the licensing service itself into the destination, and look who "
    "redirects: often a portal "
    "or a proxy in the way, or the port of the pages.",
    reference="Names, When it is checked",
)
not_licensing = entry(
    "path-not-licensing",
    "service",
    _WARNING,
    "What answers does not look like a licensing server",
    seen="{url} answers with HTTP {status} and {content} to {sent}.",
    expected="JSON or XML, or a refusal of a message without a body",
    mend="Check host, port and path. If they are right, a portal or a proxy may answer in the "
    "server's place; else "
    "try one product before you migrate all.",
    reference=_URLS,
)
forbidden = entry(
    "path-forbidden",
    "service",
    _WARNING,
    "The path is refused",
    seen="{url} answers with HTTP {status} to {sent}.",
    expected="a service for licensing messages at {path}",
    mend="Look into the log of the server, and into the rules of a proxy or a firewall before it: "
    "it asks for a "
    "sign-in that products cannot give.",
    reference=_URLS,
)
unavailable = entry(
    "server-unavailable",
    "service",
    _ERROR,
    "The server says that it cannot answer now",
    seen="{url} answers with HTTP {status}.",
    expected="an answer of the licensing service",
    mend="Wait and check again (--watch). If it stays, check the services of the node that holds the VIP.",
    reference="RFC 9110, section 15.6.4",
)
no_answer = entry(
    "path-no-answer",
    "service",
    _WARNING,
    "No answer to a request",
    seen="Chain and name hold, and {url} gives no answer to {sent} ({failure}).",
    expected="an HTTP answer",
    mend="Check that the services of the server are up, and whether a middlebox cuts connections.",
    reference=_URLS,
)
proxy = entry(
    "proxy-in-the-way",
    "service",
    _WARNING,
    "A proxy is in the way",
    seen="The answer bears the mark of a proxy ({marks}).",
    expected="the server itself",
    mend="Let the products reach the cluster without the proxy, or make sure that it passes POST "
    "to {path} on.",
    reference="Names, The preflight check; RFC 9110, section 7.6.3",
)
clock = entry(
    "clock-differs",
    "service",
    _WARNING,
    "The clocks differ",
    seen="The server's clock is {seconds:.0f} seconds {direction} this machine's.",
    expected="a difference of less than {most:.0f} seconds",
    mend="Set both clocks by NTP: certificates and ID tokens are valid between two points in time.",
    reference="Names, The preflight check",
)

_LATER = {429, 502, 503, 504}
_MOST_SECONDS = 120.0


def find(seen: Observation, _options: Options) -> Iterator[Finding]:
    service, target = seen.service, seen.target
    if service is None:
        return
    if service.intermediaries:
        yield proxy(target.label, marks="; ".join(service.intermediaries), path=target.path)
    if service.date is not None and abs(service.date - service.at) > _MOST_SECONDS:
        ahead = service.date - service.at
        direction = "ahead of" if ahead > 0 else "behind"
        yield clock(target.label, seconds=abs(ahead), direction=direction, most=_MOST_SECONDS)
    facts = {"url": target.url, "path": target.path, "sent": _sent(service), "status": service.status}
    yield from _answer(seen, service, facts)


def _answer(seen: Observation, service: Service, facts: dict[str, Any]) -> Iterator[Finding]:
    label, status, kind = seen.target.label, service.status, seen.target.kind
    if status == 0:
        yield no_answer(label, failure=service.failure, **facts)
    elif status in _LATER:
        yield unavailable(label, **facts)
    elif service.understood:
        return
    elif 300 <= status < 400:
        yield redirects(label, location=service.location or "nowhere", **facts)
    elif status in (404, 405, 410):
        yield missing(label, transport=kind.value, right=kind.path, **facts)
    elif status in (401, 403, 407):
        yield forbidden(label, **facts)
    else:
        yield not_licensing(label, content=service.content_type or "no content type", **facts)


def _sent(service: Service) -> str:
    return "a POST without a body" if service.sent == "POST" else f"a {service.sent}"
