"""The transport on httpx against real servers: what passes, what is refused, what is not sent."""

from __future__ import annotations

import asyncio
import ssl
import string
from collections.abc import Callable
from functools import partial

import httpx
import pytest
import respx

from smartlic_client.errors import AnswerError, CallerError, CommunicationError, SmartlicError, TrustError
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport import MAX_ANSWER, HttpAnswer
from smartlic_client.transport.aio import AsyncTransport
from smartlic_client.transport.common import HttpRequest
from smartlic_client.transport.tls import context_for
from smartlic_client.transport.urls import Destination
from tests.unit.client.posting import (
    AUTHORITY,
    BODY,
    CERTIFICATE,
    ELSEWHERE,
    NAMED,
    Mute,
    destination,
    failure,
    post,
    unused_port,
)
from tests.unit.client.tls_servers import (
    CLIENT_AUTH,
    DAY,
    OK_JSON,
    Authority,
    ConnectProxy,
    RawServer,
    TcpServer,
    answer_with,
    http,
)


# ---- what is sent and what comes back ---------------------------------------------------------------------
def test_a_message_and_its_answer() -> None:
    """The body goes out as it is, to the path of the transport, with the fields of the sync transport."""
    with RawServer(CERTIFICATE, answer_with(http("200 OK", body=b'{"a": 1}'))) as server:
        (answer,) = post(destination(server))
    assert answer == HttpAnswer(200, "application/json", None, b'{"a": 1}')
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /SmartTransport HTTP/1.1"
    assert {
        f"Host: 127.0.0.1:{server.port}",
        "Content-Type: application/json",
        "Accept-Encoding: identity",
        "User-Agent: smartlic",
    } <= set(lines)


def test_the_connection_is_kept_alive_and_the_store_keeps_its_one_anchor() -> None:
    """Several posts use one connection, cookies stay out, and httpx brings no root of certifi."""
    with RawServer(CERTIFICATE, answer_with(http("200 OK", "Set-Cookie: a=b", body=b"{}"))) as server:
        post(*[destination(server)] * 3)
    assert server.connections == 1
    assert not any(b"ookie" in request for request in server.requests)
    assert context_for(AUTHORITY.pem).cert_store_stats()["x509"] == 1


def test_a_closed_connection_is_made_anew() -> None:
    """A server that closes after each answer is no failure."""
    with RawServer(CERTIFICATE, answer_with(http("200 OK", "Connection: close", body=b"{}"))) as server:
        assert [answer.status for answer in post(*[destination(server)] * 2)] == [200, 200]
    assert server.connections == 2


def test_tasks_share_a_transport() -> None:
    """Posts at the same time have a connection each, and each gets its own answer."""

    def echo(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(http("200 OK", body=request.partition(b"\r\n\r\n")[2]))

    async def main(there: Destination) -> None:
        async with AsyncTransport(AUTHORITY.pem) as transport:
            bodies = [str(number).encode() for number in range(20)]
            answers = await asyncio.gather(
                *(transport.post(there, body, "application/json") for body in bodies)
            )
        assert [answer.body for answer in answers] == bodies

    with RawServer(CERTIFICATE, echo) as server:
        asyncio.run(main(destination(server)))


def test_the_path_of_the_url_is_sent_as_it_is() -> None:
    """httpx writes none of the characters that a path may have in another way."""
    path = f"/{string.ascii_letters}{string.digits}-._~!$&'()*+,;=:@%20%2F%zz".replace("%zz", "//b")
    with RawServer(CERTIFICATE) as server:
        post(Destination.parse(f"https://127.0.0.1:{server.port}{path}"))
    assert server.requests[0].split(b" ")[1].decode() == path


def test_an_ipv6_destination() -> None:
    """Brackets stand in the URL and in the field Host, and not in the name that is checked."""
    with RawServer(AUTHORITY.issue("::1"), host="::1") as server:
        assert post(destination(server, "[::1]"))[0].status == 200
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]
    assert server.names == [None]


def test_resolve_connects_elsewhere_and_checks_the_name_of_the_url() -> None:
    """A name that no DNS knows is reached at the address given, and only if the certificate has that name."""
    with RawServer(NAMED) as server:
        right, wrong = "SSM.example.com", "other.example.com"
        resolve = {(name, server.port): "127.0.0.1" for name in (right, wrong)}
        assert post(destination(server, right), resolve=resolve)[0].status == 200
        with pytest.raises(TrustError) as caught:
            post(destination(server, right), destination(server, wrong), resolve=resolve)
    assert caught.value.context["host"] == "other.example.com"
    assert f"\r\nHost: ssm.example.com:{server.port}\r\n".encode() in server.requests[0]
    assert server.names == ["ssm.example.com", "ssm.example.com", "other.example.com"]


def test_resolve_wants_addresses() -> None:
    """A name cannot be resolved to a name."""
    with pytest.raises(CallerError) as caught:
        AsyncTransport(AUTHORITY.pem, resolve={("ssm.example.com", 443): "other.example.com"})
    assert caught.value.code == "bad-host"


# ---- trust ------------------------------------------------------------------------------------------------
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
        with pytest.raises(TrustError) as caught:
            post(destination(server), proxy=via)
        server.settle()
    assert caught.value.code == code
    assert server.received == 0
    assert proxy.connections == int(proxied)


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies, roots and credentials of the environment are not looked at."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    monkeypatch.setenv("NETRC", "/nowhere")
    with RawServer(CERTIFICATE) as server:
        assert post(destination(server))[0].status == 200
    assert b"uthorization" not in server.requests[0]


def test_what_would_change_the_check_is_refused() -> None:
    """An http:// URL and an `sni_hostname` extension never reach the network."""

    async def main(server: RawServer) -> None:
        async with AsyncTransport(AUTHORITY.pem) as transport:
            with pytest.raises(httpx.UnsupportedProtocol):
                await transport._client.post(f"http://127.0.0.1:{server.port}/", content=BODY)
            with pytest.raises(ValueError, match="that of the URL"):
                await transport._client.post(
                    destination(server, "localhost").url,
                    content=BODY,
                    extensions={"sni_hostname": "127.0.0.1"},
                )

    with RawServer(CERTIFICATE) as server:
        asyncio.run(main(server))
    assert server.connections == 0


@pytest.mark.parametrize("location", ["https://127.0.0.1:{}/SmartTransport", "https://[/", ""])
def test_a_redirect_is_not_followed(location: str) -> None:
    """The target gets no connection, even where the redirect's body has no end or its target is no URL."""
    with RawServer(CERTIFICATE) as target:
        field = f"Location: {location.format(target.port)}".strip()

        def endless(connection: ssl.SSLSocket, request: bytes) -> None:
            connection.sendall(f"HTTP/1.1 307 Temporary Redirect\r\n{field}\r\n\r\n".encode())
            while True:
                connection.sendall(b"x" * 65536)

        error = failure(endless)
    assert isinstance(error, AnswerError)
    assert error.code == ("redirected" if location else "http-error")
    assert target.connections == 0
    assert target.received == 0


# ---- proxies ----------------------------------------------------------------------------------------------
def test_a_proxy_tunnels_and_the_name_still_holds() -> None:
    """CONNECT names host and port with the user's password, and the answer comes from the server behind."""
    with RawServer(CERTIFICATE) as server, ConnectProxy(server.port) as proxy:
        via = f"http://us%20er:pass@127.0.0.1:{proxy.port}"
        assert post(*[destination(server)] * 2, proxy=via)[1].status == 200
    assert proxy.asked == [f"127.0.0.1:{server.port}"]
    assert len(server.requests) == 2
    assert not any(b"roxy" in request for request in server.requests)


def test_a_proxy_is_asked_for_the_address_given() -> None:
    """`resolve` holds through a proxy too, and the name that is checked stays the URL's."""
    with RawServer(NAMED) as server, ConnectProxy(server.port) as proxy:
        settings = {
            "proxy": f"http://127.0.0.1:{proxy.port}",
            "resolve": {("ssm.example.com", server.port): "127.0.0.1"},
        }
        assert post(destination(server, "ssm.example.com"), **settings)[0].status == 200
    assert proxy.asked == [f"127.0.0.1:{server.port}"]
    assert server.requests[0].startswith(b"POST /SmartTransport ")
    assert server.names == ["ssm.example.com"]


def test_a_proxy_is_asked_for_an_ipv6_address_in_brackets() -> None:
    """The target of CONNECT has the form of RFC 9110, section 9.3.6, whatever the address."""
    with RawServer(AUTHORITY.issue("::1")) as server, ConnectProxy(server.port) as proxy:
        post(destination(server, "[::1]"), proxy=f"http://127.0.0.1:{proxy.port}")
    assert proxy.asked == [f"[::1]:{server.port}"]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "did not connect"),
        (b"", "did not connect"),
        (None, "did not connect"),
    ],
)
def test_a_proxy_that_refuses_is_told_from_the_server(refusal: bytes | None, words: str) -> None:
    """A refusal, nonsense, a closed connection and silence before the tunnel stands are the proxy's."""
    kind: Callable[[], TcpServer] = Mute if refusal is None else partial(ConnectProxy, 0, refusal)
    with RawServer(CERTIFICATE) as server, kind() as proxy, pytest.raises(CommunicationError) as caught:
        post(destination(server), proxy=f"http://127.0.0.1:{proxy.port}", read_timeout=0.3)
    assert caught.value.code == "proxy-failed"
    assert words in caught.value.sentence
    assert server.connections == 0


def test_a_proxy_that_is_not_there() -> None:
    """Nobody listens at the proxy's address."""
    with pytest.raises(CommunicationError) as caught:
        post(ELSEWHERE, proxy=f"http://127.0.0.1:{unused_port()}")
    assert caught.value.code == "proxy-failed"


def test_what_fails_behind_the_proxy_is_not_the_proxys() -> None:
    """Once the tunnel stands, a server that closes is a server that closes."""

    def stop(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.unwrap()

    with (
        RawServer(CERTIFICATE, stop) as server,
        ConnectProxy(server.port) as proxy,
        pytest.raises(CommunicationError) as caught,
    ):
        post(destination(server), proxy=f"http://127.0.0.1:{proxy.port}")
    assert caught.value.code == "connection-closed"


@pytest.mark.parametrize("proxy", ["https://p:1", "socks5://p:1", "p:3128", "http://", "http://p:x"])
def test_a_proxy_that_cannot_be_used_is_refused(proxy: str) -> None:
    """Only proxies that are asked to CONNECT in the clear are supported, and a wrong URL says so early."""
    with pytest.raises(CallerError) as caught:
        AsyncTransport(AUTHORITY.pem, proxy=proxy)
    assert caught.value.code == "bad-proxy"


# ---- answers that are none --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not-a-licensing-server"),
        (b"HTTP/1.1 200 OK\r\nno field\r\n\r\n", "not-a-licensing-server"),
        (http("304 Not Modified"), "http-error"),
        (http("200 OK", "Content-Encoding: gzip", body=b"x"), "not-a-licensing-server"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + b"x" * (MAX_ANSWER + 1), "answer-too-large"),
        (b"", "connection-closed"),
        (b"HTT", "connection-closed"),
        (OK_JSON[:-2], "connection-closed"),
        (OK_JSON.replace(b": 2", b": 3"), "connection-closed"),
        (OK_JSON.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked"), "connection-closed"),
    ],
)
def test_each_answer_that_is_none_has_its_code(answer: bytes, code: str) -> None:
    """Sizes, things that are no HTTP, and answers that break off, are told apart on a real connection."""

    def handle(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(answer)
        connection.unwrap()

    assert failure(handle).code == code


@pytest.mark.parametrize(
    ("status", "header", "body", "code"),
    [
        (404, {}, b"", "wrong-path"),
        (405, {"Content-Type": "text/html"}, b"<html>", "wrong-path"),
        (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>", "not-a-licensing-server"),
        (200, {}, b"", "not-a-licensing-server"),
        (403, {"Content-Type": "text/html"}, b"<html>", "http-error"),
        (500, {"Content-Type": "application/json"}, b"{}", "http-error"),
        (302, {"Location": "https://portal.example/"}, b"", "redirected"),
        (502, {}, b"", "server-unavailable"),
        (504, {}, b"", "server-unavailable"),
        (503, {"Retry-After": "30"}, b"", "server-unavailable"),
        (429, {"Retry-After": "7"}, b"", "server-unavailable"),
        (200, {"Content-Type": "text/xml"}, b"x" * (MAX_ANSWER + 1), "answer-too-large"),
    ],
)
def test_statuses_and_bodies_are_mapped(
    status: int, header: dict[str, str], body: bytes, code: str, respx_mock: respx.MockRouter
) -> None:
    """The head of an answer decides before its body, and Retry-After is in the error."""
    respx_mock.post(ELSEWHERE.url).respond(status, headers=header, content=body)
    with pytest.raises(SmartlicError) as caught:
        post(ELSEWHERE)
    assert caught.value.code == code
    after = header.get("Retry-After")
    assert caught.value.retry_after == (float(after) if after else None)


@pytest.mark.parametrize(
    ("status", "content_type", "size"),
    [
        (200, "application/json", MAX_ANSWER),
        (422, "application/soap+xml; charset=utf-8", 4),
        (400, "text/XML", 0),
    ],
)
def test_what_the_protocol_may_read_comes_back(
    status: int, content_type: str, size: int, respx_mock: respx.MockRouter
) -> None:
    """An answer of the largest size, and a refusal in JSON or XML, with the media type and Retry-After."""
    header = {"Content-Type": content_type, "Retry-After": "3"}
    respx_mock.post(ELSEWHERE.url).respond(status, headers=header, content=b" " * size)
    kind = content_type.partition(";")[0].lower()
    assert post(ELSEWHERE) == [HttpAnswer(status, kind, 3.0, b" " * size)]


def test_a_wrong_path_is_mended_with_the_right_one(respx_mock: respx.MockRouter) -> None:
    """The mend shows the path of the destination's own transport."""
    respx_mock.route().respond(404)
    with pytest.raises(AnswerError) as caught:
        post(Destination.parse(ELSEWHERE.url, TransportKind.CALLHOME))
    assert "/Transportgateway/services/DeviceRequestHandler" in caught.value.mend


def exchange(request: HttpRequest) -> HttpAnswer:
    async def main() -> HttpAnswer:
        async with AsyncTransport(AUTHORITY.pem, connect_timeout=5, read_timeout=5) as transport:
            return await transport.exchange(request)

    return asyncio.run(main())


def test_a_failure_knows_whether_anything_was_sent() -> None:
    """Nobody there, or a wrong name: nothing left. Cut after the request: it may have been done."""
    with RawServer(CERTIFICATE, lambda connection, _: connection.close()) as server:
        here = destination(server)
        with pytest.raises(CommunicationError) as caught:
            exchange(HttpRequest(here, body=BODY))
    assert caught.value.sent
    with pytest.raises(CommunicationError) as caught:
        exchange(HttpRequest(here, body=BODY))
    assert not caught.value.sent
    with RawServer(NAMED) as server, pytest.raises(TrustError) as mismatch:
        exchange(HttpRequest(destination(server), body=BODY))
    assert not mismatch.value.sent


def test_any_method_query_and_status() -> None:
    """A request with a judge of its own reads every answer, and an encoded name goes out as it is."""
    with RawServer(CERTIFICATE, answer_with(http("404 Not Found", body=b"{}"))) as server:
        there = Destination.parse(f"https://127.0.0.1:{server.port}/a%2Fb%20c")
        request = HttpRequest(there, "GET", "limit=1", {"X": "y"}, judge=lambda *_: None)
        assert exchange(request).status == 404
    assert server.requests[0].startswith(b"GET /a%2Fb%20c?limit=1 HTTP/1.1\r\n")
    assert b"\r\nX: y\r\n" in server.requests[0]
