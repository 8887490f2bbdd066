"""The probes against real sockets: what a server does becomes a finding, in time, and it is sent nothing."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from smartlic_client.certificates import read_certificate
from smartlic_client.names import Policy
from smartlic_client.preflight.options import Options
from smartlic_client.preflight.run import run
from smartlic_client.preflight.targets import read_target
from tests.unit.client.tls_servers import (
    CLIENT_AUTH,
    DAY,
    OK_JSON,
    Authority,
    Certificate,
    RawServer,
    TcpServer,
    answer_with,
    http,
)
from tests.unit.preflight.servers import (
    LOCAL,
    OK,
    Answers,
    Babbles,
    Closes,
    Hangs,
    Says,
    check,
    found,
    old_tls,
    with_chain,
)

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def right(authority: Authority) -> Certificate:
    return authority.issue(LOCAL, san=[LOCAL], until=365 * DAY)


# --- A right server -------------------------------------------------------------------------------


def test_a_right_server_has_no_finding(authority: Authority, right: Certificate) -> None:
    """Chain, name and path hold: one GET is all that the server ever gets, without a token or a cookie."""
    with RawServer(right, answer_with(OK)) as server:
        result = check(server, anchors=authority.pem)
        server.settle()
    assert found(result) == []
    assert result.observation.trust is not None
    assert result.observation.trust.named
    (request,) = server.requests
    assert request.startswith(b"GET /Transportgateway/services/DeviceRequestHandler HTTP/1.1\r\n")
    assert b"Authorization" not in request
    assert b"Cookie" not in request


def test_without_an_anchor_nothing_is_sent(right: Certificate) -> None:
    """The chain is read, and not one byte of HTTP goes out."""
    with RawServer(right) as server:
        result = check(server)
        server.settle()
    assert found(result) == ["trust-not-checked"]
    assert server.received == 0


@pytest.mark.parametrize(
    ("names", "san", "expected"),
    [
        (["127.0.0.9"], ["127.0.0.9"], "common-name-differs"),
        (["127.0.0.9"], [LOCAL], "common-name-wrong-alternative-right"),
        ([LOCAL, "127.0.0.9"], [LOCAL], "common-names-several"),
    ],
)
def test_a_wrong_name_gets_nothing(
    authority: Authority, names: list[str], san: list[str], expected: str
) -> None:
    """Where the name does not hold no request is sent, though the chain is good."""
    with RawServer(authority.issue(*names, san=san, until=365 * DAY)) as server:
        result = check(server, anchors=authority.pem)
        server.settle()
    assert found(result) == [expected]
    assert server.received == 0
    assert result.observation.service is None


def test_an_untrusted_chain_gets_nothing(right: Certificate) -> None:
    """Another root: the chain is read by the probe that verifies nothing, and nothing is sent."""
    with RawServer(right) as server:
        result = check(server, anchors=Authority("Another Root").pem)
        server.settle()
    assert found(result) == ["chain-incomplete"]
    assert "Another Root" not in result.findings[0].seen
    assert server.received == 0


def test_policy_both_sends_nothing_where_one_of_them_fails(authority: Authority) -> None:
    """CN right and SAN wrong: the policy `both` refuses, so the path is not asked for."""
    with RawServer(authority.issue(LOCAL, san=["127.0.0.9"], until=365 * DAY)) as server:
        result = check(server, anchors=authority.pem, policy=Policy.BOTH)
        server.settle()
    assert found(result) == ["alternative-name-differs"]
    assert server.received == 0


def test_all_findings_at_once(authority: Authority) -> None:
    """An expired certificate of another name under another root: all three are told in one run."""
    bad = authority.issue("127.0.0.9", since=-3 * DAY, until=-DAY)
    with RawServer(bad) as server:
        result = check(server, anchors=Authority("Another Root").pem)
    assert {"common-name-differs", "certificate-expired", "chain-incomplete"} <= set(found(result))


def test_a_clients_certificate_is_told(authority: Authority) -> None:
    """A certificate that is not for servers: one finding, the purpose, and no untrusted chain beside it."""
    certificate = authority.issue(LOCAL, san=[LOCAL], usage=[CLIENT_AUTH], until=365 * DAY)
    with RawServer(certificate) as server:
        assert found(check(server, anchors=authority.pem)) == ["certificate-not-for-servers"]


def test_the_anchor_by_its_fingerprint(authority: Authority) -> None:
    """A root that the server presents is taken if its fingerprint was given, and no other."""
    root = x509.load_pem_x509_certificate(authority.pem).public_bytes(Encoding.DER)
    certificate = authority.issue(LOCAL, san=[LOCAL], until=365 * DAY)
    certificate.add_chain([root])
    own = read_certificate(certificate.der).fingerprint
    with RawServer(certificate, answer_with(OK)) as server:
        assert found(check(server, fingerprint=read_certificate(root).fingerprint)) == []
        received = server.received
        assert found(check(server, fingerprint="sha256:" + "0" * 64)) == ["fingerprint-not-presented"]
        assert found(check(server, fingerprint=own)) == ["fingerprint-is-no-root"]
        server.settle()
    assert server.received == received


# --- What answers at the path ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK_JSON, []),
        (http("405 Method Not Allowed", "Allow: GET"), ["path-missing"]),
        (http("404 Not Found", body=b"{}"), ["path-missing"]),
        (http("302 Found", "Location: https://127.0.0.1:1/"), ["path-redirects"]),
        (http("200 OK", body=b"<html>", content_type="text/html"), ["path-not-licensing"]),
        (http("401 Unauthorized", content_type="text/html"), ["path-forbidden"]),
        (http("503 Service Unavailable", "Retry-After: 5"), ["server-unavailable"]),
        (http("400 Bad Request", "Via: 1.1 squid"), ["proxy-in-the-way"]),
        (http("400 Bad Request", "Date: Mon, 01 Jan 2024 00:00:00 GMT"), ["clock-differs"]),
        (b"SSH-2.0-OpenSSH\r\n\r\n", ["path-no-answer"]),
    ],
)
def test_what_a_server_answers(
    authority: Authority, right: Certificate, answer: bytes, expected: list[str]
) -> None:
    """The answer to GET, and where that does not tell, to POST without a body, decides."""

    def answer_and_close(connection: ssl.SSLSocket, _request: bytes) -> None:
        connection.sendall(answer)
        connection.close()

    with RawServer(right, answer_and_close) as server:
        assert found(check(server, anchors=authority.pem)) == expected
        assert all(request.split(b" ")[0] in (b"GET", b"POST") for request in server.requests)


def test_a_post_decides_where_a_get_does_not(authority: Authority, right: Certificate) -> None:
    """A server that hides its path from GET, as many do, is no server without the path."""

    def handle(connection: ssl.SSLSocket, request: bytes) -> None:
        status = "404 Not Found" if request.startswith(b"GET") else "400 Bad Request"
        connection.sendall(http(status))

    with RawServer(right, handle) as server:
        assert found(check(server, anchors=authority.pem)) == []
        server.settle()
    assert [request.partition(b"\r\n\r\n")[2] for request in server.requests] == [b"", b""]


# --- Servers that are none, each within its time ---------------------------------------------------

_BAD: dict[str, tuple[Callable[[], TcpServer], str]] = {
    "an SSH banner": (lambda: Says(b"SSH-2.0-OpenSSH_9.2\r\n"), "tls-absent"),
    "an SMTP banner": (lambda: Says(b"220 mail.example.com ESMTP\r\n"), "tls-absent"),
    "HTTP": (lambda: Answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "http-on-tls-port"),
    "HTTP 407": (lambda: Answers(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "proxy-failed"),
    "nothing": (Hangs, "tls-no-answer"),
    "a closed door": (Closes, "connection-closed"),
    "noise without end": (lambda: Babbles(b"x" * 65536), "tls-absent"),
    "a TLS alert": (lambda: Answers(bytes.fromhex("15030300020228")), "tls-failed"),
    "half a TLS record": (lambda: Says(bytes.fromhex("16030340000200")), "tls-no-answer"),
}


@pytest.mark.parametrize("what", _BAD)
def test_what_speaks_no_tls(what: str) -> None:
    """What answers in the server's place is told by what it says; nothing takes longer than its time."""
    make, expected = _BAD[what]
    began = time.monotonic()
    with make() as server:
        result = check(server, timeout=1)
        took = time.monotonic() - began
    assert found(result) == [expected], result.findings
    assert took < 4


def test_handshake_bytes_without_end_end_by_the_deadline() -> None:
    """HelloRequests without end, which OpenSSL passes over in one call, are left when the time is over."""
    with Babbles((bytes.fromhex("1603030010") + b"\x00" * 16) * 1000) as server:
        began = time.monotonic()
        result = check(server, timeout=1)
        took = time.monotonic() - began
    assert not result.well
    assert took < 4


def test_an_answer_without_end_ends_by_the_deadline(authority: Authority, right: Certificate) -> None:
    """A header that never ends is a finding, within the time for the target."""

    def babble(connection: ssl.SSLSocket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"a: b\r\n")

    with RawServer(right, babble) as server:
        began = time.monotonic()
        result = check(server, anchors=authority.pem, timeout=2)
        took = time.monotonic() - began
    assert found(result) == ["path-no-answer"]
    assert took < 6


def test_old_tls_is_read_and_told(authority: Authority, right: Certificate) -> None:
    """TLS 1.0 only: the certificate is read all the same, and no product connection is made."""
    with old_tls(right) as server:
        result = check(server, anchors=authority.pem)
    assert found(result) == ["tls-version-old"]
    assert "TLS 1.0" in result.findings[0].seen
    assert result.observation.answered is not None


@pytest.mark.parametrize("count", [30, 200])
def test_a_chain_of_many_is_told(authority: Authority, count: int) -> None:
    """A server that presents a chain of 200 is told so, and holds nobody up."""
    certificate = authority.issue(LOCAL, san=[LOCAL], until=365 * DAY)
    with with_chain(authority, certificate, count) as server:
        result = check(server)
    assert {"chain-too-long", "tls-failed"} & set(found(result))


def test_nobody_there() -> None:
    """A closed port is a refusal, an address without a route is no connection; both at once."""
    with Hangs() as server:
        port = server.port
    options = Options(now=time.time(), timeout=2)
    done = run([read_target(f"127.0.0.1:{port}"), read_target("[2001:db8::1]:1")], options)
    assert found(done.results[0]) == ["connection-refused"]
    assert found(done.results[1])[0] in ("connection-failed", "connection-timeout")


def test_names_that_do_not_resolve() -> None:
    """A name under .invalid (RFC 6761) resolves nowhere: a finding, and the name in it."""
    (result,) = run([read_target("ssm.invalid")], Options(now=time.time(), timeout=5)).results
    assert found(result)[0] in ("name-unresolved", "name-resolution-timeout")


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """getaddrinfo takes no timeout, and still the target ends in its time."""
    let_go = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        let_go.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    (result,) = run([read_target("ssm.example.com")], Options(now=time.time(), timeout=0.5)).results
    let_go.set()
    assert found(result) == ["name-resolution-timeout"]
    assert time.monotonic() - began < 3


def test_names_given_with_resolve(authority: Authority) -> None:
    """--resolve connects to the address and checks the name; both families may be given."""
    certificate = authority.issue("ssm.example.com", san=["ssm.example.com"], until=365 * DAY)
    with RawServer(certificate, answer_with(OK)) as server:
        given = {("ssm.example.com", server.port): (LOCAL,)}
        result = check(server, url="ssm.example.com", anchors=authority.pem, resolve=given)
        server.settle()
    assert found(result) == []
    assert set(server.names) == {"ssm.example.com"}


def test_one_address_of_two_is_enough_and_told(authority: Authority) -> None:
    """A name with two addresses of which one is closed: products may try that one first."""
    certificate = authority.issue("ssm.example.com", san=["ssm.example.com"], until=365 * DAY)
    with RawServer(certificate, answer_with(OK)) as server:
        given = {("ssm.example.com", server.port): ("127.0.0.77", LOCAL)}
        result = check(server, url="ssm.example.com", anchors=authority.pem, resolve=given)
    assert found(result) == ["address-unreachable", "name-resolves-to-several"]
