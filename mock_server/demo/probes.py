"""Clients that ask again and again, for pages or as products do, each time on a new connection.

They measure whether a server answers. The chain of its certificate is checked, its name is not: whether
products would accept that is what steps such as B1.7 are about.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from smartlic_client.protocol import smart
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import HelloRequest, RequestHeader, Sudi

__all__ = ["PERIOD", "Probe", "Request", "Tally", "Trace"]

PERIOD = 0.05
"""Seconds from one request to the next; a request that takes longer is waited for."""
TIMEOUT = 2.0
KEPT = 4000
"""Requests that are kept one by one. Over this, every second one that was answered is dropped."""
_REASONS = 20


@dataclass(frozen=True)
class Request:
    """`at`: Unix seconds when it was begun. `failure`: "" where it was answered."""

    at: float
    seconds: float
    failure: str = ""


@dataclass
class Tally:
    """The requests of one act. `silence`: the longest time from one answer to the next, in seconds.

    It counts in the act in which it ends. `since`: Unix seconds when it began. `open`: no answer ended it.
    """

    act: str
    sent: int = 0
    failed: int = 0
    silence: float = 0.0
    since: float = 0.0
    open: bool = False
    reasons: Counter[str] = field(default_factory=Counter)

    def silent(self, since: float, until: float, *, ended: bool) -> None:
        if until - since > self.silence:
            self.silence, self.since, self.open = until - since, since, not ended


@dataclass
class Trace:
    """What a probe saw. `requests`: all that failed, and of the others as many as are kept."""

    title: str
    requests: list[Request] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    _last: float = 0.0
    _every: int = 1
    _answered: int = 0

    def begin(self, at: float) -> None:
        self._last = at

    def add(self, request: Request, act: str) -> None:
        tally = self._tally(act)
        tally.sent += 1
        if request.failure:
            tally.failed += 1
            if len(tally.reasons) < _REASONS:
                tally.reasons[request.failure] += 1
            self.requests.append(request)
        else:
            now = request.at + request.seconds
            tally.silent(self._last, now, ended=True)
            self._last = now
            self._answered += 1
            if self._answered % self._every == 0:
                self.requests.append(request)
        if len(self.requests) > KEPT:
            self._thin()

    def end(self, at: float) -> None:
        """The watch is over: a silence that nothing has ended counts as well."""
        for tally in self.tallies[-1:]:
            tally.silent(self._last, at, ended=False)

    def _tally(self, act: str) -> Tally:
        if not self.tallies or self.tallies[-1].act != act:
            self.tallies.append(Tally(act))
        return self.tallies[-1]

    def _thin(self) -> None:
        answered = [request for request in self.requests if not request.failure]
        dropped = set(map(id, answered[::2]))
        kept = [request for request in self.requests if id(request) not in dropped]
        self.requests = kept if len(kept) <= KEPT else kept[-KEPT:]
        self._every *= 2


class Probe:
    """Asks one address for one thing. `anchor`: path of the trust anchor, in PEM."""

    def __init__(self, host: str, port: int, kind: Literal["gui", "devices"], anchor: str) -> None:
        self._host, self._port = host, port
        self._context = ssl.create_default_context(cafile=anchor)
        self._context.check_hostname = False
        self._ask = _health if kind == "gui" else _hello

    def ask(self) -> Request:
        at, began = time.time(), time.perf_counter()
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=TIMEOUT, context=self._context
        )
        try:
            status = self._ask(connection)
            failure = "" if status == 200 else f"HTTP {status}"
        except (OSError, http.client.HTTPException) as error:
            failure = _word(error)
        finally:
            connection.close()
        return Request(at, time.perf_counter() - began, failure)


def _health(connection: http.client.HTTPSConnection) -> int:
    connection.request("GET", "/health")
    return _status(connection)


def _hello(connection: http.client.HTTPSConnection) -> int:
    connection.request("POST", "/SmartTransport", _HELLO, {"Content-Type": smart.CONTENT_TYPE})
    return _status(connection)


def _status(connection: http.client.HTTPSConnection) -> int:
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _word(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return "no answer in time"
        case ConnectionError() | http.client.RemoteDisconnected() | ssl.SSLEOFError():
            return "connection closed"
        case socket.gaierror():
            return "no such host"
        case ssl.SSLError():
            return f"TLS: {error.reason or type(error).__name__}"
    return type(error).__name__


_HELLO = smart.encode_request(
    RequestHeader(
        sudi=Sudi.of(Udi(pid="PROBE", sn="PROBE")),
        nonce="1",
        request_type="HELLO",
        product_instance_identifier="",
    ),
    HelloRequest(
        nonce="1",
        message_id="00000000-0000-4000-8000-000000000000",
        sequence=1,
        software_tag_identifier="regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72",
    ),
    None,
)
