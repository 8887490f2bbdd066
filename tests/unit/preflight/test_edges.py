"""The edges: what the server says of itself, proxies as they are written, files, and the progress shown."""

from __future__ import annotations

import datetime
import io
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from mock_server import pki
from smartlic_client.errors import SmartlicError
from smartlic_client.hosts import parse_host
from smartlic_client.preflight.anchors import load_anchors, read_fingerprint
from smartlic_client.preflight.files import look_at_file
from smartlic_client.preflight.observation import ServerFacts, Target
from smartlic_client.preflight.probes.proxy import read_proxy
from smartlic_client.preflight.progress import progress
from smartlic_client.preflight.server import MockFolder
from smartlic_client.protocol import signing
from tests.unit.client.tls_servers import DAY, Authority
from tests.unit.preflight.builders import VIP, authority, ids, leaf, options, root

# --- The server's side ----------------------------------------------------------------------------


@contextmanager
def _control(answer: bytes) -> Iterator[Path]:
    """A folder whose control socket gives this answer to one request."""
    with TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        path = Path(short, "control")
        listening.bind(str(path))
        listening.listen()
        Path(short, "control.json").write_text(json.dumps({"control": str(path)}))

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                assert json.loads(connection.makefile("rb").readline()) == {"op": "certificates"}
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Path(short)
        thread.join(10)


def test_what_the_mock_says_of_its_names() -> None:
    """One line of JSON each way; what else is in the answer is passed over."""
    result = {"common_name": "a", "served_name": "b", "pending": True, "note": "x", "trust_anchor": "y"}
    with _control(json.dumps({"ok": True, "result": result}).encode() + b"\n") as folder:
        assert MockFolder(str(folder)).facts(5) == ServerFacts(common_name="a", served_name="b", pending=True)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\n", b"[]\n", b"{\n", b'{"ok": true, "result": {"pending": 1}}\n', b"\xff\n",
     b'{"ok": false, "error": {"sentence": "Nobody is Active."}}\n'],
)  # fmt: skip
def test_a_server_that_says_something_else(answer: bytes) -> None:
    """Any other answer is the problem `check-server-silent`, with what it said where it said anything."""
    with _control(answer) as folder, pytest.raises(SmartlicError) as caught:
        MockFolder(str(folder)).facts(5)
    assert caught.value.code == "check-server-silent"
    if b"Nobody" in answer:
        assert "Nobody is Active" in caught.value.sentence


# --- Proxies, fingerprints ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "authority", "authorized"),
    [
        ("http://proxy.example.com", "proxy.example.com:8080", False),
        ("http://192.0.2.3:3128/", "192.0.2.3:3128", False),
        ("http://[2001:db8::3]:3128", "[2001:db8::3]:3128", False),
        ("http://user:pass%40word@192.0.2.3:3128", "192.0.2.3:3128", True),
    ],
)
def test_proxies_as_they_are_written(text: str, authority: str, authorized: bool) -> None:
    """Host, port and credentials of a proxy's URL."""
    proxy = read_proxy(text)
    assert proxy.authority == authority
    assert (proxy.authorization is not None) is authorized


@pytest.mark.parametrize(
    "text",
    ["", "proxy:3128", "https://proxy", "http://", "http://a/path", "http://a?b", "http://a:x", "http://127.1",
     "http://[::1", "http://user:s3cr3t@127.1:1"],
)  # fmt: skip
def test_what_is_no_proxy(text: str) -> None:
    """A ValueError that repeats nothing of what may be a password."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_proxy(text)
    assert "s3cr3t" not in str(caught.value)


@given(st.text(max_size=100))
def test_a_fingerprint_is_64_digits(text: str) -> None:
    """`sha256:` and colons between the bytes may be there or not; anything else is refused."""
    digits = "0123456789abcdef" * 4
    assert read_fingerprint(f"SHA256:{digits.upper()}") == f"sha256:{digits}"
    pairs = ":".join(digits[at : at + 2] for at in range(0, 64, 2))
    assert read_fingerprint(f"sha256:{pairs}") == read_fingerprint(digits) == f"sha256:{digits}"
    with pytest.raises(ValueError, match="64"):
        read_fingerprint(text)


# --- Files ----------------------------------------------------------------------------------------


def _look(path: Path, **more: Any) -> list[str]:
    observation = look_at_file(Target(label=str(path), file=str(path)), **more)
    return list(ids(observation, options(expected_name=parse_host(VIP))))


def _issued() -> pki.Issued:
    now = datetime.datetime.now(datetime.UTC)
    key = signing.new_key()
    top = pki.new_root("Root", now)
    _, chain = pki.new_authority(top, "CA", key.public_key(), now=now, path_length=1)
    return pki.Issuer(chain[0], key, chain).leaf(VIP, pki.PRODUCT, now=now, alternative_names=[VIP])


def test_forms_of_certificate_files(tmp_path: Path) -> None:
    """PEM in any order, DER, and PKCS#12 with and without a password; the key in one is not needed."""
    issued = _issued()
    key = load_pem_private_key(issued.key_pem, None)
    pem, der, p12, locked = (tmp_path / name for name in ("a.pem", "a.der", "a.p12", "b.p12"))
    authority_first = pki.to_pem(issued.chain[0]) + issued.key_pem + pki.to_pem(issued.certificate)
    pem.write_bytes(b"text\n" + authority_first)
    der.write_bytes(issued.certificate.public_bytes(Encoding.DER))
    whole = (b"name", key, issued.certificate, list(issued.chain))
    p12.write_bytes(pkcs12.serialize_key_and_certificates(*whole, NoEncryption()))  # type: ignore[arg-type]
    secret = BestAvailableEncryption(b"secret")
    locked.write_bytes(pkcs12.serialize_key_and_certificates(*whole, secret))  # type: ignore[arg-type]
    assert _look(pem) == _look(der) == _look(p12) == []
    assert _look(locked) == ["file-needs-password"]


def test_files_that_hold_no_certificate(tmp_path: Path) -> None:
    """Nothing, text, a key, a certificate that is cut off, a folder: findings, never a traceback."""
    issued = _issued()
    der = issued.certificate.public_bytes(Encoding.DER)
    public = issued.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    pem = pki.to_pem(issued.certificate)
    contents = {
        "empty": b"", "text": b"Hello", "key": issued.key_pem, "public": public, "cut": pem[: len(pem) // 2],
        "zeros": bytes(1000), "half": der[: len(der) // 2], "null": b"0\x00",
        "huge": b"0\x84\xff\xff\xff\xff",
    }  # fmt: skip
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        found = _look(path)
        assert set(found) & {"file-without-certificate", "certificate-unreadable"}, (name, found)
    assert _look(tmp_path) == ["file-unreadable"]
    assert _look(tmp_path / "missing") == ["file-unreadable"]
    assert _look(Path("a\0b")) == ["file-unreadable"]


@given(st.data())
def test_a_certificate_with_any_byte_changed_is_looked_at(data: st.DataObject) -> None:
    """Whatever a file holds, there is a list of findings."""
    der = bytearray(leaf(VIP, san=(VIP,)).der)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.der")
        path.write_bytes(der)
        _look(path)


def test_a_files_way_to_the_anchor(tmp_path: Path) -> None:
    """With anchors, a file's chain is followed by names and signatures, without a network."""
    path = tmp_path / "a.der"
    path.write_bytes(authority().issue(VIP, san=[VIP], until=365 * DAY).der)
    other = x509.load_pem_x509_certificate(Authority("Licensing Root").pem).public_bytes(Encoding.DER)
    anchor = tmp_path / "other.der"
    anchor.write_bytes(other)
    impostor = look_at_file(Target(label="other", file=str(anchor))).endpoints[0].chain
    assert _look(path, anchors=(root(),)) == []
    assert _look(path, anchors=impostor) == ["chain-untrusted"]  # the same name, and another key


def test_anchors_have_to_be_authorities(tmp_path: Path) -> None:
    """A server's own certificate is no anchor: the problem says whose it is."""
    path = tmp_path / "a.pem"
    path.write_bytes(pki.to_pem(_issued().certificate))
    with pytest.raises(SmartlicError, match="is no CA certificate") as caught:
        load_anchors(str(path))
    assert (caught.value.code, caught.value.exit_code) == ("check-bad-ca", 2)
    assert x509.load_pem_x509_certificate(load_anchors(str(_written(tmp_path, authority().pem))))


def _written(folder: Path, content: bytes) -> Path:
    path = folder / "anchor.pem"
    path.write_bytes(content)
    return path


# --- Progress -------------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("with_rich", [True, False])
def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, with_rich: bool) -> None:
    """A bar where rich is installed, a counter where it is not; both are gone at the end."""
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setitem(os.environ, "TERM", "xterm")
    if not with_rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    with progress(3) as done:
        for _ in range(3):
            done()
    said = terminal.getvalue()
    assert "3/3" in said
    assert ("\x1b" in said) is with_rich


def test_no_progress_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One target, or no terminal: nothing is written."""
    for stream, total in ((_Terminal(), 1), (io.StringIO(), 100)):
        monkeypatch.setattr("sys.stderr", stream)
        with progress(total) as done:
            done()
        assert stream.getvalue() == ""
