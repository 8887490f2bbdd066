"""The destination URL of a transport (protocol, "Destination URLs"), from the little that a person gives."""

from __future__ import annotations

from urllib.parse import quote

from smartlic_client.errands import NO_DESTINATION, Settings
from smartlic_client.errors import CallerError, problem
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.transports import CSLU_PATH, TransportKind
from smartlic_client.transport.urls import Destination

__all__ = ["KINDS", "destination_url", "kind_of"]

KINDS = ("callhome", "smart", "cslu", "off")

ANOTHER_TRANSPORT = problem(
    "another-transport",
    CallerError,
    "{url} is a URL of the transport {found}, not of {kind}.",
    "Give the URL of {kind}, or https://HOST:PORT alone, or `transport {found}`.",
)
CSLU_ACCOUNT_NEEDED = problem(
    "cslu-account-needed",
    CallerError,
    "The CSLU URL ends with the name of the local account, and this device knows none.",
    "Give the whole URL, as the server shows it: https://HOST/cslu/v1/pi/LOCAL%20ACCOUNT-1",
)


def kind_of(path: str) -> str:
    """`callhome`, `smart` or `cslu`, as people call what sends to such a path."""
    return "cslu" if path.startswith(CSLU_PATH) else TransportKind.of_path(path).value


def destination_url(kind: str, url: str | None, settings: Settings, record: Record) -> str:
    """The URL of a transport. Without `url`, or without a path in it, host and path are filled in.

    Raises no-destination, another-transport, cslu-account-needed, and as `Destination.parse`.
    """
    if url is None:
        if settings.url is None:
            raise NO_DESTINATION()
        given = Destination.parse(settings.url)
        if kind_of(given.path) == kind:
            return given.url
        bare = True
    else:
        given = Destination.parse(url)
        bare = url.partition("://")[2].partition("/")[2] == ""
    if bare:
        return f"https://{given.authority}{_path(kind, record)}"
    # A path that is none of ours counts as a Transport Gateway's.
    if (found := kind_of(given.path)) != kind:
        raise ANOTHER_TRANSPORT(url=given.url, found=found, kind=kind)
    return given.url


def _path(kind: str, record: Record) -> str:
    if kind != "cslu":
        return TransportKind(kind).path
    usage = record.usage
    identity = usage.identity if usage is not None and usage.identity is not None else record.identity
    if identity is None:
        raise CSLU_ACCOUNT_NEEDED()
    return f"{CSLU_PATH}{quote(identity.smart_account, safe='')}-1"
