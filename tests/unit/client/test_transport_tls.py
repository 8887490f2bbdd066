"""The TLS context: who passes, who doesn't, and that no application byte is sent before it is known."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from smartlic_client.certificates import read_certificate, read_names
from smartlic_client.errors import CallerError, TrustError
from smartlic_client.names import CONNECTION_POLICIES, Policy
from smartlic_client.transport.tls import NameMismatchError, context_for
from tests.unit.client.tls_servers import (
    CLIENT_AUTH,
    DAY,
    SERVER_AUTH,
    Authority,
    Certificate,
    ConnectProxy,
    RawServer,
)

AUTHORITY = Authority()
MESSAGE = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def connected(
    server: RawServer, name: str, policy: Policy = Policy.COMMON_NAME, **settings: Any
) -> Iterator[ssl.SSLSocket]:
    """A checked connection to `server` under the server name `name`."""
    context = context_for(AUTHORITY.pem, policy)
    with (
        socket.create_connection((server.host, server.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name, **settings) as tls,
    ):
        yield tls


def exchange(server: RawServer, name: str) -> None:
    with connected(server, name) as tls:
        tls.sendall(MESSAGE)
        assert tls.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "ssm.example.com"])
def test_the_right_common_name_passes_without_any_alternative_name(name: str) -> None:
    """An address or a name in the Common Name alone is enough, and SNI is sent for names only."""
    host = name if ":" in name else "127.0.0.1"
    with RawServer(AUTHORITY.issue(name), host=host) as server:
        exchange(server, name)
    assert server.received == len(MESSAGE)
    assert server.names == ["ssm.example.com" if name == "ssm.example.com" else None]


WRONG: dict[str, tuple[Certificate, str]] = {
    "another name": (AUTHORITY.issue("other.example.com"), "name-mismatch"),
    "right in the SAN only": (AUTHORITY.issue("other.example.com", san=["ssm.example.com"]), "name-mismatch"),
    "no name": (AUTHORITY.issue(), "name-mismatch"),
    "two Common Names, right first": (AUTHORITY.issue("ssm.example.com", "b.example"), "name-mismatch"),
    "two Common Names, right last": (AUTHORITY.issue("b.example", "ssm.example.com"), "name-mismatch"),
    "trailing dot": (AUTHORITY.issue("ssm.example.com."), "name-mismatch"),
    "NUL": (AUTHORITY.issue("ssm.example.com\0.evil.example"), "name-mismatch"),
    "wildcard": (AUTHORITY.issue("*.example.com"), "name-mismatch"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_name_gets_no_application_byte(case: str) -> None:
    """The handshake ends in an error that tells the names seen, and the server has received nothing."""
    certificate, code = WRONG[case]
    with RawServer(certificate) as server:
        with pytest.raises(NameMismatchError) as caught:
            exchange(server, "ssm.example.com")
        server.settle()
    assert server.received == 0
    assert server.connections == 1
    assert isinstance(caught.value, ssl.SSLCertVerificationError)
    found = caught.value.problem
    assert isinstance(found, TrustError)
    assert found.code == code
    assert found.context["host"] == "ssm.example.com"
    assert found.context["names"] == read_names(certificate.der).seen
    assert "set Host Common Name to ssm.example.com, then synchronize the local accounts" in found.mend


UNTRUSTED: dict[str, tuple[Certificate, int]] = {
    "another root": (Authority("Other Root").issue("ssm.example.com"), 20),
    "same root's name, another key": (Authority().issue("ssm.example.com"), 0),
    "expired": (AUTHORITY.issue("ssm.example.com", since=-2 * DAY, until=-DAY), 10),
    "not yet valid": (AUTHORITY.issue("ssm.example.com", since=DAY, until=2 * DAY), 9),
    "for clients only": (AUTHORITY.issue("ssm.example.com", usage=[CLIENT_AUTH]), 26),
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_an_untrusted_certificate_gets_no_application_byte(case: str) -> None:
    """OpenSSL refuses the chain, a device's own certificate under the same anchor included."""
    certificate, verify_code = UNTRUSTED[case]
    with RawServer(certificate) as server:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            exchange(server, "ssm.example.com")
        server.settle()
    assert server.received == 0
    assert not isinstance(caught.value, NameMismatchError)
    assert verify_code in (0, caught.value.verify_code)


def test_nothing_is_written_or_read_before_the_handshake() -> None:
    """Where the handshake is put off, OpenSSL would shake hands at the first write: the socket refuses."""
    with RawServer(AUTHORITY.issue("other.example.com")) as server:
        with connected(server, "ssm.example.com", do_handshake_on_connect=False) as tls:
            for attempt in (
                lambda: tls.sendall(MESSAGE),
                lambda: tls.send(MESSAGE),
                lambda: tls.write(MESSAGE),
                lambda: tls.recv(1),
                lambda: tls.read(1),
            ):
                with pytest.raises(ssl.SSLError, match="before the server's name"):
                    attempt()
            with pytest.raises(NameMismatchError):
                tls.do_handshake()
            with pytest.raises(ssl.SSLError, match="before the server's name"):
                tls.sendall(MESSAGE)
        server.settle()
    assert server.received == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_check_holds_when_a_session_is_resumed(version: ssl.TLSVersion) -> None:
    """A session made with the right name does not open a connection under a wrong one, in either version."""
    with RawServer(AUTHORITY.issue("127.0.0.1"), versions=version) as server:
        with connected(server, "127.0.0.1") as tls:
            tls.sendall(MESSAGE)
            assert tls.recv(100)  # in TLS 1.3 the ticket comes after the handshake
            session = tls.session
        with connected(server, "127.0.0.1", session=session) as tls:
            assert tls.session_reused
            assert tls.version() == version.name.replace("v1_", "v1.")
        with pytest.raises(NameMismatchError), connected(server, "127.0.0.2", session=session):
            pass
        server.settle()
    assert server.reused == [False, True, True]
    assert server.received == len(MESSAGE)


def test_the_check_holds_through_a_connect_proxy() -> None:
    """The name is that of the destination, the proxy's own is nobody's, and a wrong one gets nothing."""
    with RawServer(AUTHORITY.issue("ssm.example.com")) as server, ConnectProxy(server.port) as proxy:
        for name, good in (("ssm.example.com", True), ("127.0.0.1", False)):
            plain = socket.create_connection((proxy.host, proxy.port), timeout=10)
            plain.sendall(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
            assert plain.recv(100).startswith(b"HTTP/1.1 200")
            if good:
                with context_for(AUTHORITY.pem).wrap_socket(plain, server_hostname=name) as tls:
                    tls.sendall(MESSAGE)
                    assert tls.recv(100)
            else:
                with pytest.raises(NameMismatchError):
                    context_for(AUTHORITY.pem).wrap_socket(plain, server_hostname=name)
            plain.close()
        server.settle()
    assert server.received == len(MESSAGE)


def test_tls_1_1_is_refused() -> None:
    """A server that speaks TLS 1.1 at most gets no connection."""
    certificate = AUTHORITY.issue("ssm.example.com")
    with pytest.warns(DeprecationWarning), RawServer(certificate, versions=ssl.TLSVersion.TLSv1_1) as server:
        with pytest.raises(ssl.SSLError):
            exchange(server, "ssm.example.com")
        server.settle()
    assert server.received == 0


@pytest.mark.parametrize("name", ["ssm.example.com", "127.0.0.1"])
def test_asyncio_runs_the_same_check(name: str) -> None:
    """A connection of asyncio passes with the right name and sends nothing with the wrong one."""

    async def post(port: int, server_name: str) -> bytes:
        context = context_for(AUTHORITY.pem)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=server_name
        )
        writer.write(MESSAGE)
        answer = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return answer

    with RawServer(AUTHORITY.issue(name)) as server:
        assert asyncio.run(post(server.port, name)).startswith(b"HTTP/1.1 200")
        with pytest.raises(NameMismatchError):
            asyncio.run(post(server.port, "other.example.com"))
        server.settle()
    assert server.received == len(MESSAGE)


def test_a_tls_object_refuses_to_write_before_its_handshake() -> None:
    """The wall of the socket stands around the object that asyncio uses, too."""
    tls = context_for(AUTHORITY.pem).wrap_bio(
        ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="ssm.example.com"
    )
    with pytest.raises(ssl.SSLError, match="before the server's name"):
        tls.write(MESSAGE)
    with pytest.raises(ssl.SSLError, match="before the server's name"):
        tls.read(1)


def test_a_context_is_sealed() -> None:
    """Nothing turns verification off or adds a root, and the anchors given are all that the store holds."""
    context = context_for(AUTHORITY.pem)
    for name, value in (
        ("verify_mode", ssl.CERT_NONE),
        ("verify_mode", ssl.CERT_OPTIONAL),
        ("check_hostname", True),
        ("minimum_version", ssl.TLSVersion.TLSv1),
        ("policy", Policy.EITHER),
        ("keylog_filename", "keys.log"),
    ):
        with pytest.raises(AttributeError, match="sealed"):
            setattr(context, name, value)
    context.verify_mode = ssl.CERT_REQUIRED  # what urllib3 does
    context.check_hostname = False
    context.set_alpn_protocols(["http/1.1"])
    attempts: list[Any] = [
        context.load_default_certs,
        context.set_default_verify_paths,
        lambda: context.load_verify_locations(cadata=Authority().pem.decode()),
        lambda: context.load_cert_chain("client.pem"),
        lambda: context.set_alpn_protocols(["h2"]),
    ]
    for attempt in attempts:
        with pytest.raises(AttributeError, match="sealed"):
            attempt()
    assert context.cert_store_stats()["x509"] == 1
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_context_wants_a_name_to_check() -> None:
    """Without a server's name, with one that is no host, or as a server, no connection is made."""
    context = context_for(AUTHORITY.pem)
    with socket.socket() as plain:
        with pytest.raises(ValueError, match="name their server"):
            context.wrap_socket(plain)
        with pytest.raises(ValueError, match="name their server"):
            context.wrap_socket(plain, server_side=True)
        with pytest.raises(CallerError) as caught:
            context.wrap_socket(plain, server_hostname="127.1")
    assert caught.value.code == "bad-host"


def test_one_context_is_shared_per_set_of_anchors() -> None:
    """Threads get the same context; order and text around the anchors don't matter, other anchors do."""
    other = Authority("Other Root")
    found: list[object] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(context_for(AUTHORITY.pem + other.pem))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert context_for(b"Our roots:\n" + other.pem + AUTHORITY.pem + other.pem) is found[0]
    assert context_for(AUTHORITY.pem) is not found[0]
    assert context_for(AUTHORITY.pem, Policy.EITHER) is not context_for(AUTHORITY.pem)
    assert context_for(AUTHORITY.pem + other.pem).cert_store_stats()["x509"] == 2


@pytest.mark.parametrize(
    "pem", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"]
)
def test_what_holds_no_anchor_is_refused(pem: bytes) -> None:
    """A file without a certificate is the caller's problem, with the form that is needed."""
    with pytest.raises(CallerError) as caught:
        context_for(pem)
    assert caught.value.code == "bad-anchors"


POLICY_CASES = {
    "right in the CN": (
        AUTHORITY.issue("127.0.0.1", san=["other.example"]),
        {Policy.COMMON_NAME, Policy.EITHER},
    ),
    "right in the SAN": (
        AUTHORITY.issue("other.example", san=["127.0.0.1"]),
        {Policy.SUBJECT_ALTERNATIVE_NAME, Policy.EITHER},
    ),
    "right in both": (AUTHORITY.issue("127.0.0.1", san=["127.0.0.1"]), set(CONNECTION_POLICIES)),
    "right in none": (AUTHORITY.issue("other.example", san=["other.example"]), set()),
}


@pytest.mark.parametrize("case", POLICY_CASES)
@pytest.mark.parametrize("policy", CONNECTION_POLICIES)
def test_a_policy_reaches_the_handshake(case: str, policy: Policy) -> None:
    """Each looks at its own names, and a mismatch under any of them sends nothing."""
    certificate, passing = POLICY_CASES[case]
    with RawServer(certificate) as server:
        if policy in passing:
            with connected(server, "127.0.0.1", policy) as tls:
                assert tls.version() == "TLSv1.3"
        else:
            with pytest.raises(NameMismatchError) as caught, connected(server, "127.0.0.1", policy):
                pass
            assert caught.value.problem.context["policy"] == policy.value
        server.settle()
    assert server.received == 0


def test_no_connection_is_made_under_the_policy_of_the_preflight_check() -> None:
    """`both` is a question to ask, not a way to connect."""
    with pytest.raises(ValueError, match="preflight"):
        context_for(AUTHORITY.pem, Policy.BOTH)


ANY_USAGE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
USAGES = {
    "none at all": ([], True),
    "for servers": ([SERVER_AUTH], True),
    "for servers and clients": ([CLIENT_AUTH, SERVER_AUTH], True),
    "for clients": ([CLIENT_AUTH], False),
    "for anything": ([ANY_USAGE], False),
}


@pytest.mark.parametrize("case", USAGES)
def test_a_certificate_with_usages_needs_that_of_a_server(case: str) -> None:
    """RFC 5280, section 4.2.1.12, as OpenSSL has it; `may_serve` of a file says the same as a handshake."""
    usages, passes = USAGES[case]
    certificate = AUTHORITY.issue("127.0.0.1", usage=usages)
    assert read_certificate(certificate.der).may_serve is passes
    with RawServer(certificate) as server:
        if passes:
            exchange(server, "127.0.0.1")
        else:
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                exchange(server, "127.0.0.1")
            assert caught.value.verify_code == 26
        server.settle()
    assert server.received == (len(MESSAGE) if passes else 0)


def test_a_hostile_certificate_makes_no_long_error() -> None:
    """Thousands of names are counted and not listed."""
    certificate = AUTHORITY.issue("x", san=[f"{n}.example" for n in range(500)])
    with RawServer(certificate) as server:
        with pytest.raises(NameMismatchError) as caught, connected(server, "y.example", Policy.EITHER):
            pass
        server.settle()
    assert "(and 491 more)" in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert len(caught.value.problem.context["names"]) == 100
