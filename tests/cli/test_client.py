"""`smartlic`, as a person or a script calls it."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.cli import _VERBS
from smartlic_client.device import Device
from smartlic_client.protocol.identity import IdToken, Udi
from tests.cli.harness import (
    TRACEBACK,
    Lab,
    assert_error,
    inside,
    record_of,
    shell,
    started,
    together,
    until,
)
from tests.support import DNA, new_addresses, program, token

pytestmark = pytest.mark.real


# ---- every verb -------------------------------------------------------------------------------------------
def test_every_verb_says_in_text_what_it_did(lab: Lab, tmp_path: Path) -> None:
    """A device's whole life by hand: each verb exits 0, says so, and has nothing to complain about."""
    smartlic = program("smartlic", tmp_path)
    calls: list[tuple[list[str], str, str]] = [
        (["init", "--pid", "C9300-24T", "--sn", "FOC1", "--vid", "V02", "--name", "pi37"], "", "Made pi37 ("),
        (["transport", lab.url()], "", f"Transport callhome: {lab.url()}"),
        (["trust", str(lab.anchor_file)], "", "Trusts O=Mock SSM On-Prem (no real licensing),CN=Mock"),
        (["show", "status"], "", "  Status: UNREGISTERED"),
        (["show", "usage"], "", "No licenses in use"),
        (["register", "--token", "-"], token(lab.stage), "Registration completed successfully"),
        (["request", DNA, "3"], "", f"{DNA}: 3 in use, in-compliance"),
        (["report"], "", "Reported 1 license: authorized"),
        (["show", "usage"], "", "  Count: 3"),
        (["show", "status"], "", "  Status: REGISTERED"),
        (["release", DNA], "", f"{DNA}: released"),
        (["deregister"], "", "De-registered"),
    ]
    for arguments, stdin, said in calls:
        done = smartlic.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, ""), (arguments, done.stderr)
        assert said in done.stdout, (arguments, done.stdout)
    assert record_of(tmp_path / "pi37").identity is None
    assert lab.instance(tmp_path / "pi37") is None


def test_every_verb_gives_json(lab: Lab, tmp_path: Path) -> None:
    """The same life for a script: each verb prints one object with `ok`, and the facts under fixed names."""
    smartlic = inside("smartlic", tmp_path)
    made = smartlic.json("init", "--pid", "C9300-24T", "--sn", "FOC2", "--name", "cucmpub")
    assert made == {
        "ok": True,
        "name": "cucmpub",
        "udi": "PID:C9300-24T,SN:FOC2",
        "folder": str(tmp_path / "cucmpub"),
    }
    smart = lab.url("/SmartTransport")
    assert smartlic.json("transport", smart) == {"ok": True, "url": smart, "transport": "smart"}
    trusted = smartlic.json("trust", "-", stdin=lab.anchor.decode())
    assert [a["fingerprint"] for a in trusted["anchors"]] == [lab.stage.ask("certificates")["fingerprint"]]
    assert smartlic.json("show", "status")["registration"] == "not-registered"

    registered = smartlic.json("register", "--token", "-", stdin=token(lab.stage))
    assert registered.pop("piid") == record_of(tmp_path / "cucmpub").identity.piid  # type: ignore[union-attr]
    assert registered == {
        "ok": True,
        "registration": "complete",
        "smart_account": "Lab Smart Account",
        "virtual_account": "Default",
        "changed": True,
        "pending": None,
        "resumed": False,
    }
    used = {"tag": DNA, "count": 2, "enforcement_mode": "in-compliance"}
    usage = {"ok": True, "authorization": "authorized", "entitlements": [used]}
    assert smartlic.json("request", DNA, "2") == {**usage, "changed": True, "pending": None}
    assert smartlic.json("request", DNA, "2") == {**usage, "changed": False, "pending": None}
    assert smartlic.json("report") == {**usage, "changed": False, "pending": None}
    shown = {**used, "export_controlled": False, "kind": "unenforced-perpetual"}
    assert smartlic.json("show", "usage") == {**usage, "entitlements": [shown]}
    status = smartlic.json("show", "status")
    assert (status["registration"], status["in_flight"], status["url"]) == ("complete", None, smart)
    released = smartlic.json("release", DNA)
    assert (released["entitlements"], released["authorization"]) == ([], "none")
    gone = smartlic.json("deregister")
    assert gone == {"ok": True, "registration": "not-registered", "changed": True, "pending": None}


def test_help_of_every_verb(tmp_path: Path) -> None:
    """Each verb explains itself on standard output, and so does the program, with its exit codes."""
    smartlic = inside("smartlic", tmp_path)
    for verb in [[], *([name] for name in _VERBS), ["show", "status"], ["show", "usage"]]:
        done = smartlic.run(*verb, "--help")
        assert (done.returncode, done.stderr) == (0, ""), verb
        assert done.stdout.startswith(" ".join(["Usage: smartlic", *verb, "["])), done.stdout
        assert "--help" in done.stdout
        if not verb:
            for code in ("0", "1", "2", "3", "64", "70", "75", "130"):
                assert f"\n    {code} " in done.stdout


def test_errors_of_a_process(tmp_path: Path) -> None:
    """The exit code of the process, and the form: text on standard error, JSON on standard output."""
    smartlic = program("smartlic", tmp_path)
    calls = [["report"], ["--nope"], ["report", "--format", "json"], ["--nope", "--format=json"]]
    for call, done in zip(calls, together(smartlic, *calls), strict=True):
        wrong = "--nope" in call
        assert_error(done, "usage" if wrong else "no-device", 64 if wrong else 1)
        assert bool(done.stdout) == ("json" in call[-1])
        assert bool(done.stderr) == ("json" not in call[-1])


@pytest.mark.parametrize("form", ["text", "json"])
def test_wrong_usage_is_64(tmp_path: Path, form: str) -> None:
    """What the command line does not know is wrong usage, told in the form that was asked for."""
    wrong = [
        ["registre"],
        ["--nope", "show", "status"],
        ["show", "everything"],
        ["register", "--nope"],
        ["register", "token.txt"],
        ["register", "--wait", "soon"],
        ["register", "--wait", "-1"],
        ["request", DNA],
        ["request", DNA, "many"],
        ["request", DNA, "1", "2"],
        ["init", "--name", "x"],
        ["trust", str(tmp_path / "missing.pem")],
        ["report", "--resolve", "ssm.example.com"],
        ["report", "--resolve", "ssm.example.com:²:127.0.0.1"],
        ["report", "--resolve", "ssm.example.com:65536:127.0.0.1"],
    ]
    smartlic = inside("smartlic", tmp_path)
    for call in wrong:
        done = smartlic.run(f"--format={form}", *call)
        assert done.stdout.startswith("{") == (form == "json"), done
        mend = assert_error(done, "usage", 64)["mend"]
        assert "--help`" in mend


def test_no_verb_shows_the_help(tmp_path: Path) -> None:
    """Called with nothing to do, the program shows its help, as itself and not as an error's sentence."""
    smartlic = inside("smartlic", tmp_path)
    for call in ([], ["show"]):
        done = smartlic.run(*call)
        assert (done.returncode, done.stdout) == (64, "")
        assert done.stderr.startswith("Usage: smartlic")
        assert "error:" not in done.stderr
    assert_error(smartlic.run("show", "--format", "json"), "usage", 64)
    assert_error(smartlic.run("--format", "json"), "usage", 64)


# ---- which device -----------------------------------------------------------------------------------------
def test_which_device_is_meant(tmp_path: Path) -> None:
    """None: make one. One: that one. Several: the one that is named, by option or environment."""
    smartlic = inside("smartlic", tmp_path)
    none = assert_error(smartlic.run("show", "status"), "no-device", 1)
    assert "smartlic init" in none["mend"]
    names = ["pi37", "cucm pub 30", "Gerät Zürich №1 日本"]
    Device.create(tmp_path / names[0], Udi(pid="P", sn="1"), hostname=names[0])
    assert smartlic.json("show", "status")["hostname"] == "pi37"
    for name in names[1:]:
        assert smartlic.json("init", "--pid", "P", "--sn", "2", "--name", name)["name"] == name
    for verb in (["show", "usage"], ["report"], ["deregister"]):
        error = assert_error(smartlic.run("--format", "json", *verb), "which-device", 1)
        assert error["context"]["count"] == 3
        assert all(name in error["mend"] for name in names)
    for name in names:
        assert smartlic.json("--device", name, "show", "status")["hostname"] == name
        by_environment = inside("smartlic", tmp_path)
        by_environment.environment["SMARTLIC_DEVICE"] = name
        assert by_environment.json("show", "status")["hostname"] == name
        assert by_environment.json("-d", names[0], "show", "status")["hostname"] == names[0]
    assert_error(smartlic.run("--device", "pi38", "show", "status"), "no-device", 1)
    elsewhere = inside("smartlic", tmp_path / "elsewhere")
    assert elsewhere.json("--home", str(tmp_path), "-d", "pi37", "show", "status")["hostname"] == "pi37"


def test_names_that_no_device_can_have(tmp_path: Path) -> None:
    """A name is one folder's name: nothing that leads elsewhere or hides, and nothing is made."""
    smartlic = inside("smartlic", tmp_path)
    names = ["../up", "a/b", ".hidden", " ", "", "a\nb", "x" * 256]
    udi = ["--pid", "P", "--sn", "1"]
    for name in names:
        assert_error(smartlic.run("init", *udi, "--name", name), "bad-device-name", 1)
    assert_error(smartlic.run("init", "--pid", "a,b", "--sn", "1", "--name", "x"), "bad-udi", 1)
    assert_error(smartlic.run("init", *udi, "--name", "x", "--software-id", "C9300"), "bad-tag", 1)
    assert list(tmp_path.iterdir()) == []
    smartlic.json("init", *udi, "--name", "x")
    before = (tmp_path / "x" / "device.json").read_bytes()
    assert_error(smartlic.run("init", *udi, "--name", "x"), "device-exists", 1)
    assert (tmp_path / "x" / "device.json").read_bytes() == before


# ---- the token --------------------------------------------------------------------------------------------
def test_the_token_comes_from_where_it_is_said(lab: Lab, tmp_path: Path) -> None:
    """Standard input, a file, a pipe such as <(…), and the command line, which is warned of; never shown."""
    secret = token(lab.stage)
    smartlic = program("smartlic", tmp_path)
    file = tmp_path / "token file.txt"
    file.write_text(f"  {secret}\n\n")
    for name in ("a", "b", "c", "d"):
        lab.device(tmp_path, name)
    read, write = os.pipe()
    os.write(write, secret.encode())
    os.close(write)
    calls: list[tuple[list[str], str, dict[str, Any]]] = [
        (["-d", "a", "register", "--token", "-"], f"{secret}\n", {}),
        (["-d", "b", "register", "--token", str(file)], "", {}),
        (["-d", "c", "register", "--token", f"/dev/fd/{read}"], "", {"pass_fds": [read]}),
        (["-d", "d", "register", "--token", secret], "", {}),
    ]
    running = [started(smartlic, *arguments, **settings) for arguments, _, settings in calls]
    os.close(read)
    for process, (arguments, stdin, _) in zip(running, calls, strict=True):
        out, err = process.communicate(stdin, timeout=60)
        assert process.returncode == 0, err
        assert secret not in out + err
        warned = err.startswith("warning: a token on the command line can be seen")
        assert warned == (arguments[-1] == secret), err
        assert len(err.splitlines()) == int(warned)
    assert lab.uses(secret) == 4


def test_the_token_is_asked_for_and_not_echoed(lab: Lab, tmp_path: Path) -> None:
    """On a terminal it asks; what is typed does not appear there."""
    folder = lab.device(tmp_path)
    secret = token(lab.stage)
    ours, theirs = pty.openpty()
    smartlic = program("smartlic", tmp_path)
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    process = started(smartlic, "register", **terminal)
    os.close(theirs)
    shown = b""
    while b"ID token: " not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, f"{secret}\n".encode())
    try:
        while piece := os.read(ours, 1024):
            shown += piece
    except OSError:
        pass  # the other side of a terminal is closed
    assert process.wait(30) == 0, shown
    os.close(ours)
    assert b"Registration completed successfully" in shown
    assert secret.encode() not in shown
    assert record_of(folder).identity is not None


def test_no_token_to_be_had(lab: Lab, tmp_path: Path) -> None:
    """Nothing on standard input, or none at all, no terminal, an empty file: one is needed."""
    lab.device(tmp_path)
    smartlic = program("smartlic", tmp_path)
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for call in ([], ["--token", "-"], ["--token", str(empty)]):
        assert_error(inside("smartlic", tmp_path).run("register", *call), "token-needed", 1)
        assert_error(shell(smartlic, '"$@" <&-', "register", *call), "token-needed", 1)


def test_what_is_no_token(lab: Lab, tmp_path: Path) -> None:
    """A slip is told without repeating what was given, whose secret it may be; no message is made of it."""
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    secret = token(lab.stage)
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)) * 40)
    given = [secret[:-8], secret[:40] + " " + secret[40:], "tokn.txt", secret * 2, "A" * 300, str(binary)]
    for text, done in zip(
        given, together(smartlic, *(["register", "--token", t] for t in given)), strict=True
    ):
        assert_error(done, "token-malformed", 1)
        assert (text in done.stdout + done.stderr) is False
        assert ("there is no file of that name" in done.stderr) == (text != str(binary))
    assert_error(smartlic.run("register", "--token", str(tmp_path)), "token-unreadable", 1)
    assert record_of(folder).in_flight is None
    assert (record_of(folder).sequence, lab.uses(secret)) == (0, 0)


# ---- registered already -----------------------------------------------------------------------------------
def test_registered_already(lab: Lab, tmp_path: Path) -> None:
    """A second time is refused, or nothing to do with --if-needed, or a new registration with --force."""
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    secret = token(lab.stage)
    first = smartlic.json("register", "--if-needed", "--token", "-", stdin=secret)
    assert first["changed"] is True
    again = smartlic.run("--format", "json", "register", "--token", "-", stdin=secret)
    assert "--force" in assert_error(again, "registered-already", 1)["mend"]
    same = smartlic.json("register", "--if-needed", stdin="")  # it does not even ask for the token
    assert same == {**first, "changed": False}
    assert smartlic.run("register", "--if-needed").stdout == "Already registered; nothing to do.\n"
    assert (record_of(folder).identity.piid, lab.uses(secret)) == (first["piid"], 1)  # type: ignore[union-attr]
    forced = smartlic.json("register", "--force", "--token", "-", stdin=secret)
    assert forced["changed"] is True
    assert forced["piid"] != first["piid"]
    instance = lab.instance(folder)
    assert instance is not None
    assert (instance["product_instance_identifier"], lab.uses(secret)) == (forced["piid"], 2)


def test_a_refused_force_leaves_the_registration(lab: Lab, tmp_path: Path) -> None:
    """With a used-up token `register --force` is refused, and the device stays registered as it was."""
    folder = lab.registered(tmp_path)
    before = record_of(folder).identity
    spent = token(lab.stage, uses=1)
    other = lab.device(tmp_path / "other", "other")
    with Device.open(other) as device:
        device.register(IdToken(spent))
    smartlic = inside("smartlic", tmp_path)
    assert_error(smartlic.run("register", "--force", "--token", "-", stdin=spent), "token-used-up", 1)
    assert record_of(folder).identity == before
    assert lab.instance(folder) is not None
    assert smartlic.run("report").returncode == 0


# ---- requests ---------------------------------------------------------------------------------------------
def test_requests_that_cannot_be(lab: Lab, tmp_path: Path) -> None:
    """Counts and tags out of range are refused before anything is kept or sent."""
    folder = lab.registered(tmp_path)
    sequence = record_of(folder).sequence
    smartlic = inside("smartlic", tmp_path)
    cases = [
        (["request", DNA, "--", "-1"], "bad-count"),
        (["request", DNA, "2147483648"], "bad-count"),
        (["request", DNA, "9" * 30], "bad-count"),
        (["request", DNA, "0"], "entitlement-not-in-use"),
        (["release", DNA], "entitlement-not-in-use"),
        (["request", "DNA_P_50M_A", "1"], "bad-tag"),
        (["request", DNA + " ", "1"], "bad-tag"),
        (["release", ""], "bad-tag"),
    ]
    for call, code in cases:
        assert_error(smartlic.run(*call), code, 1)
    assert (record_of(folder).entitlements, record_of(folder).sequence) == ({}, sequence)


def test_out_of_compliance_is_told_and_is_no_failure(lab: Lab, tmp_path: Path) -> None:
    """More than was bought, and what nobody bought: exit 0, and the enforcement mode says which."""
    lab.registered(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    over = smartlic.json("request", DNA, "5000")
    assert over["authorization"] == "out-of-compliance"
    assert over["entitlements"][0]["enforcement_mode"] == "out-of-compliance"
    unknown = DNA.replace("DNA_P", "NOBODY")
    assert f"{unknown}: 1 in use, invalid-tag" in smartlic.run("request", unknown, "1").stdout
    assert "OUT OF COMPLIANCE" in smartlic.run("show", "usage").stdout
    assert smartlic.run("deregister").stdout == "De-registered\n"


def test_before_registration(lab: Lab, tmp_path: Path) -> None:
    """Licenses can be used in evaluation; the rest says which step comes first."""
    smartlic = inside("smartlic", tmp_path)
    folder = tmp_path / "new"
    Device.create(folder, Udi(pid="P", sn=f"EVAL{os.getpid()}"), hostname="new")
    assert smartlic.json("request", DNA, "2")["authorization"] == "eval"
    assert_error(smartlic.run("report"), "not-registered", 1)
    assert_error(smartlic.run("deregister"), "not-registered", 1)
    secret = token(lab.stage)
    call = ["register", "--token", "-"]
    assert_error(smartlic.run(*call, stdin=secret), "no-destination", 1)
    assert smartlic.run("transport", lab.url()).returncode == 0
    assert_error(smartlic.run(*call, stdin=secret), "no-trust-anchor", 1)
    assert smartlic.run("trust", str(lab.anchor_file)).returncode == 0
    assert smartlic.json(*call, stdin=secret)["changed"] is True
    assert lab.uses(secret) == 1
    instance = lab.instance(folder)
    assert instance is not None
    assert [(used["license"], used["count"]) for used in instance["licenses"]] == [("DNA", 2)]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://ssm.example.com/SmartTransport", "not-https"),
        ("ssm.example.com", "bad-url"),
        ("https://user:geheim@ssm.example.com/", "bad-url"),
        ("https://ssm.example.com:99999/", "bad-url"),
        ("https://ssm.example.com/?a=b", "bad-url"),
        ("https://0x7f.1/", "bad-host"),
        ("https://127.1/", "bad-host"),
        ("https://*.example.com/", "bad-host"),
        ("https:///SmartTransport", "bad-host"),
    ],
)
def test_destinations_that_are_refused(tmp_path: Path, url: str, code: str) -> None:
    """A URL that is nearly right is refused when it is set, and no password in it is repeated."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"), hostname="x")
    done = inside("smartlic", tmp_path).run("transport", url)
    assert_error(done, code, 1)
    assert "geheim" not in done.stdout + done.stderr
    assert Device.peek(tmp_path / "x")[1].url is None


def test_what_is_no_trust_anchor(lab: Lab, tmp_path: Path) -> None:
    """A key, a leaf, nothing, noise: refused, and the anchor that was trusted before still is."""
    folder = lab.device(tmp_path)
    key = (lab.stage.cluster / "cssm" / "root.key").read_text()
    smartlic = inside("smartlic", tmp_path)
    for pem in ("", "no certificate", key, key + lab.anchor.decode(), lab.anchor.decode()[:-40]):
        done = smartlic.run("trust", "-", stdin=pem)
        assert_error(done, "bad-trust-anchor", 1)
        assert "PRIVATE KEY" not in done.stdout + done.stderr
    assert Device.peek(folder)[1].anchors == lab.anchor.decode()


# ---- waiting ----------------------------------------------------------------------------------------------
class _Relay:
    """Forwards connections at an address of its own to another, once it is told to listen."""

    def __init__(self, host: str, port: int, to: tuple[str, int]) -> None:
        self._at, self._to = (host, port), to

    def listen(self) -> None:
        self._listener = socket.create_server(self._at)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._to)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with source:
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _waits(folder: Path) -> Any:
    """Whether the device has tried in vain at least once, and has its message kept."""
    record = record_of(folder)
    failure = record.registering.failure or record.authorizing.failure
    return record.in_flight if failure is not None else None


def test_wait_goes_through_a_planned_failover(lab: Lab, tmp_path: Path) -> None:
    """It waits; the Primary is stopped as operators do; the Secondary answers: registered, one use spent."""
    folder = lab.device(tmp_path)
    secret = token(lab.stage)
    relay = _Relay(new_addresses().vip, 4443, (lab.vip, 4443))
    resolve = f"{lab.vip}:4443:{relay._at[0]}"
    smartlic = program("smartlic", tmp_path)
    process = started(smartlic, "register", "--token", "-", "--wait", "60", "--resolve", resolve)
    assert process.stdin is not None
    process.stdin.write(secret)
    process.stdin.close()
    process.stdin = None
    meant = until(lambda: _waits(folder), "the device waits")
    try:
        assert any("pacemaker" in line for line in lab.stage.console("primary", "ha_cluster_stop"))
        assert process.poll() is None
        relay.listen()
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert "Registration completed successfully" in out
        assert lab.stage.ask("status")["active"] == "secondary"
    finally:
        relay.close()
        lab.stage.console("primary", "ha_cluster_start")
    assert record_of(folder).sequence == meant.sequence
    assert lab.uses(secret) == 1
    assert lab.instance(folder) is not None
    until(lambda: lab.stage.roles()["Primary"] == "Standby", "the Primary is back")


def test_wait_ends(lab: Lab, tmp_path: Path) -> None:
    """Where nobody answers it gives up after so many seconds, exit 2; without --wait at once; all is kept."""
    folder = lab.device(tmp_path, url=f"https://{new_addresses().vip}:4443/SmartTransport")
    smartlic = inside("smartlic", tmp_path)
    done = smartlic.run("register", "--token", "-", "--wait", "0.5", stdin=token(lab.stage))
    assert_error(done, "connection-refused", 2)
    meant = record_of(folder).in_flight
    assert meant is not None
    assert_error(smartlic.run("--format", "json", "report"), "connection-refused", 2)
    assert record_of(folder).in_flight == meant


@pytest.mark.parametrize("form", ["text", "json"])
def test_ctrl_c_while_waiting(lab: Lab, tmp_path: Path, form: str) -> None:
    """130, and the next call goes on with the same message: one instance and one use of the token."""
    folder = lab.device(tmp_path, url=f"https://{new_addresses().vip}:4443/SmartTransport")
    secret = token(lab.stage)
    smartlic = program("smartlic", tmp_path)
    process = started(smartlic, "--format", form, "register", "--token", "-", "--wait", "600")
    assert process.stdin is not None
    process.stdin.write(secret)
    process.stdin.close()
    process.stdin = None
    meant = until(lambda: _waits(folder), "the device waits")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    done = subprocess.CompletedProcess([], process.returncode, out, err)
    assert_error(done, "interrupted", 130)
    assert secret not in out + err
    assert record_of(folder).in_flight == meant
    smartlic.json("transport", lab.url())
    assert smartlic.json("report")["ok"] is True
    record = record_of(folder)
    assert (record.in_flight, record.sequence, record.registration) == (None, meant.sequence, "complete")
    assert lab.uses(secret) == 1
    assert lab.instance(folder) is not None


# ---- where the output goes --------------------------------------------------------------------------------
def _to(where: int, tool: Any, *arguments: str) -> tuple[int, str]:
    process = started(tool, *arguments, stdout=where)
    _, err = process.communicate("", timeout=60)
    return process.returncode, err


def test_nobody_reads_the_output(lab: Lab, tmp_path: Path) -> None:
    """`| head -1`, and readers that go before the first line: no traceback, and the exit code stays right."""
    folder = lab.device(tmp_path)
    smartlic = program("smartlic", tmp_path)
    head = shell(smartlic, '"$@" | head -1', "show", "status")
    assert (head.returncode, head.stdout, head.stderr) == (0, "Smart Licensing is ENABLED\n", "")
    cases = [
        (["show", "status"], 0),
        (["show", "status", "--format", "json"], 0),
        (["--help"], 0),
        (["--version"], 0),
        (["--format", "json", "register", "--token", "-"], 1),
        (["--format", "json", "nonsense"], 64),
    ]
    for arguments, code in cases:
        read, write = os.pipe()
        os.close(read)
        got, err = _to(write, smartlic, *arguments)
        os.close(write)
        assert (got, err) == (code, ""), arguments
    assert record_of(folder).in_flight is None


def test_no_room_for_the_output(tmp_path: Path) -> None:
    """A full disk under the output is a problem with a name; errors as JSON keep their exit code."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"), hostname="x")
    smartlic = program("smartlic", tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        code, err = _to(full, smartlic, "show", "status")
        assert_error(subprocess.CompletedProcess([], code, "", err), "output-failed", 1)
        assert _to(full, smartlic, "show", "status", "--format", "json") == (1, "")
        assert _to(full, smartlic, "--format", "json", "report") == (1, "")
        assert _to(full, smartlic, "--format", "json", "nonsense") == (64, "")
    finally:
        os.close(full)


def test_output_that_is_closed(tmp_path: Path) -> None:
    """`>&-`: nothing can be said, and nothing is wrong."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"), hostname="x")
    done = shell(program("smartlic", tmp_path), '"$@" >&-', "show", "status")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_defect_is_named_and_shows_no_traceback(tmp_path: Path) -> None:
    """What nobody thought of exits 70 in both forms; SMARTLIC_DEBUG shows where it happened."""
    code = (
        "import sys, smartlic_client.store as s\n"
        "def load(*_): raise ZeroDivisionError('secret')\n"
        "s.Store.load = load\n"
        "from smartlic_client.cli import main; main()"
    )
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"), hostname="x")
    environment = program("smartlic", tmp_path).environment
    command = [*program("smartlic", tmp_path).command()[:3], "-c", code, "show", "status", "--format"]
    for form in ("text", "json"):
        done = subprocess.run([*command, form], capture_output=True, text=True, env=environment, check=False)
        assert_error(done, "defect", 70)
        assert "secret" not in done.stdout + done.stderr
        assert (json.loads(done.stdout)["exit_code"] == 70) if form == "json" else not done.stdout
    debug = {**environment, "SMARTLIC_DEBUG": "1"}
    done = subprocess.run([*command, "text"], capture_output=True, text=True, env=debug, check=False)
    assert TRACEBACK in done.stderr
