"""The transport on requests against real servers: what passes, how failures are called, what is not sent."""

from __future__ import annotations

import inspect
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import urllib3.exceptions

from smartlic_client.errors import (
    AnswerError,
    CallerError,
    CommunicationError,
    SmartlicError,
    TrustError,
)
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport import MAX_ANSWER, HttpAnswer
from smartlic_client.transport.common import HttpRequest
from smartlic_client.transport.errors import parse_retry_after, problem_for
from smartlic_client.transport.sync import _LOWER, _RULES, SyncTransport
from smartlic_client.transport.tls import context_for
from smartlic_client.transport.urls import Destination
from tests.unit.client.tls_servers import (
    CLIENT_AUTH,
    DAY,
    OK_JSON,
    Authority,
    ConnectProxy,
    Handler,
    RawServer,
    TcpServer,
    answer_with,
    http,
)
from tests.unit.preflight.servers import Babbles

AUTHORITY = Authority()
CERTIFICATE = AUTHORITY.issue("127.0.0.1")
NAMED = AUTHORITY.issue("ssm.example.com")
BODY = b'{"request": "hello"}'


@pytest.fixture
def transport() -> Iterator[SyncTransport]:
    with SyncTransport(AUTHORITY.pem, connect_timeout=5, read_timeout=5) as transport:
        yield transport


def destination(server: TcpServer, host: str = "127.0.0.1") -> Destination:
    return Destination.parse(f"https://{host}:{server.port}")


def post(transport: SyncTransport, server: TcpServer, host: str = "127.0.0.1") -> HttpAnswer:
    return transport.post(destination(server, host), BODY, "application/json")


def failure(transport: SyncTransport, handler: Handler) -> SmartlicError:
    """The error that `handler`'s answer becomes."""
    with RawServer(CERTIFICATE, handler) as server, pytest.raises(SmartlicError) as caught:
        post(transport, server)
    assert type(caught.value.as_dict()["context"]["url"]) is str
    return caught.value


def test_a_message_and_its_answer(transport: SyncTransport) -> None:
    """The body goes out as it is, to the path of the transport, and the answer comes back whole."""
    with RawServer(CERTIFICATE, answer_with(http("200 OK", body=b'{"a": 1}'))) as server:
        answer = post(transport, server)
        transport.close()
    assert answer == HttpAnswer(200, "application/json", None, b'{"a": 1}')
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /SmartTransport HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "Content-Type: application/json" in lines
    assert "Accept-Encoding: identity" in lines


def test_the_connection_is_kept_alive_and_the_store_keeps_its_one_anchor(transport: SyncTransport) -> None:
    """Several posts use one connection, cookies stay out, and requests brings no root of certifi."""
    answer = http("200 OK", "Set-Cookie: a=b", body=b"{}")
    with RawServer(CERTIFICATE, answer_with(answer)) as server:
        for _ in range(3):
            post(transport, server)
        transport.close()
    assert server.connections == 1
    assert not any(b"ookie" in request for request in server.requests)
    assert context_for(AUTHORITY.pem).cert_store_stats()["x509"] == 1


def test_a_closed_connection_is_made_anew(transport: SyncTransport) -> None:
    """A server that closes after each answer is no failure."""
    with RawServer(CERTIFICATE, answer_with(http("200 OK", "Connection: close", body=b"{}"))) as server:
        for _ in range(2):
            assert post(transport, server).status == 200
    assert server.connections == 2


def test_verification_cannot_be_turned_off(transport: SyncTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """`verify=False`, a bundle of one's own, and the environment all leave what is trusted as it is."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    with RawServer(AUTHORITY.issue("other.example")) as server:
        url = destination(server).url
        for setting in ({"verify": False}, {"verify": "/nowhere.pem"}, {"cert": "/nowhere.pem"}):
            with pytest.raises(ValueError, match="always verified"):
                transport._session.post(url, data=BODY, **setting)
        with pytest.raises(TrustError):
            post(transport, server)
        server.settle()
    assert server.received == 0
    with pytest.raises(requests.exceptions.InvalidSchema):
        transport._session.get("http://127.0.0.1/")


TRUST = {
    "wrong name": (AUTHORITY.issue("other.example.com", san=["127.0.0.1"]), "name-mismatch"),
    "several names": (AUTHORITY.issue("127.0.0.1", "127.0.0.1"), "name-mismatch"),
    "untrusted": (Authority("Other Root").issue("127.0.0.1"), "untrusted-chain"),
    "expired": (AUTHORITY.issue("127.0.0.1", since=-2 * DAY, until=-DAY), "certificate-expired"),
    "not yet": (AUTHORITY.issue("127.0.0.1", since=DAY, until=2 * DAY), "certificate-not-yet-valid"),
    "a device's": (AUTHORITY.issue("127.0.0.1", usage=[CLIENT_AUTH]), "wrong-key-usage"),
}


@pytest.mark.parametrize("case", TRUST)
@pytest.mark.parametrize("proxied", [False, True])
def test_a_server_that_is_not_the_one_named_gets_no_byte(case: str, proxied: bool) -> None:
    """Each has its own code, and no token or report reaches it, directly or through a proxy."""
    certificate, code = TRUST[case]
    with RawServer(certificate) as server, ConnectProxy(server.port) as proxy:
        via = f"http://127.0.0.1:{proxy.port}" if proxied else None
        with SyncTransport(AUTHORITY.pem, proxy=via) as transport, pytest.raises(TrustError) as caught:
            post(transport, server)
        server.settle()
    assert caught.value.code == code
    assert server.received == 0
    assert proxy.connections == int(proxied)


def test_a_name_mismatch_tells_both_names_and_the_mend(transport: SyncTransport) -> None:
    """The reader learns the host, the names that were seen, and what to do on the server's pages."""
    with RawServer(NAMED) as server, pytest.raises(TrustError) as caught:
        post(transport, server)
    assert caught.value.context["names"] == ["CN='ssm.example.com'"]
    assert "'ssm.example.com', not '127.0.0.1'" in caught.value.sentence
    assert "Security > Certificates: set Host Common Name to 127.0.0.1, then synchronize" in caught.value.mend


def test_a_proxy_tunnels_and_the_name_still_holds() -> None:
    """CONNECT names host and port, and the answer comes from the checked server behind."""
    with (
        RawServer(CERTIFICATE) as server,
        ConnectProxy(server.port) as proxy,
        SyncTransport(AUTHORITY.pem, proxy=f"http://127.0.0.1:{proxy.port}") as transport,
    ):
        assert post(transport, server).status == 200
        transport.close()
    assert proxy.asked == [f"127.0.0.1:{server.port}"]
    assert len(server.requests) == 1


def test_a_proxy_that_refuses_is_told_from_the_server() -> None:
    """A refusal of CONNECT and a proxy that isn't there are both the proxy's problem."""
    refusal = b"HTTP/1.1 403 Forbidden\r\n\r\n"
    with RawServer(CERTIFICATE) as server:
        with ConnectProxy(server.port, refusal) as proxy:
            via = f"http://127.0.0.1:{proxy.port}"
            with (
                SyncTransport(AUTHORITY.pem, proxy=via) as transport,
                pytest.raises(CommunicationError) as no,
            ):
                post(transport, server)
        with SyncTransport(AUTHORITY.pem, proxy=via) as transport, pytest.raises(CommunicationError) as gone:
            post(transport, server)
    assert no.value.code == gone.value.code == "proxy-failed"
    assert "403 Forbidden" in no.value.sentence
    assert server.connections == 0


@pytest.mark.parametrize(
    "proxy", ["https://p:1", "socks5://p:1", "p:3128", "http://", "http://p:x", "http://p/a"]
)
def test_a_proxy_that_cannot_be_used_is_refused(proxy: str) -> None:
    """Only proxies that are asked to CONNECT in the clear are supported, and a wrong URL says so early."""
    with pytest.raises(CallerError) as caught:
        SyncTransport(AUTHORITY.pem, proxy=proxy)
    assert caught.value.code == "bad-proxy"


def test_resolve_connects_elsewhere_and_checks_the_name_of_the_url() -> None:
    """A name that no DNS knows is reached at the address given, and only if the certificate has that name."""
    with RawServer(NAMED) as server:
        resolve = {
            ("SSM.example.com", server.port): "127.0.0.1",
            ("other.example.com", server.port): "127.0.0.1",
        }
        with SyncTransport(AUTHORITY.pem, resolve=resolve) as transport:
            assert post(transport, server, "ssm.example.com").status == 200
            with pytest.raises(TrustError) as caught:
                post(transport, server, "other.example.com")
    assert caught.value.context["host"] == "other.example.com"
    assert f"\r\nHost: ssm.example.com:{server.port}\r\n".encode() in server.requests[0]
    assert server.names == ["ssm.example.com", "other.example.com"]


def test_resolve_wants_addresses() -> None:
    """A name cannot be resolved to a name."""
    with pytest.raises(CallerError) as caught:
        SyncTransport(AUTHORITY.pem, resolve={("ssm.example.com", 443): "other.example.com"})
    assert caught.value.code == "bad-host"


def test_an_ipv6_destination() -> None:
    """Brackets stand in the URL and in the field Host, and not in the name that is checked."""
    with RawServer(AUTHORITY.issue("::1"), host="::1") as server, SyncTransport(AUTHORITY.pem) as transport:
        assert post(transport, server, "[::1]").status == 200
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]
    assert server.names == [None]


def test_a_redirect_is_not_followed(transport: SyncTransport) -> None:
    """The target gets no connection, even where the redirect's body has no end."""
    with RawServer(CERTIFICATE) as target:
        location = f"Location: https://127.0.0.1:{target.port}/SmartTransport"

        def endless(connection: ssl.SSLSocket, request: bytes) -> None:
            connection.sendall(f"HTTP/1.1 307 Temporary Redirect\r\n{location}\r\n\r\n".encode())
            while True:
                connection.sendall(b"x" * 65536)

        error = failure(transport, endless)
    assert isinstance(error, AnswerError)
    assert error.code == "redirected"
    assert str(target.port) in error.sentence
    assert target.connections == 0
    assert target.received == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http("404 Not Found"), "wrong-path"),
        (http("405 Method Not Allowed", body=b"<html>", content_type="text/html"), "wrong-path"),
        (http("200 OK", body=b"<html>", content_type="text/html; charset=utf-8"), "not-a-licensing-server"),
        (http("200 OK", content_type=""), "not-a-licensing-server"),
        (http("200 OK", "Content-Encoding: gzip", body=b"x"), "not-a-licensing-server"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not-a-licensing-server"),
        (http("403 Forbidden", body=b"<html>", content_type="text/html"), "http-error"),
        (http("500 Internal Server Error", body=b"{}"), "http-error"),
        (http("304 Not Modified"), "http-error"),
        (http("502 Bad Gateway"), "server-unavailable"),
        (http("503 Service Unavailable"), "server-unavailable"),
        (http("504 Gateway Timeout"), "server-unavailable"),
        (http("429 Too Many Requests", "Retry-After: 7"), "server-unavailable"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + b"x" * (MAX_ANSWER + 1), "answer-too-large"),
    ],
)
def test_each_answer_that_is_none_has_its_code(transport: SyncTransport, answer: bytes, code: str) -> None:
    """Statuses, content types, sizes and things that are no HTTP are told apart."""

    def handle(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(answer)
        connection.unwrap()

    assert failure(transport, handle).code == code


def test_a_wrong_path_is_mended_with_the_right_one(transport: SyncTransport) -> None:
    """The mend shows the path of the destination's own transport."""
    with RawServer(CERTIFICATE, answer_with(http("404 Not Found"))) as server:
        url = f"https://127.0.0.1:{server.port}/SmartTransport"
        there = Destination.parse(url, TransportKind.CALLHOME)
        with pytest.raises(AnswerError) as caught:
            transport.post(there, BODY, "text/xml")
    assert "/Transportgateway/services/DeviceRequestHandler" in caught.value.mend


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/soap+xml; charset=utf-8", "text/XML"]
)
def test_a_refusal_in_json_or_xml_is_for_the_protocol_to_read(
    transport: SyncTransport, content_type: str
) -> None:
    """A 4xx with a body of ours comes back as an answer."""
    body = http("422 Unprocessable Content", "Retry-After: 3", body=b"<a/>", content_type=content_type)
    with RawServer(CERTIFICATE, answer_with(body)) as server:
        answer = post(transport, server)
    kind = content_type.partition(";")[0].lower()
    assert answer == HttpAnswer(422, kind, 3.0, b"<a/>")


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("Thu, 01 Jan 1970 00:01:00 GMT", None, 50.0),
        ("Thu, 01 Jan 1970 00:01:00 GMT", "Thu, 01 Jan 1970 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", None, 0.0),
        ("-5", None, None),
        ("soon", None, None),
        ("9" * 5000, None, None),
        ("Thu, 99 Jan 1970 00:00:01 GMT", None, None),
        (None, None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, date: str | None, seconds: float | None) -> None:
    """Both forms of RFC 9110 are read, against the server's own clock, and nonsense is None."""
    assert parse_retry_after(value, date, now=10.0) == seconds


def test_a_busy_server_says_when_to_come_back(transport: SyncTransport) -> None:
    """`retry_after` of the error is what Retry-After says."""
    error = failure(transport, answer_with(http("503 Service Unavailable", "Retry-After: 30")))
    assert isinstance(error, CommunicationError)
    assert error.retry_after == 30.0


def test_a_refused_connection(transport: SyncTransport) -> None:
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CommunicationError) as caught:
        transport.post(Destination.parse(f"https://127.0.0.1:{port}"), BODY, "application/json")
    assert caught.value.code == "connection-refused"


def test_an_unknown_name(transport: SyncTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's answer that there is no such name."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CommunicationError) as caught:
        transport.post(Destination.parse("https://ssm.example.com"), BODY, "application/json")
    assert caught.value.code == "name-unresolved"
    assert "Name or service not known" in caught.value.sentence


def test_the_next_address_of_a_name_is_tried(
    transport: SyncTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first address refuses, the second one is connected to."""
    with RawServer(NAMED) as server:
        places = [("127.0.0.9", server.port), ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert post(transport, server, "ssm.example.com").status == 200


class SilentServer(TcpServer):
    """Takes the connection and says nothing."""

    def serve(self, connection: socket.socket) -> None:
        assert self.closing.wait(20), connection


class PlainServer(TcpServer):
    """Speaks HTTP without TLS."""

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class ClosingServer(TcpServer):
    """Closes the connection in the middle of the TLS handshake."""

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (SilentServer, "connection-timeout"),
        (PlainServer, "tls-failed"),
        (ClosingServer, "connection-closed"),
    ],
)
def test_a_handshake_that_fails_has_its_code(kind: Callable[[], TcpServer], code: str) -> None:
    """Silence, plain HTTP and a closed connection are told apart; all of them may pass later."""
    with (
        kind() as server,
        SyncTransport(AUTHORITY.pem, connect_timeout=0.3, read_timeout=5) as transport,
        pytest.raises(CommunicationError) as caught,
    ):
        post(transport, server)
    assert caught.value.code == code


def test_a_silent_server_times_out() -> None:
    """No answer within the read timeout."""

    def wait(connection: ssl.SSLSocket, request: bytes) -> None:
        server.closing.wait(20)

    with (
        RawServer(CERTIFICATE, wait) as server,
        SyncTransport(AUTHORITY.pem, connect_timeout=5, read_timeout=0.3) as transport,
        pytest.raises(CommunicationError) as caught,
    ):
        post(transport, server)
    assert caught.value.code == "connection-timeout"


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", OK_JSON.replace(b": 2", b": 9999")])
def test_a_dripping_server_does_not_outlast_the_deadline(start: bytes) -> None:
    """A byte every now and then, in head or body, holds no read timeout off, but the total ends it."""

    def drip(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(start)
        while not server.closing.wait(0.1):
            connection.sendall(b"x")

    with (
        RawServer(CERTIFICATE, drip) as server,
        SyncTransport(AUTHORITY.pem, connect_timeout=0.5, read_timeout=0.5) as transport,
    ):
        since = time.monotonic()
        with pytest.raises(CommunicationError) as caught:
            post(transport, server)
        took = time.monotonic() - since
    assert caught.value.code == "connection-timeout"
    assert 0.8 < took < 3


def test_handshake_bytes_without_end_do_not_outlast_the_deadline() -> None:
    """HelloRequests, which OpenSSL passes over inside one call, hold no registration up for ever."""
    with (
        Babbles((bytes.fromhex("1603030010") + b"\x00" * 16) * 1000) as server,
        SyncTransport(AUTHORITY.pem, connect_timeout=0.5, read_timeout=0.5) as transport,
    ):
        since = time.monotonic()
        with pytest.raises(CommunicationError):
            transport.post(Destination.parse(f"https://127.0.0.1:{server.port}/SmartTransport"), b"{}", "a/b")
        assert time.monotonic() - since < 4


def test_a_dripping_proxy_does_not_outlast_the_deadline() -> None:
    """The answer to CONNECT is under the same deadline."""

    class Dripping(TcpServer):
        def serve(self, connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 ")
            while not self.closing.wait(0.1):
                connection.sendall(b"x")

    with Dripping() as proxy, RawServer(CERTIFICATE) as server:
        via = f"http://127.0.0.1:{proxy.port}"
        with SyncTransport(AUTHORITY.pem, connect_timeout=0.5, read_timeout=0.5, proxy=via) as transport:
            since = time.monotonic()
            with pytest.raises(CommunicationError):
                post(transport, server)
            assert time.monotonic() - since < 3
    assert server.connections == 0


@pytest.mark.parametrize(
    "start",
    [
        b"",
        OK_JSON[:-2],
        OK_JSON.replace(b": 2", b": 3"),
        OK_JSON.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked"),
    ],
)
def test_a_connection_that_closes_in_the_middle(transport: SyncTransport, start: bytes) -> None:
    """Wherever the answer breaks off, it is no answer."""

    def stop(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(start)
        connection.unwrap()

    assert failure(transport, stop).code == "connection-closed"


def test_an_answer_of_the_largest_size_is_read(transport: SyncTransport) -> None:
    """The cap is on what is more than it."""
    with RawServer(CERTIFICATE, answer_with(http("200 OK", body=b" " * MAX_ANSWER))) as server:
        assert len(post(transport, server).body) == MAX_ANSWER


def exception_classes() -> list[type[BaseException]]:
    """Every exception of requests and urllib3, and those of the standard library beneath."""
    found: list[type[BaseException]] = []
    for module in (requests.exceptions, urllib3.exceptions):
        found += [
            one
            for _, one in inspect.getmembers(module, inspect.isclass)
            if issubclass(one, BaseException) and one.__module__ == module.__name__
        ]
    return [*found, OSError, ssl.SSLError, ssl.SSLEOFError, ConnectionResetError, socket.gaierror]


@pytest.mark.parametrize("kind", exception_classes())
def test_every_exception_below_becomes_a_problem(
    transport: SyncTransport, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """Whichever class is raised inside, the caller gets a problem of ours with it as the cause."""
    error = kind.__new__(kind)  # their constructors want pools and connections
    vars(error).update(partial=1, expected=2, length=b"x")  # what some of them print
    assert isinstance(error, _LOWER)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(transport._session, "request", fail)
    with pytest.raises(SmartlicError) as caught:
        transport.post(Destination.parse("https://ssm.example.com"), BODY, "application/json")
    assert caught.value.__cause__ is error
    assert caught.value.code in {
        "connection-failed",
        "connection-closed",
        "connection-timeout",
        "name-unresolved",
        "not-a-licensing-server",
        "proxy-failed",
        "tls-failed",
    }


def test_what_the_caller_was_handling_is_not_the_cause(transport: SyncTransport) -> None:
    """A post inside the handling of a mismatch is judged by its own failure."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    there = Destination.parse(f"https://127.0.0.1:{port}")
    with RawServer(NAMED) as server:
        try:
            post(transport, server)
        except TrustError:
            with pytest.raises(CommunicationError) as caught:
                transport.post(there, BODY, "application/json")
    assert caught.value.code == "connection-refused"


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_cause_is_found_wherever_it_is_kept(wrapped: bool) -> None:
    """As an argument, as `reason`, and behind `__cause__` and `__context__`."""
    inner: Any = ConnectionRefusedError(111, "Connection refused")
    if wrapped:
        inner = urllib3.exceptions.MaxRetryError(None, "/", inner)  # type: ignore[arg-type]
    outer = requests.exceptions.ConnectionError()
    outer.__context__ = inner
    assert (
        problem_for(outer, Destination.parse("https://ssm.example.com"), _RULES).code == "connection-refused"
    )


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://SSM.Example.com", "https://ssm.example.com/SmartTransport"),
        ("HTTPS://ssm.example.com.:443/", "https://ssm.example.com/SmartTransport"),
        ("https://192.0.2.10:8443/a%20b", "https://192.0.2.10:8443/a%20b"),
        ("https://[2001:DB8::1]/SmartTransport", "https://[2001:db8::1]/SmartTransport"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/SmartTransport"),
    ],
)
def test_a_destination_has_one_spelling(url: str, canonical: str) -> None:
    """Host, port and path are read, defaults filled in, and the URL written anew."""
    found = Destination.parse(url)
    assert found.url == canonical
    assert Destination.parse(canonical) == found
    callhome = Destination.parse("https://ssm.example.com", TransportKind.CALLHOME)
    assert callhome.path == "/Transportgateway/services/DeviceRequestHandler"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "bad-url"),
        ("ssm.example.com", "bad-url"),
        ("192.0.2.10/SmartTransport", "bad-url"),
        ("https:/ssm.example.com", "bad-url"),
        ("https://ssm.example.com /", "bad-url"),
        ("https://ssm.example.com/\n", "bad-url"),
        ("https://user:secret@ssm.example.com/", "bad-url"),
        ("https://ssm.example.com/?a=b", "bad-url"),
        ("https://ssm.example.com/#a", "bad-url"),
        ("https://ssm.example.com:0/", "bad-url"),
        ("https://ssm.example.com:65536/", "bad-url"),
        ("https://ssm.example.com:/", "bad-url"),
        ("https://ssm.example.com:http/", "bad-url"),
        ("https://2001:db8::1/", "bad-url"),
        ("https://[::1/", "bad-url"),
        ("https://ssm.example.com/a/../b", "bad-url"),
        ("https://ssm.example.com/%2e%2e/b", "bad-url"),
        ("https://ssm.example.com/%zz", "bad-url"),
        ("https://ssm.example.com/\\evil", "bad-url"),
        ("http://ssm.example.com/", "not-https"),
        ("ftp://ssm.example.com/", "not-https"),
        ("https:///SmartTransport", "bad-host"),
        ("https://127.1/", "bad-host"),
        ("https://ssm.example.com\\@evil.example/", "bad-url"),
        ("https://[fe80::1%25eth0]/", "bad-host"),
    ],
)
def test_what_is_no_destination_is_refused(url: str, code: str) -> None:
    """Each wrong form has its code, a mend with the right form, and never repeats a password."""
    with pytest.raises(CallerError) as caught:
        Destination.parse(url)
    assert caught.value.code == code
    assert "secret" not in str(caught.value.as_dict())
    if code != "bad-host":
        assert "https://HOST/SmartTransport" in caught.value.mend


def test_a_failure_knows_whether_anything_was_sent(transport: SyncTransport) -> None:
    """Nobody there, or a wrong name: nothing left. Cut after the request: it may have been done."""
    with RawServer(CERTIFICATE, lambda connection, _: connection.close()) as server:
        here = destination(server)
        with pytest.raises(CommunicationError) as caught:
            transport.exchange(HttpRequest(here, body=BODY))
    assert caught.value.sent
    with pytest.raises(CommunicationError) as caught:
        transport.exchange(HttpRequest(here, body=BODY))
    assert not caught.value.sent
    with RawServer(NAMED) as server, pytest.raises(TrustError) as mismatch:
        transport.exchange(HttpRequest(destination(server), body=BODY))
    assert not mismatch.value.sent


def test_any_method_query_and_status(transport: SyncTransport) -> None:
    """A request with a judge of its own reads every answer, and an encoded name goes out as it is."""
    with RawServer(CERTIFICATE, answer_with(http("404 Not Found", body=b"{}"))) as server:
        there = Destination.parse(f"https://127.0.0.1:{server.port}/a%2Fb%20c")
        request = HttpRequest(there, "GET", "limit=1", {"X": "y"}, judge=lambda *_: None)
        assert transport.exchange(request).status == 404
        transport.close()
    assert server.requests[0].startswith(b"GET /a%2Fb%20c?limit=1 HTTP/1.1\r\n")
    assert b"\r\nX: y\r\n" in server.requests[0]
