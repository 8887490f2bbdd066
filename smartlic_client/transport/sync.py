"""Messages over HTTPS on requests, in the calling thread.

What requests and urllib3 do by themselves and must not (names, "Measured: how to enforce it in requests and
httpx"): load certifi's roots next to the anchors given, match names by their own rule, take proxies and
credentials from the environment, follow redirects, keep cookies, unpack and buffer a body of any size.
"""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3
import urllib3.connection
import urllib3.exceptions as lower

from smartlic_client.errors import RemoteError
from smartlic_client.names import Policy
from smartlic_client.transport import HttpAnswer
from smartlic_client.transport.common import (
    HEADER,
    Addresses,
    HttpRequest,
    Reading,
    checked_addresses,
    checked_proxy,
)
from smartlic_client.transport.errors import (
    STDLIB_RULES,
    Rules,
    connection_closed,
    connection_failed,
    connection_timeout,
    not_a_licensing_server,
    problem_for,
    proxy_failed,
    tls_failed,
)
from smartlic_client.transport.tls import LicensingContext, TimedSocket, context_for, deadline
from smartlic_client.transport.urls import Destination

__all__ = ["SyncTransport"]

_CHUNK = 65536

# Everything that requests and urllib3 raise, warnings that were turned into errors too
_LOWER = (
    requests.exceptions.RequestException,
    requests.exceptions.RequestsWarning,
    lower.HTTPError,
    lower.HTTPWarning,
    lower.ProxySchemeUnsupported,
    http.client.HTTPException,
    OSError,
)

_RULES: Rules = (
    ((requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL), proxy_failed),
    ((lower.ProxyError, lower.ProxySchemeUnknown, lower.ProxySchemeUnsupported), proxy_failed),
    *STDLIB_RULES,
    ((requests.exceptions.SSLError, lower.SSLError), tls_failed),
    # a subclass of ConnectTimeoutError, whatever the cause
    (lower.NewConnectionError, connection_failed),
    ((requests.exceptions.Timeout, lower.TimeoutError), connection_timeout),
    ((requests.exceptions.ContentDecodingError, lower.DecodeError), not_a_licensing_server),
    ((requests.exceptions.ChunkedEncodingError, lower.ProtocolError), connection_closed),
)


class SyncTransport:
    """Sends messages to destinations whose chain leads to `anchors_pem` and whose name holds.

    `connect_timeout`: seconds for each address of the name, for the TLS handshake, and for the proxy.
    `read_timeout`: seconds of silence after which an answer is given up. Both together are the most that a
    `post` takes. `resolve`: addresses of names that are not asked of the DNS, by host and port, as curl's
    --resolve; the name that is checked stays that of the URL. `proxy`: `http://[user:password@]host:port`.
    `policy`: which names of the certificate count.

    Raises `bad-anchors`, `bad-proxy`, `bad-host`. Threads may share a transport.
    """

    def __init__(
        self,
        anchors_pem: bytes,
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        resolve: Mapping[tuple[str, int], str] | None = None,
        proxy: str | None = None,
        policy: Policy = Policy.COMMON_NAME,
    ) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._session = _Session()
        context = context_for(anchors_pem, policy)
        self._session.mount("https://", _Adapter(context, checked_addresses(resolve or {})))
        if proxy is not None:
            self._session.proxies = {"https": checked_proxy(proxy)}

    def post(self, destination: Destination, body: bytes, content_type: str) -> HttpAnswer:
        """Send a message and return the answer: 2xx, or 4xx with a JSON or XML body.

        Raises CommunicationError, TrustError or AnswerError of `transport.errors`, and nothing of requests or
        urllib3. Nothing is tried again here.
        """
        return self.exchange(HttpRequest(destination, header={"Content-Type": content_type}, body=body))

    def exchange(self, request: HttpRequest) -> HttpAnswer:
        """The same for any request: which answers are returned is up to its judge. A failure knows `sent`."""
        outer = sys.exception()
        with deadline(sum(self._timeouts)) as course:
            try:
                response = self._session.request(
                    request.method,
                    request.url,
                    data=request.body,
                    headers={**request.header, "Host": request.destination.authority},
                    timeout=self._timeouts,
                    stream=True,
                    allow_redirects=False,
                )
                with closing(response):
                    return _read(response, request)
            except _LOWER as error:
                found = problem_for(error, request.destination, _RULES, outer)
                if isinstance(found, RemoteError):
                    found.sent = course.sent
                raise found from error

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._session.close()

    def __enter__(self) -> SyncTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read(response: requests.Response, request: HttpRequest) -> HttpAnswer:
    reading = Reading(response.status_code, response.headers, request)
    # not `iter_content`, which unpacks
    while chunk := response.raw.read(_CHUNK, decode_content=False):
        reading.feed(chunk)
    return reading.finish()


class _Session(requests.Session):
    """A session of requests without its helpfulness."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()  # http:// among them
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update(HEADER)

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        """No answer is a redirect. (Even unfollowed, requests would read its whole body to look ahead.)"""
        return


class _Adapter(requests.adapters.HTTPAdapter):
    """Connects with one `LicensingContext`, and to the addresses given for names."""

    def __init__(self, context: LicensingContext, addresses: Addresses) -> None:
        self._context = context
        self._addresses = addresses
        super().__init__()

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, *, verify: Any = True, cert: Any = None, **settings: Any
    ) -> requests.Response:
        if verify is not True or cert is not None:
            raise ValueError("a licensing connection is always verified, by its own anchors only")
        return super().send(request, verify=True, cert=None, **settings)

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        verify: Any,  # noqa: ARG002
        cert: Any = None,  # noqa: ARG002
    ) -> tuple[Any, Any]:
        """Where to connect, and under which TLS settings; requests' own would bring certifi's roots."""
        parts = urlsplit(str(request.url))
        host, port = parts.hostname or "", parts.port or 443
        target = {"scheme": "https", "host": self._addresses.get((host, port), host), "port": port}
        return target, {
            "ssl_context": self._context,
            "cert_reqs": "CERT_REQUIRED",
            "assert_hostname": False,  # else urllib3 matches the name by its own rule after ours
            "server_hostname": host,
        }

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: requests would hand certifi's bundle to urllib3, which loads it into the context."""

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def proxy_manager_for(self, proxy: str, **settings: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **settings)
        manager.pool_classes_by_scheme = {"https": _Pool}
        return manager


class _Connection(urllib3.connection.HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers, with a socket that keeps the deadline."""
        refusal: OSError = socket.gaierror(socket.EAI_NONAME, "there is no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            sock = TimedSocket(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(self.timeout)
                sock.connect(address)
            except OSError as error:
                sock.close()
                refusal = error
            else:
                return sock
        raise refusal


class _Pool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Connection
