"""Wrong tokens, wrong servers, wrong bytes, wrong folders: what is said, and that nothing is half done.

After each, both sides are looked at: the server's instances and uses of the token, the device's record. Where
the fault was on the way, the device goes on with the same message once it has gone.
"""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mock_server import pki
from smartlic_client.device import Device
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.messages import RegistrationRequest
from smartlic_client.transport import sync
from tests.cli import forger
from tests.cli.forger import Forger
from tests.cli.harness import (
    TRACEBACK,
    Lab,
    assert_error,
    inside,
    like_others,
    problem_of,
    record_of,
    shell,
    started,
    until,
    up,
)
from tests.support import DNA, cluster, new_addresses, program, token
from tests.unit.client.tls_servers import Handler, RawServer, answer_with, http

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Another cluster, with a root of its own."""
    with cluster(tmp_path_factory.mktemp("other")) as stage:
        yield Lab(stage)


def _register(home: Path, secret: str, *options: str) -> Any:
    return inside("smartlic", home).run(
        "--format", "json", "register", "--token", "-", *options, stdin=secret
    )


def _nothing_there(lab: Lab, folder: Path, *tokens: str) -> None:
    """The server knows nothing of this device, and no token was used for it."""
    assert lab.instance(folder) is None
    assert [lab.uses(one) for one in tokens] == [0] * len(tokens)


def _goes_on(lab: Lab, folder: Path, meant: RegistrationRequest, secret: str) -> None:
    """With the right destination the device finishes the same message: one instance, one use."""
    with Device.open(folder) as device:
        device.set_destination(lab.url("/SmartTransport"))
        device.trust(lab.anchor)
    inside("smartlic", folder.parent).json("report")
    record = record_of(folder)
    instance = lab.instance(folder)
    assert instance is not None
    assert record.identity is not None
    assert record.identity.piid == instance["product_instance_identifier"]
    assert (record.in_flight, record.sequence, lab.uses(secret)) == (None, meant.sequence, 1)


def _meant(folder: Path) -> RegistrationRequest:
    """The registration that the device has kept."""
    kept = record_of(folder).in_flight
    assert isinstance(kept, RegistrationRequest)
    return kept


# ---- tokens -----------------------------------------------------------------------------------------------
def _foreign(_lab: Lab, other: Lab) -> str:
    return token(other.stage)


def _used_up(lab: Lab, _other: Lab) -> str:
    secret = token(lab.stage, uses=1)
    home = Path(lab.stage.folder) / secrets.token_hex(4)
    with Device.open(lab.device(home, "first")) as device:
        device.register(IdToken(secret))
    return secret


def _revoked(lab: Lab, _other: Lab) -> str:
    secret = token(lab.stage)
    lab.stage.ask("token.revoke", token_id=IdToken(secret).token_id)
    return secret


@pytest.mark.parametrize(
    ("make", "code"),
    [(_foreign, "token-unknown"), (_used_up, "token-used-up"), (_revoked, "token-revoked")],
)
def test_a_token_that_the_server_refuses(lab: Lab, other: Lab, tmp_path: Path, make: Any, code: str) -> None:
    """Exit 1; no instance, no use spent; the device shows why, and takes a good token next."""
    secret = make(lab, other)
    home_of_token = other if make is _foreign else lab
    spent = home_of_token.uses(secret)
    folder = lab.device(tmp_path)
    done = _register(tmp_path, secret)
    error = assert_error(done, code, 1)
    assert "token" in error["mend"].lower()
    assert lab.instance(folder) is None
    assert home_of_token.uses(secret) == spent
    record = record_of(folder)
    assert (record.registration, record.in_flight, record.identity, record.new_key) == ("failed", *[None] * 3)
    assert secret not in folder.joinpath("device.json").read_text()
    shown = inside("smartlic", tmp_path).run("show", "status").stdout
    assert f"    Failure reason: {error['sentence']}" in shown
    good = token(lab.stage)
    assert json.loads(_register(tmp_path, good).stdout)["registration"] == "complete"
    assert lab.uses(good) == 1


def test_a_malformed_token_is_not_sent(lab: Lab, tmp_path: Path) -> None:
    """What cannot be a token is told by the device itself, which sends nothing and keeps nothing."""
    folder = lab.device(tmp_path)
    before = (folder / "device.json").read_bytes()
    secret = token(lab.stage)
    for given in (secret[:-20], secret + secret, "MTIzNA==", "%%%", "ÄÖÜ", "a b", "\0"):
        error = assert_error(_register(tmp_path, given), "token-malformed", 1)
        assert given not in json.dumps(error, ensure_ascii=False)
    assert (folder / "device.json").read_bytes() == before
    _nothing_there(lab, folder, secret)


def test_a_token_revoked_later_leaves_the_devices(lab: Lab, tmp_path: Path) -> None:
    """Revoking stops new registrations, not the product instances that used the token."""
    folder = lab.device(tmp_path)
    secret = token(lab.stage)
    assert _register(tmp_path, secret).returncode == 0
    inside("smartlic-mock", lab.stage.cluster).json("token", "revoke", IdToken(secret).token_id)
    assert inside("smartlic", tmp_path).json("request", DNA, "1")["authorization"] == "authorized"
    assert lab.instance(folder) is not None


# ---- the wrong place --------------------------------------------------------------------------------------
def test_a_wrong_path(lab: Lab, tmp_path: Path) -> None:
    """A path where nothing is: told with the right one; nothing is lost."""
    folder = lab.device(tmp_path, url=lab.url("/Transportgateway/services/DeviceRequestHandlr"))
    secret = token(lab.stage)
    error = assert_error(_register(tmp_path, secret), "wrong-path", 2)
    assert "/Transportgateway/services/DeviceRequestHandler" in error["mend"]
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


def test_the_other_transports_path(lab: Lab, tmp_path: Path) -> None:
    """Call Home sent to the Smart path is rejected unread, and said to be kept."""
    folder = lab.device(tmp_path)
    with Device.open(folder) as device:
        device.settings.url = lab.url("/SmartTransport")
        device._save()
    secret = token(lab.stage)
    assert_error(_register(tmp_path, secret), "message-rejected", 2)
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


def test_a_host_that_is_no_name_of_the_certificate(lab: Lab, tmp_path: Path) -> None:
    """The Primary's own address serves too, but is not the Host Common Name: refused, with both names."""
    primary = lab.stage.config.nodes.primary.host
    folder = lab.device(tmp_path, url=f"https://{primary}:4443/SmartTransport")
    secret = token(lab.stage)
    error = assert_error(_register(tmp_path, secret), "name-mismatch", 3)
    assert primary in error["sentence"]
    assert lab.vip in error["sentence"]
    assert f"set Host Common Name to {primary}" in error["mend"]
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


def test_another_clusters_anchor(lab: Lab, other: Lab, tmp_path: Path) -> None:
    """A chain that does not lead to the anchor given: refused, and nothing was sent."""
    folder = lab.device(tmp_path, anchor=other.anchor)
    secret = token(lab.stage)
    error = assert_error(_register(tmp_path, secret), "untrusted-chain", 3)
    assert "trust anchor" in error["mend"]
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


def test_a_name_only_in_resolve(lab: Lab, tmp_path: Path) -> None:
    """--resolve changes where it connects and not whom it believes."""
    folder = lab.device(tmp_path, url="https://ssm.example.com:4443/SmartTransport")
    secret = token(lab.stage)
    error = assert_error(
        _register(tmp_path, secret, "--resolve", f"ssm.example.com:4443:{lab.vip}"), "name-mismatch", 3
    )
    assert "ssm.example.com" in error["sentence"]
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


def test_nobody_there(lab: Lab, tmp_path: Path) -> None:
    """A server that is down: exit 2 at once, the message is kept."""
    folder = lab.device(tmp_path, url=f"https://{new_addresses().vip}:4443")
    secret = token(lab.stage)
    assert_error(_register(tmp_path, secret), "connection-refused", 2)
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


# ---- servers that misbehave -------------------------------------------------------------------------------
def _closes(connection: ssl.SSLSocket, request: bytes) -> None:
    """Closes where the answer should be."""
    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _closes_in_the_middle(connection: ssl.SSLSocket, request: bytes) -> None:
    connection.sendall(http("200 OK", body=b"{" + b" " * 1000)[:-500])
    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _page(text: str) -> Handler:
    return answer_with(http("200 OK", body=text.encode(), content_type="text/html; charset=utf-8"))


LATER = http("503 Service Unavailable", "Retry-After: 7", body=b"{}")
MOVED = http("302 Found", "Location: https://evil.example/SmartTransport", body=b"{}")
MISBEHAVIOUR: dict[str, tuple[Handler, str, dict[str, Any]]] = {
    "closes": (_closes, "connection-closed", {}),
    "closes in the middle": (_closes_in_the_middle, "connection-closed", {}),
    "HTML": (_page("<html>Please sign in</html>"), "not-a-licensing-server", {}),
    "HTML as JSON": (answer_with(http("200 OK", body=b"<html>")), "answer-unreadable", {}),
    "nothing": (answer_with(http("200 OK")), "answer-unreadable", {}),
    "an empty object": (answer_with(http("200 OK", body=b"{}")), "message-rejected", {}),
    "deep JSON": (answer_with(http("200 OK", body=b"[" * 100_000)), "answer-unreadable", {}),
    "too much": (answer_with(http("200 OK", body=b" " * (1024 * 1024 + 1))), "answer-too-large", {}),
    "503": (answer_with(LATER), "server-unavailable", {"retry_after": 7.0}),
    "500": (answer_with(http("500 Internal Server Error", body=b"{}")), "http-error", {}),
    "redirect": (answer_with(MOVED), "redirected", {}),
    "no HTTP": (answer_with(b"220 mail.example.com ESMTP\r\n"), "not-a-licensing-server", {}),
    "packed": (
        answer_with(http("200 OK", "Content-Encoding: gzip", body=b"x")),
        "not-a-licensing-server",
        {},
    ),
}


@pytest.mark.parametrize("what", MISBEHAVIOUR)
def test_a_server_that_misbehaves(lab: Lab, tmp_path: Path, what: str) -> None:
    """Trusted and rightly named, but with no answer to believe: exit 2, the message is kept and goes on."""
    handler, code, more = MISBEHAVIOUR[what]
    host = new_addresses().vip
    secret = token(lab.stage)
    with RawServer(Forger(lab).certificate(host), handler, host=host) as server:
        folder = lab.device(tmp_path, url=f"https://{host}:{server.port}/SmartTransport")
        done = _register(tmp_path, secret)
        assert len(server.requests) == 1
    error = assert_error(done, code, 2)
    for field, value in more.items():
        assert error[field] == value
    assert secret not in done.stdout
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


def test_the_call_home_form_of_no_answer(lab: Lab, tmp_path: Path) -> None:
    """XML that is no envelope, or has a DTD, is not believed either."""
    host = new_addresses().vip
    bodies = [b"<a/>", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', b"<a", b"\xff" * 100, b"<a>" * 5000]
    waiting = iter(bodies)

    def handle(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(http("200 OK", body=next(waiting), content_type="text/xml"))

    secret = token(lab.stage)
    with RawServer(Forger(lab).certificate(host), handle, host=host) as server:
        folder = lab.device(tmp_path, url=f"https://{host}:{server.port}")
        for _ in bodies:
            assert_error(_register(tmp_path, secret), "answer-unreadable", 2)
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, _meant(folder), secret)


def test_answers_that_are_forged(lab: Lab, tmp_path: Path) -> None:
    """Each differs from a good answer in one thing, and changes nothing; the good one counts."""
    made = Forger(lab)
    strange = made.strange_answers()
    host = new_addresses().vip
    product = made.root.leaf(host, pki.PRODUCT, now=made.now, alternative_names=[host])
    cases: list[tuple[Handler, str]] = [
        (made.accepts(key=strange), "answer-signature-not-valid"),
        (made.accepts(signer=strange), "answer-signature-not-valid"),
        (made.accepts(signer=product), "answer-signature-not-valid"),
        (made.accepts(forger.other_nonce), "answer-mismatch"),
        (made.accepts(forger.other_message), "answer-mismatch"),
        (made.accepts(forger.other_type), "answer-mismatch"),
        (made.accepts(forger.other_certificate), "answer-mismatch"),
        (made.accepts(forger.no_result), "answer-unreadable"),
        (made.accepts(forger.unknown_status), "answer-unreadable"),
    ]
    now: list[Handler] = []
    secret = token(lab.stage)
    with RawServer(made.certificate(host), lambda *given: now[-1](*given), host=host) as server:
        folder = lab.device(tmp_path, url=f"https://{host}:{server.port}/SmartTransport")
        for handler, code in cases:
            now.append(handler)
            assert_error(_register(tmp_path, secret), code, 2)
            assert record_of(folder).identity is None
        meant = _meant(folder)
        assert meant.sequence == 1
        copy = shutil.copytree(tmp_path, tmp_path.with_name(tmp_path.name + "-copy")) / folder.name
        now.append(made.accepts())
        assert json.loads(_register(copy.parent, secret).stdout)["piid"] == forger.PIID
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, meant, secret)


def test_a_refusal_from_the_future(lab: Lab, tmp_path: Path) -> None:
    """A code that this release does not know is a refusal; its text does not steer the terminal."""
    made = Forger(lab)
    host = new_addresses().vip
    with RawServer(made.certificate(host), made.accepts(forger.unknown_refusal), host=host) as server:
        folder = lab.device(tmp_path, url=f"https://{host}:{server.port}/SmartTransport")
        done = inside("smartlic", tmp_path).run("register", "--token", "-", stdin=token(lab.stage))
    assert r"\x1b[2JNot today" in assert_error(done, "server-failed", 1)["sentence"]
    assert record_of(folder).registration == "failed"


def test_a_server_that_hangs(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer in time is a communication failure; Ctrl-C ends it at once; the message stays."""
    host = new_addresses().vip
    secret = token(lab.stage)

    def hang(connection: ssl.SSLSocket, request: bytes) -> None:
        server.closing.wait(30)

    with RawServer(Forger(lab).certificate(host), hang, host=host) as server:
        folder = lab.device(tmp_path, url=f"https://{host}:{server.port}/SmartTransport")
        smartlic = program("smartlic", tmp_path)
        process = started(smartlic, "--format", "json", "register", "--token", "-")
        assert process.stdin is not None
        process.stdin.write(secret)
        process.stdin.close()
        process.stdin = None
        until(lambda: server.requests, "the server has the request")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert_error(subprocess.CompletedProcess([], process.returncode, out, err), "interrupted", 130)
        meant = _meant(folder)
        impatient = functools.partial(sync.SyncTransport, connect_timeout=5, read_timeout=0.3)
        monkeypatch.setattr(sync, "SyncTransport", impatient)
        assert_error(_register(tmp_path, secret), "connection-timeout", 2)
        monkeypatch.undo()
    assert _meant(folder) == meant
    _nothing_there(lab, folder, secret)
    _goes_on(lab, folder, meant, secret)


def test_retry_after_is_kept_to(lab: Lab, tmp_path: Path) -> None:
    """With --wait a 503 is tried again, after as long as the server says."""
    made, host = Forger(lab), new_addresses().vip
    answers = [
        answer_with(http("503 Service Unavailable", "Retry-After: 1", body=b"{}")),
        answer_with(http("429 Too Many Requests", "Retry-After: 0", body=b"{}")),
        made.accepts(),
    ]
    with RawServer(made.certificate(host), lambda *given: answers.pop(0)(*given), host=host) as server:
        lab.device(tmp_path, url=f"https://{host}:{server.port}/SmartTransport")
        done = _register(tmp_path, token(lab.stage), "--wait", "20")
        assert json.loads(done.stdout)["piid"] == forger.PIID
        assert len(server.requests) == 3


def test_deregistration_that_the_server_does_not_hear(lab: Lab, tmp_path: Path) -> None:
    """Local data goes, and what is left on the server is said: exit 0, `pending` with the reason."""
    folder = lab.registered(tmp_path)
    with Device.open(folder) as device:
        device.set_destination(f"https://{new_addresses().vip}:4443")
    done = inside("smartlic", tmp_path).run("deregister")
    assert (done.returncode, done.stdout) == (0, "De-registered, but the server could not be told\n")
    assert done.stderr.startswith("note: Nothing accepts connections at ")
    record = record_of(folder)
    assert (record.registration, record.identity, record.in_flight) == ("not-registered", None, None)
    assert "PRIVATE KEY" not in (folder / "device.json").read_text()
    assert lab.instance(folder) is not None  # the operator removes it there, or the device replaces it:
    with Device.open(folder) as device:
        device.set_destination(lab.url())
    secret = token(lab.stage)
    assert_error(_register(tmp_path, secret), "already-registered", 1)
    assert _register(tmp_path, secret, "--force").returncode == 0
    assert lab.uses(secret) == 1


def test_counts_that_could_not_be_told(lab: Lab, tmp_path: Path) -> None:
    """A request while the server is away: exit 2, the count is kept here and told later, once."""
    folder = lab.registered(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    with Device.open(folder) as device:
        device.set_destination(f"https://{new_addresses().vip}:4443")
    assert_error(smartlic.run("request", DNA, "3"), "connection-refused", 2)
    assert_error(smartlic.run("request", DNA, "5"), "connection-refused", 2)
    assert smartlic.json("show", "usage")["entitlements"][0]["count"] == 5
    instance = lab.instance(folder)
    assert instance is not None
    assert instance["licenses"] == []
    with Device.open(folder) as device:
        device.set_destination(lab.url())
    assert smartlic.json("report")["entitlements"][0]["enforcement_mode"] == "in-compliance"
    instance = lab.instance(folder)
    assert instance is not None
    assert [used["count"] for used in instance["licenses"]] == [5]


# ---- raw bytes to the servers -----------------------------------------------------------------------------
SMART, CALL_HOME = b"/SmartTransport", b"/Transportgateway/services/DeviceRequestHandler"


def _post(body: bytes, path: bytes = SMART, length: int | None = None, method: bytes = b"POST") -> bytes:
    size = len(body) if length is None else length
    head = b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (
        method,
        path,
        size,
    )
    return head + body


def _raw(*fields: bytes, body: bytes = b"", start: bytes = b"POST /SmartTransport HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: x", b"Connection: close", *fields, b"", body])


def _envelope(request: str) -> bytes:
    signature = {"type": "SHA-256", "value": ""}
    return json.dumps({"signature": signature, "credential": None, "request": request}).encode()


CHUNK = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
BOMB = b"<!DOCTYPE a [<!ENTITY a 'x'>%s]><a>&j;</a>" % b"".join(
    b"<!ENTITY %c '%s'>" % (98 + step, b"&%c;" % (97 + step) * 10) for step in range(9)
)
FILE = b"<!DOCTYPE a [<!ENTITY d SYSTEM 'file:///etc/passwd'>]><a>&d;</a>"
DEEP = b"[" * 100_000 + b"]" * 100_000
RAW: list[tuple[str, bytes, int]] = [
    ("over 1 MiB", _post(b"x" * (1024 * 1024 + 1)), 413),
    ("said to be a TB", _post(b"", length=10**12), 413),
    ("over 1 MiB in chunks", _raw(CHUNKED, body=CHUNK * 5 + b"0\r\n\r\n"), 413),
    ("negative length", _post(b"", length=-5), 400),
    ("no number", _raw(b"Content-Length: ten"), 400),
    ("two lengths", _raw(b"Content-Length: 5", b"Content-Length: 6", body=b"abcdef"), 400),
    ("length and chunks", _raw(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400),
    ("chunk size no number", _raw(CHUNKED, body=b"ZZ\r\nabc\r\n"), 400),
    ("GET", _post(b"", method=b"GET"), 405),
    ("DELETE", _post(b"", method=b"DELETE"), 405),
    ("unknown path", _post(b"{}", path=b"/smarttransport/x"), 404),
    ("path of bytes", _post(b"{}", path=b"/%ff%00/../.."), 404),
    ("nothing", _post(b""), 400),
    ("no JSON", _post(b"hello"), 400),
    ("no UTF-8", _post(b"\xff\xfe\x00"), 400),
    ("no message", _post(b"{}"), 400),
    ("a list", _post(b"[]"), 400),
    ("deep JSON", _post(DEEP), 400),
    ("deep JSON where unknown", _post(b'{"a":' * 100_000), 400),
    ("deep JSON inside", _post(_envelope("[" * 50_000)), 400),
    ("surrogate inside", _post(_envelope("\ud800")), 400),
    ("huge number", _post(b'{"signature": 1e999999, "request": "{}"}'), 400),
    ("no XML", _post(b"hello", path=CALL_HOME), 400),
    ("no envelope", _post(b"<a/>", path=CALL_HOME), 400),
    ("DTD", _post(b"<!DOCTYPE a><a/>", path=CALL_HOME), 400),
    ("a file's entity", _post(FILE, path=CALL_HOME), 400),
    ("a billion laughs", _post(BOMB, path=CALL_HOME), 400),
    ("deep XML", _post(b"<a>" * 100_000, path=CALL_HOME), 400),
    ("JSON as Call Home", _post(b"{}", path=CALL_HOME), 400),
    ("no HTTP", b"\x16\x03\x01 hello\r\n\r\n", 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("CONNECT", _raw(start=b"CONNECT a:1 HTTP/1.1"), 400),
    ("a field without colon", b"POST /SmartTransport HTTP/1.1\r\nHost x\r\n\r\n", 400),
]


class _Wire:
    """Raw bytes over TLS to a listener of the cluster; the status of the answer, and its body."""

    def __init__(self, lab: Lab, port: int) -> None:
        self._at = (lab.vip, port)
        self._context = ssl.create_default_context(cadata=lab.anchor.decode())
        self._context.check_hostname = False  # the name is not what is tested here

    def connect(self) -> ssl.SSLSocket:
        return self._context.wrap_socket(socket.create_connection(self._at, timeout=20))

    def ask(self, data: bytes) -> tuple[int, bytes]:
        with self.connect() as connection:
            with contextlib.suppress(OSError):  # refused before it was read to its end
                connection.sendall(data)
            said = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while piece := connection.recv(65536):
                    said += piece
        head, _, body = said.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body


@pytest.fixture
def quiet(lab: Lab) -> Iterator[None]:
    """While the test runs, neither server logs an exception or an error."""
    bad = (TRACEBACK, " ERROR ", " CRITICAL ")
    before = [lab.logs().count(words) for words in bad]
    yield
    assert [lab.logs().count(words) for words in bad] == before


@pytest.mark.usefixtures("quiet")
def test_bytes_that_are_no_message(lab: Lab, tmp_path: Path) -> None:
    """Each gets its 4xx and no trace of the server's inside; the server goes on, and logs no exception."""
    devices = _Wire(lab, 4443)
    before = lab.stage.ask("event.list", limit=1)
    for what, data, wanted in RAW:
        status, body = devices.ask(data)
        assert status == wanted, (what, status, body)
        assert not any(word in body for word in (b"Traceback", b"/mock_server/", b"root:")), (what, body)
        if body != b"Invalid HTTP request received.":
            words = msgspec.json.decode(body, type=dict[str, list[str]])
            assert all(len(text) > 8 for texts in words.values() for text in texts), what
    assert lab.stage.ask("event.list", limit=1) == before
    lab.registered(tmp_path)


@pytest.mark.usefixtures("quiet")
def test_bytes_to_the_pages(lab: Lab) -> None:
    """The GUI's listener refuses what is no request, and sends strangers to the sign-in, unread."""
    pages = _Wire(lab, 8443)
    for what, data, wanted in RAW:
        status, body = pages.ask(data)
        assert status == 303 or 400 <= status < 500, (what, wanted, status)
        assert b"Traceback" not in body
    assert pages.ask(_post(b"", path=b"/", method=b"GET"))[0] == 303
    assert pages.ask(_post(b"", path=b"/sign-in", method=b"GET"))[0] == 200
    assert pages.ask(_post(b"", path=b"/health", method=b"GET"))[0] == 200
    for path in (b"/../cssm/root.key", b"/static/../../cssm/root.key", b"/api-docs/../../cssm/root.key"):
        status, body = pages.ask(_post(b"", path=path, method=b"GET"))
        assert status in (303, 404), path
        assert b"PRIVATE KEY" not in body


@pytest.mark.usefixtures("quiet")
def test_bytes_to_the_rest_api(lab: Lab) -> None:
    """Of a client with an access token: done or refused as JSON, never a 5xx or a trace of the inside."""
    api = _Wire(lab, 8443)
    made = lab.stage.ask("api-client.create", name="bytes")
    asked = {"grant_type": "client_credentials"} | {key: made[key] for key in ("client_id", "client_secret")}
    _, body = api.ask(_post(msgspec.json.encode(asked), path=b"/oauth/token"))
    bearer = msgspec.json.decode(body)["access_token"].encode()
    path, seen = b"/api/v1/accounts/Lab/licenses", set()
    for what, data, _ in RAW:
        call = data.replace(SMART, path, 1).replace(
            b"Host: x", b"Host: x\r\nAuthorization: Bearer " + bearer, 1
        )
        status, body = api.ask(call)
        seen.add(status)
        assert status in (200, 303, 400, 404, 405, 413, 415), (what, status)
        assert not any(word in body for word in (b"Traceback", b"/mock_server/", b"root:")), (what, body)
        if path in call and body and body != b"Invalid HTTP request received.":
            assert msgspec.json.decode(body)["status"] == ("SUCCESS" if status == 200 else "ERROR"), what
    assert {200, 400, 405, 413, 415} <= seen


@pytest.mark.usefixtures("quiet")
def test_clients_that_go_in_the_middle(lab: Lab, tmp_path: Path) -> None:
    """A Content-Length that lies, a chunk that never ends, half a head: closed, and nothing logged."""
    devices = _Wire(lab, 4443)
    halves = [
        _post(b"{}", length=1000),
        _raw(CHUNKED, body=b"ffff\r\n{"),
        b"POST /SmartTransport HTTP/1.1\r\nHo",
        b"",
    ]
    for data in halves:
        with devices.connect() as connection:
            connection.sendall(data)
    plain = socket.create_connection((lab.vip, 4443))
    plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
    plain.settimeout(20)
    with contextlib.suppress(ConnectionError):
        while plain.recv(100):
            pass
    plain.close()
    lab.registered(tmp_path)


@pytest.mark.usefixtures("quiet")
def test_bytes_to_the_control_socket(lab: Lab) -> None:
    """What is no request gets an error with a code, and the supervisor goes on."""
    path = json.loads((lab.stage.cluster / "control.json").read_text())["control"]
    lines = [
        (b"hello", "bad-control-request"),
        (b"[]", "bad-control-request"),
        (b"{}", "bad-control-request"),
        (b'{"op": 1}', "bad-control-request"),
        (b'{"op": "console", "node": "x"}', "bad-control-request"),
        (b'{"op": "format-disk"}', "unknown-op"),
        (b'{"op": "token.create", "days": "many"}', "bad-field"),
        (b'{"op": "token.create", "uses": 1.5}', "bad-field"),
        (b'{"op": "event.list", "limit": null}', "bad-field"),
    ]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(path)
        with sock.makefile("rwb") as stream:
            for line, code in lines:
                stream.write(line + b"\n")
                stream.flush()
                said = json.loads(stream.readline())
                assert (said["ok"], said["error"]["code"]) == (False, code), (line[:60], said)
    assert lab.mock.json("status")["active"] == "primary"


# ---- the device's folder ----------------------------------------------------------------------------------
def test_two_processes_on_one_device(lab: Lab, tmp_path: Path) -> None:
    """The second is told who has it, with the pid, exit 75; looking is always possible."""
    folder = lab.device(tmp_path, url=f"https://{new_addresses().vip}:4443")
    smartlic = program("smartlic", tmp_path)
    first = started(smartlic, "register", "--token", "-", "--wait", "600")
    try:
        assert first.stdin is not None
        first.stdin.write(token(lab.stage))
        first.stdin.close()
        first.stdin = None
        until(lambda: record_of(folder).in_flight, "the first has the device")
        meant = _meant(folder)
        shown = inside("smartlic", tmp_path).json("show", "status")
        assert shown["in_flight"] == meant.message_id
        error = assert_error(smartlic.run("--format", "json", "report"), "store-busy", 75)
        assert error["context"]["pid"] == first.pid
        assert f"(process {first.pid}, since 20" in error["sentence"]
        with pytest.raises(SmartlicError) as busy:
            Device.open(folder, lock_timeout=0)
        assert problem_of(busy.value) == "store-busy"
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=20)
    assert _meant(folder) == meant
    with Device.open(folder, lock_timeout=0):
        pass


def test_a_damaged_store(lab: Lab, tmp_path: Path) -> None:
    """What cannot be read is set aside and named, never overwritten; a copy put back is the device again."""
    folder = lab.registered(tmp_path)
    path = folder / "device.json"
    good = path.read_bytes()
    smartlic = inside("smartlic", tmp_path)
    for number, bad in enumerate([b"", good[:-100], b"\xff" * 10, b"[" * 100_000, b"{}"], 1):
        path.write_bytes(bad)
        aside = f"{path}.damaged-{number}"
        error = assert_error(smartlic.run("--format", "json", "show", "status"), "store-damaged", 1)
        assert aside in error["sentence"]
        assert Path(aside).read_bytes() == bad
        assert_error(smartlic.run("report"), "no-device", 1)
    path.write_bytes(good)
    assert smartlic.json("report")["ok"] is True
    assert len(list(folder.glob("*.damaged-*"))) == 5


def test_stores_that_this_release_cannot_read(lab: Lab, tmp_path: Path) -> None:
    """A newer version, or a record that is none: told, and left exactly as it is."""
    folder = lab.registered(tmp_path)
    path = folder / "device.json"
    data = json.loads(path.read_bytes())
    newer = {**data, "version": 2}
    wrong = json.loads(json.dumps(data))
    wrong["state"]["record"]["sequence"] = -1
    none = {**data, "state": {}}
    smartlic = inside("smartlic", tmp_path)
    for state, code in ((newer, "store-version"), (wrong, "device-unreadable"), (none, "device-unreadable")):
        path.write_text(json.dumps(state))
        for verb in (["show", "status"], ["report"], ["deregister"]):
            if state is wrong and verb[0] == "show":
                continue  # it reads only what it prints, and prints no sequence
            assert_error(smartlic.run(*verb), code, 1)
        assert json.loads(path.read_text()) == state


def test_a_folder_that_cannot_be_written(lab: Lab, tmp_path: Path) -> None:
    """A registration that cannot be saved is not sent; the device is as it was."""
    folder = lab.device(tmp_path)
    secret = token(lab.stage)
    file = tmp_path / "token"
    file.write_text(secret)
    before = (folder / "device.json").read_bytes()
    folder.chmod(0o500)
    try:
        done = like_others(program("smartlic", tmp_path), "register", "--token", str(file))
        assert_error(done, "store-unwritable", 1)
        assert (folder / "device.json").read_bytes() == before
    finally:
        folder.chmod(0o700)
    _nothing_there(lab, folder, secret)
    new = like_others(program("smartlic", Path("/proc/1")), "init", "--pid", "P", "--sn", "S", "--name", "x")
    assert_error(new, "store-unwritable", 1)


def _kib(path: Path) -> int:
    return -(-path.stat().st_size // 1024)


def test_a_full_disk_before_it_is_sent(lab: Lab, tmp_path: Path) -> None:
    """Where the message cannot be saved nothing is sent: no instance, no use, and the old state is whole."""
    folder = lab.device(tmp_path)
    secret = token(lab.stage)
    file = tmp_path / "token"
    file.write_text(secret)
    before = (folder / "device.json").read_bytes()
    smartlic = program("smartlic", tmp_path)
    call = ["--format", "json", "register", "--wait", "5", "--token", str(file)]
    done = shell(smartlic, f'ulimit -f {_kib(folder / "device.json")}; "$@"', *call)
    assert "File too large" in assert_error(done, "store-unwritable", 1)["sentence"]
    assert (folder / "device.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["device.json", "device.lock"]
    _nothing_there(lab, folder, secret)
    assert smartlic.run("register", "--token", str(file)).returncode == 0
    assert lab.uses(secret) == 1


def test_a_full_disk_when_the_answer_comes(lab: Lab, tmp_path: Path) -> None:
    """Where the answer cannot be saved the message stays; later it is sent again, and counts once."""
    folder = lab.device(tmp_path, url=f"https://{new_addresses().vip}:4443")
    secret = token(lab.stage)
    assert_error(_register(tmp_path, secret), "connection-refused", 2)
    with Device.open(folder) as device:
        device.set_destination(lab.url("/SmartTransport"))
    meant = _meant(folder)
    done = shell(program("smartlic", tmp_path), f'ulimit -f {_kib(folder / "device.json")}; "$@"', "report")
    assert_error(done, "store-unwritable", 1)
    assert _meant(folder) == meant
    assert lab.uses(secret) == 1
    _goes_on(lab, folder, meant, secret)


def test_a_clusters_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """`up` says so, starts nothing, and the cluster is as it was."""
    folder = tmp_path / "c"
    with up(folder, *new_addresses().options()):
        pass
    before = sorted(path.name for path in folder.iterdir())
    folder.chmod(0o500)
    try:
        done = like_others(program("smartlic-mock", folder), "up")
        error = assert_error(done, "folder-unusable", 1)
        assert "Permission denied" in error["sentence"]
    finally:
        folder.chmod(0o700)
    assert sorted(path.name for path in folder.iterdir()) == before
    with up(folder):
        assert inside("smartlic-mock", folder).json("status")["active"] == "primary"
