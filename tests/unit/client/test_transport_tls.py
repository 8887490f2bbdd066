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
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smartlic_client.errors import CallerError, TrustError
from smartlic_client.names import InvalidName, Policy
from smartlic_client.transport.tls import NameMismatchError, context_for, read_names
from tests.unit.client.tls_servers import CLIENT_AUTH, DAY, Authority, Certificate, RawServer

AUTHORITY = Authority()
MESSAGE = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def connected(server: RawServer, name: str, **settings: Any) -> Iterator[ssl.SSLSocket]:
    """A checked connection to `server` under the server name `name`."""
    context = context_for(AUTHORITY.pem)
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


def test_the_check_holds_when_a_session_is_resumed() -> None:
    """A session made with the right name does not open a connection under a wrong one."""
    with RawServer(AUTHORITY.issue("127.0.0.1"), versions=ssl.TLSVersion.TLSv1_2) as server:
        with connected(server, "127.0.0.1") as tls:
            session = tls.session
        with connected(server, "127.0.0.1", session=session) as tls:
            assert tls.session_reused
        with pytest.raises(NameMismatchError), connected(server, "127.0.0.2", session=session):
            pass
        server.settle()
    assert server.reused == [False, True, True]
    assert server.received == 0


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


def test_a_policy_other_than_the_default_reaches_the_handshake() -> None:
    """Under `either`, a name in the SAN is enough."""
    with RawServer(AUTHORITY.issue("other.example", san=["127.0.0.1"])) as server:
        context = context_for(AUTHORITY.pem, Policy.EITHER)
        with (
            socket.create_connection((server.host, server.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
        ):
            assert tls.version() == "TLSv1.3"


def certificate_with(kind: _ASN1Type, text: str, old: bytes, new: bytes) -> bytes:
    """A certificate whose Common Name has its bytes `old` replaced by `new` (the signature breaks)."""
    key = ec.generate_private_key(ec.SECP256R1())
    template = x509.load_der_x509_certificate(AUTHORITY.issue("x").der)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind)])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    der = built.public_bytes(Encoding.DER)
    assert old in der
    return der.replace(old, new)


@pytest.mark.parametrize(
    ("kind", "new"),
    [
        (_ASN1Type.UTF8String, b"ssm.exa\xffple"),
        (_ASN1Type.PrintableString, b"ssm*exa@ple"),
        (_ASN1Type.IA5String, b"ssm.exa\xc3\xa9le"),
        (_ASN1Type.T61String, b"ssm.exa\xe9ple"),
    ],
)
def test_bytes_that_are_no_string_of_their_type_are_no_name(kind: _ASN1Type, new: bytes) -> None:
    """Such a Common Name comes back as an invalid name with its reason, and nothing is raised."""
    (name,) = read_names(certificate_with(kind, "ssm.example", b"ssm.example", new)).common_names
    assert isinstance(name, InvalidName)
    assert "no valid string" in name.reason


@pytest.mark.parametrize(
    "kind",
    [
        _ASN1Type.UTF8String,
        _ASN1Type.PrintableString,
        _ASN1Type.IA5String,
        _ASN1Type.T61String,
        _ASN1Type.BMPString,
        _ASN1Type.UniversalString,
    ],
)
def test_a_common_name_is_read_from_every_type_of_string(kind: _ASN1Type) -> None:
    """All types that a DirectoryString can have give the same text."""
    der = certificate_with(kind, "ssm.example", b"", b"")
    assert read_names(der).common_names == ("ssm.example",)


def test_all_names_are_read_in_their_order() -> None:
    """Common Names, DNS names and addresses of both families."""
    names = read_names(AUTHORITY.issue("b", "a", san=["d.example", "192.0.2.1", "c.example", "::1"]).der)
    assert names.common_names == ("b", "a")
    assert names.dns == ("d.example", "c.example")
    assert [str(address) for address in names.ip] == ["192.0.2.1", "::1"]


@settings(deadline=None)
@example(b"\x00\x00", 0)
@given(st.binary(max_size=60), st.integers(0, 600))
def test_reading_names_never_raises(noise: bytes, at: int) -> None:
    """Whatever stands in place of a certificate or inside of one, names or invalid names come back."""
    read_names(noise)
    der = bytearray(WRONG["right in the SAN only"][0].der)
    der[at : at + len(noise)] = noise
    read_names(bytes(der))
    read_names(bytes(der[:at]))
