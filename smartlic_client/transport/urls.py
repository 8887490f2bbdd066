"""Destination URLs (protocol, "Destination URLs"): strict, since one that is nearly right is hard to see."""

from __future__ import annotations

import re
from dataclasses import dataclass

from smartlic_client.errors import CallerError, SmartlicError, problem
from smartlic_client.names import Host, parse_host
from smartlic_client.protocol.transports import TransportKind

__all__ = ["Destination"]

_FORM = "Write the destination as {form}, with the VIP or the name of the cluster for HOST."

bad_url = problem("bad-url", CallerError, "{url!r} is no destination URL: {reason}.", _FORM)
not_https = problem(
    "not-https",
    CallerError,
    "{url!r} is not an https URL: licensing messages are sent over TLS only.",
    _FORM,
)

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)")
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]{1,5}))?")
# pchar of RFC 3986, section 3.3
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go. Made by `parse`; the scheme is always https.

    `url` is the canonical spelling: host in lower case and A-labels, port 443 left out, path as given.
    """

    host: Host
    port: int
    path: str
    url: str
    kind: TransportKind

    @classmethod
    def parse(cls, url: str, kind: TransportKind = TransportKind.SMART) -> Destination:
        """Read a destination URL. Without a path (or with `/` alone) the path of the transport is taken.

        Raises the problems `bad-url`, `not-https` and `bad-host`. User information, query and fragment are
        refused: no destination has any, and the first would put a secret into logs.
        """
        if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in url):
            raise _bad(url, kind, "it holds a blank or a control character")
        parts = _URL.fullmatch(url)
        if parts is None:
            raise _bad(url, kind, "it does not begin with https:// and a host")
        if parts["scheme"].lower() != "https":
            raise not_https(url=_without_user(url), form=_form(kind))
        if "@" in parts["authority"]:
            raise _bad(url, kind, "it holds a user name")
        if parts["rest"]:
            raise _bad(url, kind, "it holds a query or a fragment")
        host, port = _read_authority(url, kind, parts["authority"])
        path = kind.path if parts["path"] in ("", "/") else parts["path"]
        if not _PATH.fullmatch(path) or {".", ".."} & set(
            path.replace("%2e", ".").replace("%2E", ".").split("/")
        ):
            raise _bad(url, kind, "its path holds a character or a segment that a path cannot have")
        authority = host.url_text if port == 443 else f"{host.url_text}:{port}"
        return cls(host, port, path, f"https://{authority}{path}", kind)

    @property
    def authority(self) -> str:
        """Host and port as the HTTP field `Host` has them."""
        return self.url.removeprefix("https://").partition("/")[0]


def _read_authority(url: str, kind: TransportKind, authority: str) -> tuple[Host, int]:
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None and authority.count(":") > 1 and "[" not in authority:
        raise _bad(url, kind, "an IPv6 address stands in brackets in a URL")
    if parts is None:
        raise _bad(url, kind, "what follows the host is no port number")
    port = int(parts["port"] or 443)
    if not 1 <= port <= 65535:
        raise _bad(url, kind, f"there is no port {port}")
    return parse_host(parts["host"]), port


def _bad(url: str, kind: TransportKind, reason: str) -> SmartlicError:
    return bad_url(url=_without_user(url), reason=reason, form=_form(kind))


def _without_user(url: str) -> str:
    """The URL without what may be a password in it: errors are logged."""
    return re.sub(r"//[^/?#]*@", "//", url)


def _form(kind: TransportKind) -> str:
    return f"https://HOST{kind.path}"
