"""Synchronization, the mock CSSM and certificates on a cluster of real processes, by the command line."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from mock_server import pki
from smartlic_client.device import Device
from smartlic_client.protocol import signing
from smartlic_client.protocol.identity import IdToken, Udi
from tests.cli.harness import (
    Inside,
    Lab,
    alive,
    assert_error,
    inside,
    processes_of,
    together,
    until,
    up,
)
from tests.support import DNA, new_addresses

pytestmark = pytest.mark.real
MY_TAG = DNA.replace("50M", "100M")


@pytest.fixture
def mock(lab: Lab) -> Iterator[Inside]:
    """The command line; afterwards CSSM runs and has no faults, and the clock is the real one."""
    tool = inside("smartlic-mock", lab.stage.cluster)
    yield tool
    tool.json("cssm", "start")
    tool.json("cssm", "faults", "--clear")
    tool.json("cssm", "strict", "off")
    tool.json("sync", "schedule", "never")
    tool.json("clock", "reset")


def account(mock: Inside, name: str = "Lab") -> dict[str, Any]:
    return next(one for one in mock.json("sync", "status")["accounts"] if one["account"] == name)


def purchased(mock: Inside, tag: str = MY_TAG) -> int:
    return sum(row["purchased"] for row in mock.json("licenses")["licenses"] if row["tag"] == tag)


def buy(mock: Inside, quantity: int, *options: str) -> str:
    done = mock.json(
        "cssm", "purchase", "add", "DNA C", "--tag", MY_TAG, "--quantity", str(quantity), *options
    )
    return str(done["id"])


def cssm_pid(lab: Lab) -> int:
    return int(json.loads((lab.stage.cluster / "cssm" / "control.json").read_text())["pid"])


# ---- by the network ---------------------------------------------------------------------------------------
def test_what_is_bought_at_cssm_is_there_after_a_synchronization(lab: Lab, mock: Inside) -> None:
    """Purchases survive a crash of CSSM, and one that is taken back is gone with the next synchronization."""
    first = buy(mock, 5)
    buy(mock, 2, "--kind", "TERM", "--end", "2999-01-01")
    assert purchased(mock) == 0
    mock.json("sync")
    assert purchased(mock) == 7
    former = cssm_pid(lab)
    assert mock.json("cssm", "kill") == {"ok": True, "running": False, "changed": True}
    assert not alive(former)
    assert mock.json("cssm", "start")["changed"] is True
    mock.json("cssm", "purchase", "remove", first)
    assert [row["quantity"] for row in mock.json("cssm", "purchase", "list")["purchases"]] == [2]
    mock.json("sync")
    assert purchased(mock) == 2
    (told,) = mock.json("cssm", "on-prem", "list")["on_prem"]
    assert (told["account"], told["smart_account"]) == ("Lab", "Lab Smart Account")


def test_devices_pages_and_trust_anchor_go_on_without_cssm(lab: Lab, mock: Inside, tmp_path: Path) -> None:
    """A synchronization fails with its reason, which the account shows; it is tried again by itself."""
    mock.json("cssm", "stop")
    assert mock.json("cssm", "status") == {"ok": True, "running": False}
    assert_error(mock.run("cssm", "purchase", "list"), "cssm-stopped", 2)
    assert_error(mock.run("sync"), "cssm-unreachable", 2)
    failure = account(mock)["failure"]
    assert (failure["code"], failure["attempts"]) == ("cssm-unreachable", 1)
    lab.registered(tmp_path, "pi37")
    assert lab.stage.gui("vip") == "answers"
    assert mock.json("certificates")["trust_anchor"] == lab.anchor.decode()
    mock.json("cssm", "start")
    mock.json("clock", "advance", "2m")
    until(lambda: account(mock)["failure"] is None, "it is tried again")


def test_a_slow_and_a_refusing_cssm(mock: Inside) -> None:
    """Each with its code; faults are listed, also for the next time only, and cleared."""
    assert mock.json("cssm", "slow", "60")["faults"][0]["seconds"] == 60.0
    assert_error(mock.run("sync", "--timeout", "0.2"), "cssm-timeout", 2)
    mock.json("cssm", "faults", "--clear")
    mock.json("cssm", "refuse", "the contract has ended", "--times", "1")
    assert "refuses: the contract has ended, 1 times" in mock.run("cssm", "status").stdout
    error = assert_error(mock.run("sync", "--format", "json"), "cssm-refuses", 1)
    assert "the contract has ended" in error["sentence"]
    assert mock.json("cssm", "faults")["faults"] == []
    assert mock.json("sync")["synchronized"] == ["Lab"]


def test_one_account_that_fails_keeps_no_other_from_it(lab: Lab, mock: Inside) -> None:
    """A strict CSSM does not know one smart account; the error names it, and the others are synchronized."""
    mock.json("sync")
    mock.json("cssm", "strict", "on")
    mock.json("account", "create", "Strange", "--smart-account", "Nobody's")
    try:
        error = assert_error(mock.run("--format", "json", "sync"), "sync-incomplete", 2)
        assert error["context"]["synchronized"] == ["Lab"]
        assert "Strange: CSSM has no smart account" in error["sentence"]
        assert account(mock, "Strange")["failure"]["code"] == "smart-account-unknown"
        mock.json("account", "deactivate", "Strange", "--reason", "unknown")
        assert_error(mock.run("sync", "--account", "Strange"), "account-not-active", 1)
        assert mock.json("sync")["synchronized"] == ["Lab"]
    finally:
        mock.run("account", "deactivate", "Strange", "--reason", "unknown")
        mock.json("account", "delete", "Strange", "--yes")


def test_several_synchronize_at_once(lab: Lab, mock: Inside) -> None:
    """They wait for each other, and every one is told that it was done."""
    done = together(lab.mock, *[["sync", "--format", "json"]] * 4)
    assert [call.returncode for call in done] == [0] * 4
    assert account(mock)["failure"] is None


def test_a_schedule_and_who_signed_in(mock: Inside) -> None:
    """Due when the clock says so; after 180 days it fails until somebody signs in again."""
    assert mock.json("sync", "schedule", "daily")["schedule"] == "daily"
    mock.json("clock", "advance", "25h")
    before = mock.json("clock", "show")["now"]
    until(lambda: account(mock)["last_sync"] >= before, "it is synchronized by itself")
    mock.json("clock", "advance", "200d")
    until(lambda: (account(mock)["failure"] or {}).get("code") == "cssm-signed-out", "it is signed out")
    assert mock.run("sync", "sign-in", "admin").stdout == "admin has signed in for Lab\n"
    until(lambda: account(mock)["failure"] is None, "it is synchronized again")


# ---- by file ----------------------------------------------------------------------------------------------
def test_by_file_while_the_network_is_cut(mock: Inside, tmp_path: Path) -> None:
    """Request, answer, upload: licenses are there; the same answer is not taken twice."""
    request, answer = str(tmp_path / "request"), str(tmp_path / "answer")
    mock.json("cssm", "cut")
    assert_error(mock.run("sync"), "cssm-unreachable", 2)
    before = purchased(mock)
    buy(mock, 3)
    mock.json("sync", "request-file", request)
    mock.json("cssm", "answer", request, answer)
    assert mock.json("sync", "answer-file", answer)["synchronized"] == ["Lab"]
    assert purchased(mock) == before + 3
    assert_error(mock.run("sync", "answer-file", answer), "sync-answer-old", 1)
    assert "by file" in mock.run("events", "--limit", "3").stdout


def test_files_that_are_not_taken(mock: Inside, tmp_path: Path) -> None:
    """Edited, of an earlier request, of another account, the wrong way round, too large, no text."""
    request, answer = tmp_path / "request", tmp_path / "answer"
    mock.json("sync", "request-file", str(request))
    mock.json("cssm", "answer", str(request), str(answer))
    upload = ["sync", "answer-file", str(answer)]
    assert_error(mock.run("sync", "answer-file", str(request)), "sync-file-wrong-kind", 1)
    assert_error(mock.run("cssm", "answer", str(answer), str(request)), "sync-file-wrong-kind", 1)
    mock.json("account", "create", "Second")
    assert_error(mock.run(*upload, "--account", "Second"), "sync-answer-foreign", 1)
    mock.json("account", "deactivate", "Second", "--reason", "test")
    mock.json("account", "delete", "Second", "--yes")
    whole = answer.read_bytes()
    place = whole.index(b'"body"') + 30
    answer.write_bytes(whole[:place] + b"AA" + whole[place + 2 :])
    assert mock.run(*upload).stderr.splitlines()[0].endswith(("[sync-file-edited]", "[sync-file-damaged]"))
    answer.write_bytes(whole[: len(whole) // 2])
    assert_error(mock.run(*upload), "sync-file-damaged", 1)
    answer.write_bytes(b"\xff\xfe\x00")
    assert_error(mock.run(*upload), "sync-file-damaged", 1)
    answer.write_bytes(b"x" * 3_000_000)
    assert_error(mock.run(*upload), "sync-file-too-large", 1)
    for filler in (b"\0", b"\xff"):
        answer.write_bytes(filler * 3_000_000)
        assert_error(mock.run(*upload), "sync-file-too-large", 1)
    answer.write_bytes(whole)
    mock.json("sync", "request-file", str(request))
    assert_error(mock.run(*upload), "sync-answer-old", 1)


# ---- certificates -----------------------------------------------------------------------------------------
class Kept:
    """A connection to the VIP that is kept open."""

    def __init__(self, lab: Lab, port: int, anchor: bytes | None = None) -> None:
        context = ssl.create_default_context(cadata=(anchor or lab.anchor).decode())
        context.check_hostname = False
        self.connection = http.client.HTTPSConnection(lab.vip, port, context=context, timeout=10)
        self.connection.connect()

    def ask(self, path: str = "/health") -> int:
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def certificate(self) -> x509.Certificate:
        sock = self.connection.sock
        assert isinstance(sock, ssl.SSLSocket)
        der = sock.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    def close(self) -> None:
        self.connection.close()


def shown(lab: Lab, port: int, anchor: bytes | None = None) -> x509.Certificate:
    kept = Kept(lab, port, anchor)
    try:
        return kept.certificate()
    finally:
        kept.close()


def test_b1_5_new_certificates_drop_no_connection(lab: Lab, mock: Inside) -> None:
    """A connection that is open goes on with the former certificate; a new one sees the new one."""
    vip = lab.stage.config.vip
    devices, pages = Kept(lab, vip.device_port), Kept(lab, vip.gui_port)
    statuses = [devices.ask(), pages.ask()]
    former = [devices.certificate(), pages.certificate()]
    mock.json("host-common-name", "ssm.example.com")
    assert shown(lab, vip.device_port) == former[0]
    try:
        assert mock.json("sync")["certificates_regenerated"] is True
        new = [shown(lab, vip.device_port), shown(lab, vip.gui_port)]
        assert [one.subject.rfc4514_string().rpartition("CN=")[2] for one in new] == ["ssm.example.com"] * 2
        assert [devices.ask(), pages.ask()] == statuses
        assert [devices.certificate(), pages.certificate()] == former
    finally:
        devices.close()
        pages.close()
        mock.json("host-common-name", lab.vip)
        mock.json("sync")


def signed_outside(csr: bytes, root: pki.Issuer) -> str:
    """What an authority of the user's own makes of a request; PEM with the root behind it."""
    request = x509.load_pem_x509_csr(csr)
    assert request.is_signature_valid
    now = datetime.datetime.now(datetime.UTC)
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    made = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(root.certificate.subject)
        .public_key(request.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return (pki.to_pem(made) + pki.to_pem(root.certificate)).decode()


def test_a_browser_certificate_of_ones_own_through_sync_and_failover(
    lab: Lab, mock: Inside, tmp_path: Path
) -> None:
    """Signed outside for a key made here, it is served on pages only, stays through a synchronization with a
    new name and on the other server, and is gone with a reset. So is CSSM reached from the other server."""
    vip = lab.stage.config.vip
    root = pki.new_root("Our Own Root", datetime.datetime.now(datetime.UTC))
    theirs = pki.to_pem(root.certificate)
    csr, chain = tmp_path / "csr.pem", tmp_path / "chain.pem"
    chain.write_text(pki.to_pem(root.certificate).decode())
    assert_error(mock.run("certificates", "upload", str(chain)), "browser-certificate-no-request", 1)
    names = [lab.stage.config.nodes.primary.host, lab.stage.config.nodes.secondary.host, lab.vip]
    assert set(mock.json("certificates", "csr", str(csr))["names"]) == set(names)
    former = csr.read_bytes()
    mock.json("certificates", "csr", str(csr))
    chain.write_text(signed_outside(former, root))
    assert_error(mock.run("certificates", "upload", str(chain)), "browser-certificate-other-key", 1)
    chain.write_text(signed_outside(csr.read_bytes(), root))
    product = shown(lab, vip.device_port)
    kept = Kept(lab, vip.gui_port)
    assert mock.json("certificates", "upload", str(chain))["uploaded"] is True
    mine = shown(lab, vip.gui_port, theirs)
    assert pki.to_pem(mine).decode() in chain.read_text()
    assert kept.ask() == 200
    kept.close()
    try:
        mock.json("host-common-name", "ssm.example.com")
        mock.json("sync")
        renewed = shown(lab, vip.device_port)
        assert (renewed != product, shown(lab, vip.gui_port, theirs) == mine) == (True, True)
        lab.stage.console("primary", "ha_cluster_stop")
        assert (shown(lab, vip.device_port), shown(lab, vip.gui_port, theirs)) == (renewed, mine)
        buy(mock, 1)
        assert mock.json("sync")["synchronized"] == ["Lab"]
        assert mock.json("certificates", "reset")["uploaded"] is False
        own = mock.json("certificates", "browser")
        assert set(own["names"]) == {"ssm.example.com", *names}
        assert pki.fingerprint(shown(lab, vip.gui_port)) == own["fingerprint"]
    finally:
        lab.stage.console("primary", "ha_cluster_start")
        mock.json("certificates", "reset")
        mock.json("host-common-name", lab.vip)
        mock.json("sync")


def test_keys_are_in_the_key_store_only(lab: Lab, mock: Inside, tmp_path: Path) -> None:
    """No answer, event or log holds a private key; the files that do are their owner's alone."""
    mock.json("certificates", "csr", str(tmp_path / "csr.pem"))
    mock.json("certificates", "reset")
    said = [lab.mock.run(*call).stdout for call in (["certificates"], ["events"], ["cssm", "status"])]
    root_key = (lab.stage.cluster / "cssm" / "root.key").read_text().splitlines()[1]
    for text in [*said, lab.logs(), (lab.stage.cluster / "cssm" / "cssm.log").read_text()]:
        assert "PRIVATE KEY" not in text
        assert root_key not in text
    private = [
        path for path in lab.stage.cluster.rglob("*") if path.is_file() and path.stat().st_mode & 0o077
    ]
    assert private == []


# ---- its life ---------------------------------------------------------------------------------------------
def test_a_root_by_option_and_the_end_of_cssms_process(tmp_path: Path) -> None:
    """The cluster's anchor is the given root; CSSM ends with the cluster, and with a killed supervisor."""
    root = pki.new_root("Given Root", datetime.datetime.now(datetime.UTC))
    certificate, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    certificate.write_bytes(pki.to_pem(root.certificate))
    key.write_text(signing.dump_key(root.key))
    key.chmod(0o644)
    folder = tmp_path / "cluster"
    given = ["--ca-certificate", str(certificate), "--ca-key", str(key)]
    addresses = new_addresses().options()
    mock = inside("smartlic-mock", folder)
    assert_error(mock.run("up", *given, *addresses), "ca-key-readable", 1)
    assert_error(mock.run("up", *given[:2], *addresses), "usage", 64)
    assert not folder.exists()
    key.chmod(0o600)
    with up(folder, *given, *addresses) as running:
        assert mock.json("certificates")["fingerprint"] == pki.fingerprint(root.certificate)
        cssm = json.loads((folder / "cssm" / "control.json").read_text())["pid"]
        running.process.kill()
        until(lambda: not alive(cssm), "CSSM ends when its supervisor is gone")
    certificate.write_bytes(
        pki.to_pem(pki.new_root("Other", datetime.datetime.now(datetime.UTC)).certificate)
    )
    assert_error(mock.run("up", *given), "bad-ca", 1)
    with up(folder) as running:
        assert mock.json("sync")["synchronized"] == ["Lab"]
        mock.json("down")
        running.ended()
        assert processes_of(folder) == []


def test_a_cssm_that_cannot_start_is_a_warning(lab: Lab, tmp_path: Path) -> None:
    """An existing cluster comes up and serves; `up` says what is wrong with CSSM's state."""
    folder = tmp_path / "cluster"
    with up(folder, *new_addresses().options()):
        pass
    (folder / "cssm" / "state.json").write_text('{"format": 99}')
    mock = inside("smartlic-mock", folder)
    with up(folder) as running:
        assert [problem["code"] for problem in running.status["problems"]] == ["cssm-store-newer"]
        assert_error(mock.run("sync"), "cssm-unreachable", 2)
        assert_error(mock.run("cssm", "start"), "cssm-store-newer", 1)
        Device.create(tmp_path / "pi", Udi(pid="PI-APL", sn="FCH1937V2QT"), hostname="pi")
        with Device.open(tmp_path / "pi") as device:
            primary = running.status["status"]["nodes"]["primary"]["servers"]["primary"]["address"]
            device.set_destination(f"https://{primary}:4443/Transportgateway/services/DeviceRequestHandler")
            device.trust(mock.json("certificates")["trust_anchor"].encode())
            device.register(IdToken(mock.json("token", "create")["token"]))


def test_a_new_cluster_needs_cssm(tmp_path: Path) -> None:
    """Without the root there is no certificate to serve with: `up` ends with what hinders CSSM, soon."""
    folder = tmp_path / "cluster"
    (folder / "cssm").mkdir(parents=True)
    (folder / "cssm" / "root.pem").write_text("damaged")
    mock = inside("smartlic-mock", folder)
    begun = time.monotonic()
    addresses = new_addresses().options()
    assert_error(mock.run("up", *addresses), "cssm-root-unusable", 1)
    (folder / "cssm" / "root.pem").unlink()
    (folder / "cssm" / "state.json").write_text("")
    assert_error(mock.run("up", *addresses), "cssm-store-unusable", 1)
    assert time.monotonic() - begun < 20
    (folder / "cssm" / "state.json").unlink()
    with up(folder, *addresses):
        assert mock.json("sync")["synchronized"] == ["Lab"]
