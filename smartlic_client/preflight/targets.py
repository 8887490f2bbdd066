"""What is checked: a URL, `host:port`, a bare host or a certificate file, as people write them.

A flawed URL is read as far as it can be: its flaws become findings, and what is behind it is checked all the
same, so that one run tells all that is wrong. What the strict reading of `transport.urls` takes has no flaw.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from smartlic_client.errors import SmartlicError
from smartlic_client.names import DnsHost, Host, parse_host
from smartlic_client.preflight.observation import Flaw, Target
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.urls import Destination

__all__ = ["read_authority", "read_target"]

_ENDINGS = (".pem", ".crt", ".cer", ".cert", ".der", ".p12", ".pfx", ".p7b", ".p7c")
# Compiled at first use: most targets pass the strict reading, and never come here.
_PARTS = r"(?s)(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)"
_AUTHORITY = r"(?s)(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>.*))?"
_LONGEST = 200


def read_target(text: str, name: str | None = None) -> Target:
    """Read one target. Never raises: what is wrong with it is in its flaws."""
    text = text.strip().encode("utf-8", "backslashreplace").decode()
    if _is_file(text):
        return Target(label=text, file=text, name=name)
    try:
        destination = Destination.parse(text, TransportKind.CALLHOME)
    except SmartlicError:
        return _read_as_it_is(text, name)
    return _target(destination.host, destination.port, destination.path, (), name)


def read_authority(text: str) -> tuple[Host, int | None]:
    """`HOST` or `HOST:PORT`, an IPv6 address in brackets then. Raises bad-host and ValueError."""
    if text.count(":") > 1 and not text.startswith("["):
        return parse_host(text), None
    parts = re.fullmatch(_AUTHORITY, text)
    if parts is None:
        return parse_host(text), None
    port = parts["port"]
    if port is None:
        return parse_host(parts["host"]), None
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise ValueError(f"there is no port {port[:20]}")
    return parse_host(parts["host"]), int(port)


def _is_file(text: str) -> bool:
    if "://" in text or not text:
        return False
    if text.lower().endswith(_ENDINGS) or text.startswith(("/", "./", "../", "~/", ".\\")):
        return True
    try:
        return ("/" in text or os.sep in text or "." in text) and Path(text).is_file()
    except (OSError, ValueError):  # a name that no file system takes
        return False


def _target(host: Host, port: int, path: str, flaws: tuple[Flaw, ...], name: str | None) -> Target:
    authority = host.url_text if port == 443 else f"{host.url_text}:{port}"
    url = f"https://{authority}{path}"
    more = [*flaws]
    if isinstance(host, DnsHost) and host.has_underscore:
        more.append(Flaw("host-underscore", host.text))
    more += _flaws_of_port(port) + _flaws_of_path(path)
    kind = TransportKind.of_path(path)
    return Target(
        label=url, host=host, port=port, path=path, url=url, kind=kind, name=name, flaws=tuple(more)
    )


def _flaws_of_port(port: int) -> list[Flaw]:
    if port in (80, 8080):
        return [Flaw("url-port-unusual", f"{port} is a port for HTTP without TLS")]
    if port == 8443:
        return [Flaw("url-port-unusual", "8443 is the port of the pages and of the REST API")]
    return []


def _flaws_of_path(path: str) -> list[Flaw]:
    known = [kind.path for kind in TransportKind]
    if path in known or re.fullmatch(r"/cslu/v1/pi/[^/]+", path):
        return []
    for right in known:
        if path.rstrip("/").lower() == right.lower():
            return [Flaw("url-path-misspelt", right)]
    return [Flaw("url-path-unknown", path)]


def _read_as_it_is(text: str, name: str | None) -> Target:
    """Not a destination by the strict rule: take it apart, and say what is wrong with each part."""
    shown = _without_secret(text)
    if not text or any(character <= " " or character == "\x7f" for character in text):
        why = "it is empty" if not text else "it holds a blank or a control character"
        return _unreadable(shown, Flaw("url-malformed", why), name)
    bare = _bare_ipv6(text)
    parts = re.fullmatch(_PARTS, f"[{text}]" if bare else text)
    authority = re.fullmatch(_AUTHORITY, parts["authority"].rpartition("@")[2]) if parts else None
    if parts is None or authority is None:
        return _unreadable(shown, Flaw("url-malformed", "it is neither a URL nor a host"), name)
    flaws = _flaws_of_form(parts)
    try:
        host = parse_host(authority["host"])
    except SmartlicError as error:
        reason = str(error.context.get("reason", error.sentence))
        return _unreadable(shown, Flaw("url-host-malformed", reason), name, flaws)
    port = authority["port"]
    if port is not None and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        flaws.append(Flaw("url-port-out-of-range", port[:20]))
        return _unreadable(shown, flaws.pop(), name, flaws)
    path = TransportKind.CALLHOME.path if parts["path"] in ("", "/") else parts["path"]
    if not re.fullmatch(r"[\x21-\x7e]+", path):
        return _unreadable(shown, Flaw("url-malformed", "its path holds what no path can hold"), name, flaws)
    return _target(host, int(port or 443), path, tuple(flaws), name)


def _bare_ipv6(text: str) -> bool:
    return text.count(":") > 1 and not any(mark in text for mark in "[/@")


def _flaws_of_form(parts: re.Match[str]) -> list[Flaw]:
    """What is wrong beside host, port and path. A target without a scheme is a short form, and no flaw."""
    flaws = []
    scheme = (parts["scheme"] or "https").lower()
    if scheme != "https":
        flaws.append(Flaw("url-not-https", scheme))
    if "@" in parts["authority"]:
        flaws.append(Flaw("url-user-info", ""))
    if parts["rest"]:
        flaws.append(Flaw("url-query-or-fragment", parts["rest"][:_LONGEST]))
    return flaws


def _unreadable(shown: str, flaw: Flaw, name: str | None, more: list[Flaw] | None = None) -> Target:
    label = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown)} characters)"
    return Target(label=label or "(empty)", name=name, flaws=(*(more or []), flaw))


def _without_secret(text: str) -> str:
    """The URL without what may be a password in it: reports are sent around."""
    return re.sub(r"(^|//)[^/?#]*@", r"\1", text)
