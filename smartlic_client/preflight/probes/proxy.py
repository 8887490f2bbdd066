"""A proxy that is asked to CONNECT; TLS goes through it to the server (RFC 9110, section 9.3.6)."""

from __future__ import annotations

import base64
import socket
from urllib.parse import unquote, urlsplit

import msgspec

from smartlic_client.errors import SmartlicError
from smartlic_client.names import parse_host
from smartlic_client.preflight.observation import Outcome
from smartlic_client.preflight.probes.connect import FailedError, connect, failure_of, left
from smartlic_client.preflight.probes.resolve import Resolver

__all__ = ["Proxy", "read_proxy"]

_LONGEST_HEAD = 16384
_resolver = Resolver({})


class Proxy(msgspec.Struct, frozen=True):
    """`authorization`: the value of Proxy-Authorization, or None. It is never shown."""

    host: str
    port: int
    authorization: str | None = None

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def connect(self, host: str, port: int, until: float) -> socket.socket:
        """A tunnel to the host. Raises FailedError with the outcome `proxy`."""
        try:
            sock = connect(self._address(until), self.port, until)
        except FailedError as error:
            raise self._failed(error.detail) from None
        try:
            self._ask(sock, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", until)
        except OSError as error:
            sock.close()
            raise self._failed(failure_of(error).detail) from None
        except FailedError:
            sock.close()
            raise
        return sock

    def _address(self, until: float) -> str:
        found = _resolver.resolve(parse_host(self.host), self.port, until)
        if not found.addresses:
            raise self._failed(f"its name could not be resolved ({found.failure})")
        return found.addresses[0]

    def _ask(self, sock: socket.socket, authority: str, until: float) -> None:
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", "User-Agent: smartlic-check"]
        if self.authorization:
            lines.append(f"Proxy-Authorization: {self.authorization}")
        sock.settimeout(left(until))
        sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head = b""
        while (
            b"\r\n\r\n" not in head
        ):  # the server is silent until we begin TLS: nothing of it can be in there
            sock.settimeout(left(until))
            piece = sock.recv(4096)
            if not piece or len(head) > _LONGEST_HEAD:
                raise self._failed("it did not answer the CONNECT")
            head += piece
        status = head.split(b"\r\n", 1)[0].decode("latin-1").strip()
        code = status.split(" ")[1:2]
        if not status.startswith("HTTP/") or not code or not code[0].startswith("2"):
            raise self._failed(f"it answered the CONNECT with {status[:100]!r}")

    def _failed(self, why: str) -> FailedError:
        return FailedError(Outcome.PROXY, f"the proxy {self.authority}: {why}")


def read_proxy(text: str) -> Proxy:
    """`http://[user:password@]HOST:PORT`. Raises ValueError, which repeats nothing of a password."""
    try:
        parts = urlsplit(text)
    except ValueError:  # of brackets that do not close
        raise ValueError("it is no URL of the form http://HOST:PORT") from None
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("it is no URL of the form http://HOST:PORT")
    try:
        host, port = parse_host(parts.hostname).text, parts.port or 8080
    except SmartlicError as error:
        raise ValueError(error.sentence.rstrip(".")) from None
    except ValueError:
        raise ValueError("its port is no port number") from None
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(host, port, authorization)
