"""`smartlic-mock`, as a person or a script calls it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mock_server.cli import _VERBS
from mock_server.cluster import config
from smartlic_client.device import Device
from smartlic_client.protocol.identity import IdToken
from tests.cli.harness import (
    TRACEBACK,
    Lab,
    Up,
    alive,
    assert_error,
    inside,
    node_pids,
    processes_of,
    started,
    together,
    until,
    up,
)
from tests.support import DNA, Program, new_addresses, program, token

pytestmark = pytest.mark.real

EVERY_CALL = [
    ["status"],
    ["console", "primary", "ha_status"],
    ["token", "create"],
    ["token", "list"],
    ["token", "revoke", "x"],
    ["license", "add", "DNA", "--tag", DNA, "--quantity", "1"],
    ["licenses"],
    ["instances"],
    ["instance", "rename", "x", "y"],
    ["instance", "transfer", "x", "--to", "y"],
    ["instance", "remove", "x", "--yes"],
    ["license", "transfer", "DNA", "--quantity", "1", "--to", "y"],
    ["accounts"],
    ["account", "request", "x"],
    ["account", "create", "x"],
    ["account", "approve", "x"],
    ["account", "refuse", "x", "--yes"],
    ["account", "deactivate", "x", "--reason", "y"],
    ["account", "activate", "x"],
    ["account", "delete", "x", "--yes"],
    ["virtual-account", "create", "x"],
    ["virtual-account", "list"],
    ["virtual-account", "delete", "x", "--yes"],
    ["alerts"],
    ["clock", "show"],
    ["clock", "advance", "1d"],
    ["clock", "set", "2027-01-01"],
    ["clock", "reset"],
    ["host-common-name"],
    ["host-common-name", "ssm.example.com"],
    ["sync"],
    ["sync", "status"],
    ["sync", "schedule", "daily"],
    ["sync", "sign-in", "admin"],
    ["sync", "request-file", "x"],
    ["cssm", "status"],
    ["cssm", "stop"],
    ["cssm", "start"],
    ["cssm", "kill"],
    ["cssm", "slow", "1"],
    ["cssm", "refuse", "no"],
    ["cssm", "cut"],
    ["cssm", "faults"],
    ["cssm", "strict", "off"],
    ["cssm", "smart-account", "list"],
    ["cssm", "virtual-account", "create", "x"],
    ["cssm", "purchase", "list"],
    ["cssm", "on-prem", "list"],
    ["certificates"],
    ["certificates", "browser"],
    ["certificates", "csr", "x"],
    ["certificates", "reset"],
    ["events"],
    ["down"],
]


# ---- every verb -------------------------------------------------------------------------------------------
def test_every_verb_says_in_text_what_it_did(lab: Lab, tmp_path: Path) -> None:
    """Each verb exits 0 and shows people a table or a sentence, on standard output alone."""
    lab.registered(tmp_path, "pi37")
    anchor = tmp_path / "anchor.pem"
    calls: list[tuple[list[str], list[str]]] = [
        (["status"], ["Role         Active              Standby", "Heartbeat: connected", "held by the Pri"]),
        (["console", "secondary", "ha_status"], ["Replication Master", "Replication Slave"]),
        (["console", "primary", "help"], ["ha_cluster_stop", "ha_status"]),
        (["token", "list"], ["Token id", "Lab      Default"]),
        (
            ["license", "add", "DNA 2", "--tag", DNA.replace("50M", "10G"), "--quantity", "7"],
            ["DNA 2: 7 pur"],
        ),
        (["licenses"], ["License", "In Compliance"]),
        (["instances"], ["pi37", "C9300-24T"]),
        (["accounts"], ["Lab      active  Lab Smart Account"]),
        (["host-common-name"], [f"Host Common Name: {lab.vip}\nServed now:       {lab.vip}\n"]),
        (["sync"], ["Synchronized: Lab\n"]),
        (["certificates"], ["Trust anchor:     sha256:", lab.anchor.decode()]),
        (["certificates", "--save-anchor", str(anchor)], [f"Wrote it to {anchor}"]),
        (["events", "--limit", "1000"], ["Host Common Name set to", "pi37"]),
    ]
    for (arguments, said), done in zip(calls, together(lab.mock, *(call for call, _ in calls)), strict=True):
        assert (done.returncode, done.stderr) == (0, ""), arguments
        for words in said:
            assert words in done.stdout, (arguments, done.stdout)
    assert anchor.read_bytes() == lab.anchor
    made = lab.mock.run("token", "create", "--uses", "2", "--days", "1.5", "--description", "for pi37")
    assert IdToken(made.stdout).reveal() + "\n" == made.stdout  # the token alone, for `> file` and `$(…)`
    assert made.stdout.strip() not in lab.mock.run("token", "list").stdout


def test_every_verb_gives_json(lab: Lab, tmp_path: Path) -> None:
    """The same for scripts: one object with `ok` and the facts under fixed names."""
    mock = inside("smartlic-mock", lab.stage.cluster)
    folder = lab.registered(tmp_path, "cucmpub")
    with Device.open(folder) as device:
        device.request(DNA, 4)
    status = mock.json("status")
    assert (status["active"], set(status["nodes"])) == ("primary", {"primary", "secondary"})
    lines = mock.json("console", "primary", "version")
    assert (lines["node"], len(lines["lines"])) == ("primary", 1)
    made = mock.json("token", "create", "--uses", "3", "--export-controlled", "--description", "für Zürich")
    listed = {row["token_id"]: row for row in mock.json("token", "list")["tokens"]}
    row = listed[made["token_id"]]
    assert (row["description"], row["uses"], row["used"], row["revoked"]) == ("für Zürich", 3, 0, False)
    assert "token" not in row
    assert mock.json("token", "revoke", made["token_id"])["changed"] is True
    assert mock.json("token", "revoke", made["token_id"])["changed"] is False
    mine = next(one for one in mock.json("instances")["instances"] if one["name"] == "cucmpub")
    assert mine["licenses"] == [{"license": "DNA", "tag": DNA, "count": 4}]
    pool = next(one for one in mock.json("licenses")["licenses"] if one["tag"] == DNA)
    assert (pool["purchased"], pool["in_use"], pool["balance"]) == (1000, 4, 996)
    bought = mock.json("license", "add", "DNA", "--tag", DNA, "--quantity", "1000")
    assert bought == {"ok": True, "name": "DNA", "tag": DNA, "purchased": 1000}
    assert [account["name"] for account in mock.json("accounts")["accounts"]] == ["Lab"]
    found = mock.json("certificates")
    assert (found["trust_anchor"], found["common_name"]) == (lab.anchor.decode(), lab.vip)
    newest = mock.json("events", "--limit", "1")["events"]
    assert {"index", "at", "by", "node", "event"} <= set(newest[0])


def test_the_host_common_name_waits_for_synchronization(lab: Lab) -> None:
    """Set it: what is served stays, and the command says so; synchronize: it is served (B1.3, B1.5)."""
    mock = inside("smartlic-mock", lab.stage.cluster)
    try:
        done = mock.json("host-common-name", "SSM.Example.COM")
        assert (done["common_name"], done["served_name"]) == ("ssm.example.com", lab.vip)
        assert (done["pending"], done["changed"]) == (True, True)
        assert "Synchronize the local accounts" in mock.run("host-common-name").stdout
        assert mock.json("host-common-name", "ssm.example.com")["changed"] is False
        synchronized = mock.json("sync", "--account", "Lab")
        assert synchronized["certificates_regenerated"] is True
        assert (synchronized["served_name"], synchronized["pending"]) == ("ssm.example.com", False)
        assert mock.json("sync")["certificates_regenerated"] is False
    finally:
        mock.json("host-common-name", lab.vip)
        assert "The certificates have been regenerated." in mock.run("sync").stdout


def test_what_others_wrote_does_not_steer_the_terminal(lab: Lab) -> None:
    """Control characters in a description are shown in the table, and not sent to the terminal."""
    token(lab.stage, description="a\x1b]0;b\nc\u202ed")
    shown = inside("smartlic-mock", lab.stage.cluster).run("token", "list").stdout
    assert r"a\x1b]0;b\nc\u202ed" in shown
    assert shown.replace("\n", "").isprintable()


def test_help_and_wrong_usage(lab: Lab, tmp_path: Path) -> None:
    """Every verb has a help; what the command line does not know is 64, in both forms."""
    mock = inside("smartlic-mock", tmp_path)
    groups = ("token", "license", "instance", "account", "virtual-account", "clock", "cssm")
    more = [list(pair) for call in EVERY_CALL if (pair := tuple(call[:2]))[0] in groups]
    for verb in [[], *([name] for name in _VERBS), *more]:
        done = mock.run(*verb, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(" ".join(["Usage: smartlic-mock", *verb, "["])), done.stdout
    wrong = [
        ["start"],
        ["status", "--nope"],
        ["console", "tertiary", "help"],
        ["events", "--limit", "0"],
        ["token", "create", "--uses", "few"],
        ["token", "delete"],
        ["license", "add", "DNA", "--tag", DNA],
        ["up", "--device-port", "0"],
        ["up", "--gui-port", "65536"],
        ["certificates", "--save-anchor", str(tmp_path)],
    ]
    for call in wrong:
        assert_error(mock.run(*call), "usage", 64)
        assert_error(mock.run("--format=json", *call), "usage", 64)
    for group in ([], *([name] for name in groups)):
        done = mock.run(*group)
        assert (done.returncode, done.stdout) == (64, "")
        assert done.stderr.startswith("Usage: smartlic-mock")
    missing = tmp_path / "no" / "anchor.pem"
    lab_mock = inside("smartlic-mock", lab.stage.cluster)
    (tmp_path / "file").touch()
    for place in (missing, tmp_path / "file" / "anchor.pem", tmp_path / ("a" * 300), Path("/dev/full")):
        assert_error(lab_mock.run("certificates", "--save-anchor", str(place)), "cannot-write", 1)
    longest = tmp_path / ("a" * 255)
    assert lab_mock.run("certificates", "--save-anchor", str(longest)).returncode == 0
    assert longest.read_text().startswith("-----BEGIN CERTIFICATE-----")


# ---- bad values -------------------------------------------------------------------------------------------
ADD = ["license", "add"]
BAD_VALUES = [
    (["token", "create", "--days", "0"], "bad-token-days"),
    (["token", "create", "--days", "365.01"], "bad-token-days"),
    (["token", "create", "--days", "-1"], "bad-token-days"),
    (["token", "create", "--days", "nan"], "bad-token-days"),
    (["sync", "--timeout", "nan"], "no-number"),
    (["token", "create", "--days", "inf"], "bad-token-days"),
    (["token", "create", "--uses", "0"], "bad-token-uses"),
    (["token", "create", "--uses", "100001"], "bad-token-uses"),
    (["token", "create", "--account", "TEST"], "account-unknown"),
    (["token", "create", "--virtual-account", "default"], "virtual-account-unknown"),
    (["token", "create", "--description", "\udcff"], "not-text"),
    (["token", "revoke", "nonsense"], "token-not-there"),
    ([*ADD, "DNA", "--tag", DNA, "--quantity", "-1"], "bad-quantity"),
    ([*ADD, "DNA", "--tag", DNA, "--quantity", "2147483648"], "bad-quantity"),
    ([*ADD, "DNA", "--tag", DNA, "--quantity", "9" * 40], "bad-quantity"),
    ([*ADD, "DNA", "--tag", "DNA_P_50M_A", "--quantity", "1"], "bad-tag"),
    ([*ADD, "DNA", "--tag", DNA + "\n", "--quantity", "1"], "bad-tag"),
    ([*ADD, "", "--tag", DNA, "--quantity", "1"], "bad-name"),
    ([*ADD, " DNA", "--tag", DNA, "--quantity", "1"], "bad-name"),
    ([*ADD, "D\x1bNA", "--tag", DNA, "--quantity", "1"], "bad-name"),
    ([*ADD, "D" * 101, "--tag", DNA, "--quantity", "1"], "bad-name"),
    ([*ADD, "DNA", "--tag", DNA, "--quantity", "1", "--account", "?"], "account-unknown"),
    (["sync", "--account", "Lab", "--account", "TEST"], "account-unknown"),
    (["host-common-name", "0x7f.1"], "bad-common-name"),
    (["host-common-name", "127.1"], "bad-common-name"),
    (["host-common-name", "2130706433"], "bad-common-name"),
    (["host-common-name", "127.0.0.012"], "bad-common-name"),
    (["host-common-name", "*.example.com"], "bad-common-name"),
    (["host-common-name", ""], "bad-common-name"),
    (["host-common-name", "ssm example.com"], "bad-common-name"),
    (["host-common-name", "ssm..example.com"], "bad-common-name"),
    (["host-common-name", "https://ssm.example.com"], "bad-common-name"),
    (["host-common-name", "ssm.example.com:4443"], "bad-common-name"),
    (["host-common-name", "fe80::1%eth0"], "bad-common-name"),
    (["host-common-name", "s" * 63 + ".example"], "bad-common-name"),
    (["host-common-name", "\udcff.example.com"], "not-text"),
    (["console", "primary", "\udcff"], "not-text"),
]


def test_bad_values_change_nothing(lab: Lab) -> None:
    """Each is refused with its own code in both forms, and the event log is as long as before."""
    mock = inside("smartlic-mock", lab.stage.cluster)
    before, exceptions = (
        mock.json("events", "--limit", "1")["events"][0]["index"],
        lab.logs().count(TRACEBACK),
    )
    for call, code in BAD_VALUES:
        assert_error(mock.run(*call), code, 1)
        assert_error(mock.run("--format=json", *call), code, 1)
    assert mock.json("events", "--limit", "1")["events"][0]["index"] == before
    assert lab.logs().count(TRACEBACK) == exceptions


def test_the_longest_values(lab: Lab) -> None:
    """What is just allowed is: 64 characters of a Host Common Name, 365 days, the largest quantity."""
    mock = inside("smartlic-mock", lab.stage.cluster)
    name = "s" * 56 + ".example"
    try:
        assert mock.json("host-common-name", name)["common_name"] == name
        assert mock.json("sync")["served_name"] == name
    finally:
        mock.json("host-common-name", lab.vip)
        mock.json("sync")
    mock.json("token", "create", "--days", "365", "--uses", "100000", "--description", "d" * 300)
    tag = DNA.replace("50M", "MOST")
    assert mock.json(*ADD, "D" * 100, "--tag", tag, "--quantity", "2147483647")["purchased"] == 2**31 - 1


# ---- no cluster -------------------------------------------------------------------------------------------
def test_no_cluster_runs(tmp_path: Path) -> None:
    """Every verb but `up` says so, in both forms, and makes nothing."""
    mock = inside("smartlic-mock", tmp_path / "none")
    for call in EVERY_CALL:
        assert_error(mock.run(*call), "not-running", 1)
        assert_error(mock.run(*call, "--format", "json"), "not-running", 1)
    assert not (tmp_path / "none").exists()


# ---- up ---------------------------------------------------------------------------------------------------
def _up_refused(folder: Path, code: str, exit_code: int, *options: str, form: str = "text") -> dict[str, Any]:
    """`up` in a process of its own is refused, and leaves no process behind."""
    done = program("smartlic-mock", folder).run("up", *options, "--format", form)
    error = assert_error(done, code, exit_code)
    assert processes_of(folder) == []
    return error


def test_up_twice(lab: Lab) -> None:
    """The second one is told who has the folder, exits 75, and the first is not disturbed."""
    folder = lab.stage.cluster
    pids = node_pids(folder)
    refused = together(
        lab.mock,
        ["up"],
        ["up", "--format", "json"],
        ["up", "--vip", lab.vip],
        ["up", "--vip", "127.0.0.12"],
        ["up", "--device-port", "443"],
    )
    assert str(folder) in assert_error(refused[0], "already-running", 75)["sentence"]
    pid = int(assert_error(refused[1], "already-running", 75)["context"]["pid"])
    assert f"--folder\0{folder}\0up".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert_error(refused[2], "already-running", 75)
    assert f"--vip {lab.vip}, not 127.0.0.12" in assert_error(refused[3], "other-addresses", 1)["sentence"]
    assert "--device-port 4443, not 443" in assert_error(refused[4], "other-addresses", 1)["sentence"]
    assert node_pids(folder) == pids
    assert lab.mock.json("status")["active"] == "primary"


@contextmanager
def _listening(host: str, port: int) -> Iterator[None]:
    with closing(socket.create_server((host, port))):
        yield


def test_what_is_in_use_by_others(tmp_path: Path) -> None:
    """A stranger's socket on the VIP or a server's port: told which, exit 75, nothing started, and the folder
    is free for other addresses."""
    where = new_addresses()
    options = where.options()
    cases = [
        (where.vip, 4443, "vip-in-use"),
        (where.vip, 8443, "vip-in-use"),
        (where.primary, 8443, "port-in-use"),
        (where.secondary, 5405, "port-in-use"),
    ]
    for form, (host, port, code) in zip(("text", "json", "text", "json"), cases, strict=True):
        with _listening(host, port):
            error = _up_refused(tmp_path / "c", code, 75, *options, form=form)
        assert f"{host}:{port} is held by another program" in error["sentence"]
        assert "ss -ltnp" in error["mend"]
    with up(tmp_path / "c", *new_addresses().options()) as cluster:
        assert cluster.status["status"]["active"] == "primary"


def test_addresses_that_cannot_be(tmp_path: Path) -> None:
    """Addresses and ports that no cluster can have are refused before anything is made."""
    one = new_addresses().primary
    same = ["--primary", one, "--secondary", one, "--vip", one]
    cases = [
        (["--primary", "ssm.example.com"], "address-not-allowed"),
        (["--primary", "0.0.0.0"], "address-not-allowed"),  # noqa: S104
        (["--vip", "::"], "address-not-allowed"),
        (["--primary", one, "--secondary", one], "address-not-allowed"),
        (["--vip", "127.0.0.5"], "address-not-allowed"),  # the Primary's, if nothing else is said
        (["--secondary", one, "--vip", f"::ffff:{one}"], "address-not-allowed"),
        (["--primary", "127.0.0.5 "], "address-not-allowed"),
        (["--vip", ""], "address-not-allowed"),
        (["--vip", "255.255.255.255"], "address-not-allowed"),
        (["--vip", "224.0.0.1"], "address-not-allowed"),
        (["--vip", "fe80::1"], "address-not-allowed"),
        (["--vip", "fe80::1%lo"], "address-not-allowed"),
        (["--vip", "127.1"], "address-not-allowed"),
        (["--vip", "127.0.0.012"], "address-not-allowed"),
        ([*same, "--device-port", "65535"], "ports-clash"),
        ([*same, "--gui-port", "4445"], "ports-clash"),
        ([*same, "--device-port", "8444"], "ports-clash"),
        (["--gui-port", "4443"], "ports-clash"),
        (["--peer-port", "8443"], "ports-clash"),
    ]
    for options, code in cases:
        error = assert_error(inside("smartlic-mock", tmp_path / "c").run("up", *options), code, 1)
        assert not (tmp_path / "c").exists(), error
    for option, address in (
        ("--vip", "192.0.2.1"),
        ("--primary", "198.51.100.7"),
        ("--secondary", "2001:db8::1"),
    ):
        given = (option, address, "--device-port", "14443")
        for code, more in (("remote-not-allowed", ()), ("address-not-here", ("--allow-remote",))):
            error = _up_refused(tmp_path / "c", code, 1, *given, *more)
            assert address in error["sentence"]
    assert not (tmp_path / "c" / "cluster.json").exists()


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    """A file, a place below one, another version, damage: each is told, and stays as it is."""
    (tmp_path / "file").write_text("mine")
    assert_error(inside("smartlic-mock", tmp_path / "file").run("up"), "usage", 64)
    below = inside("smartlic-mock", tmp_path / "file" / "c")
    assert_error(below.run("up"), "folder-unusable", 1)
    assert (tmp_path / "file").read_text() == "mine"
    folder = tmp_path / "c"
    config.create(folder, config.configure(*list(vars(new_addresses()).values())[:3]))
    whole = (folder / "cluster.json").read_bytes()
    newer = json.dumps({**json.loads(whole), "format": 2}).encode()
    for data, code in (
        (newer, "folder-version"),
        (whole[:-20], "folder-damaged"),
        (b"\xff", "folder-damaged"),
    ):
        (folder / "cluster.json").write_bytes(data)
        assert_error(inside("smartlic-mock", folder).run("up"), code, 1)
        assert (folder / "cluster.json").read_bytes() == data
    (folder / "cluster.json").write_bytes(whole)


def test_journals_that_cannot_be(tmp_path: Path) -> None:
    """Journals of another version, or damaged, are found as the servers start: told, and none is left."""
    folder = tmp_path / "c"
    with up(folder, *new_addresses().options()):
        pass
    journals = [folder / "nodes" / name / "journal.sqlite" for name in ("primary", "secondary")]
    for journal in journals:
        with closing(sqlite3.connect(journal)) as db:
            db.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
            db.commit()
    error = _up_refused(folder, "folder-version", 1)
    assert any(str(journal) in error["sentence"] for journal in journals)
    for journal in journals:
        journal.write_bytes(b"no journal at all" * 1000)
    _up_refused(folder, "journal-damaged", 1, form="json")
    assert all(journal.read_bytes().startswith(b"no journal at all") for journal in journals)


# ---- down and up again ------------------------------------------------------------------------------------
def _kept(mock: Program) -> list[Any]:
    """All that has to be there after a restart."""
    verbs = (["token", "list"], ["licenses"], ["instances"], ["accounts"], ["certificates"])
    return [mock.json(*verb) for verb in verbs]


def _gone(cluster: Up, pids: list[int]) -> None:
    """The supervisor has ended, and so have both of its nodes."""
    cluster.ended()
    until(lambda: not any(map(alive, pids)), "the nodes have ended")
    assert processes_of(cluster.folder) == []


def test_state_is_kept_however_it_ends(tmp_path: Path) -> None:
    """`down`, Ctrl-C, SIGTERM and SIGKILL of the supervisor: its processes end, and `up` finds all again."""
    folder = tmp_path / "c"
    mock = inside("smartlic-mock", folder)
    with up(folder, *new_addresses().options()) as cluster:
        mock.json("host-common-name", "ssm.example.com")
        mock.json("license", "add", "DNA", "--tag", DNA, "--quantity", "5")
        mock.json("token", "create", "--uses", "3")
        before = _kept(mock)
        pids = node_pids(folder)
        assert len(pids) == 2
        assert all(map(alive, pids))
        assert mock.run("down").stdout == "The cluster is down.\n"
        _gone(cluster, pids)
        assert cluster.ended() == 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        assert_error(mock.run("status"), "not-running", 1)
        with up(folder) as cluster:  # of the addresses that it has
            assert _kept(mock) == before
            pids = node_pids(folder)
            cluster.process.send_signal(number)
            _gone(cluster, pids)
            assert cluster.ended() == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    with up(folder) as cluster:
        assert _kept(mock) == before
        assert (cluster.status["ok"], cluster.status["folder"]) == (True, str(folder))


def test_up_in_text_and_ctrl_c_of_a_terminal(tmp_path: Path) -> None:
    """Where it serves is said at once; Ctrl-C, which a terminal sends to all its processes, ends them."""
    where = new_addresses()
    folder = tmp_path / "c"
    mock = program("smartlic-mock", folder)
    process = started(mock, "up", *where.options(), start_new_session=True)
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            break
    shown = "".join(said)
    assert f"https://{where.vip}:8443/\n" in shown
    assert f"https://{where.vip}:4443/Transportgateway/services/DeviceRequestHandler\n" in shown
    assert f"its folder is {folder}\n" in shown
    pids = node_pids(folder)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "The cluster is down.\n", "")
    assert not any(map(alive, pids))


def test_consoles_and_nobody_active(tmp_path: Path) -> None:
    """A stop and start on each console, as operators do; while both are stopped, verbs say to ask again."""
    folder = tmp_path / "c"
    mock = inside("smartlic-mock", folder)
    with up(folder, *new_addresses().options()):
        stop = mock.run("console", "secondary", "ha_cluster_stop")
        assert (stop.returncode, stop.stderr) == (0, "")
        assert stop.stdout.index("pacemaker") < stop.stdout.index("corosync")
        assert mock.run("console", "primary", "ha_cluster_stop").returncode == 0
        assert mock.json("status")["active"] is None
        assert "held by nobody" in mock.run("status").stdout
        for call in (["accounts"], ["token", "create"], ["sync"]):
            error = assert_error(mock.run(*call, "--format", "json"), "nobody-active", 2)
            assert error["retry_after"] == 1
        start = mock.run("console", "primary", "ha_cluster_start").stdout
        assert start.index("corosync") < start.index("pacemaker")
        until(lambda: mock.json("status")["active"] == "primary", "the Primary is Active")
        assert mock.json("accounts")["accounts"]
        unknown = mock.run("console", "primary", "reload", "--now")
        assert "reload: no such command" in assert_error(unknown, "command-unknown", 64)["sentence"]


# ---- one address ------------------------------------------------------------------------------------------
def _lives_on_one_address(tmp_path: Path, host: str, *ports: str) -> None:
    """A whole life where ports stand for servers: registration, planned failover, report, down."""
    folder = tmp_path / "c"
    mock = inside("smartlic-mock", folder)
    smartlic = inside("smartlic", tmp_path / "devices")
    with up(folder, "--primary", host, "--secondary", host, "--vip", host, *ports):
        made = config.load(folder)
        used = [made.vip.device_port, made.node("primary").device_port, made.node("secondary").device_port]
        assert used == [used[0], used[0] + 1, used[0] + 2]
        mock.json("host-common-name", host)
        mock.json("sync")
        anchor = mock.json("certificates")["trust_anchor"]
        smartlic.json("init", "--pid", "P", "--sn", "S", "--name", "x")
        smartlic.json("trust", "-", stdin=anchor)
        shown = f"[{host}]" if ":" in host else host
        smartlic.json("transport", f"https://{shown}:{used[0]}/SmartTransport")
        smartlic.json("register", "--token", "-", stdin=mock.json("token", "create")["token"])
        assert mock.run("console", "primary", "ha_cluster_stop").returncode == 0
        smartlic.json("report", "--wait", "20")
        assert mock.json("status")["active"] == "secondary"
        assert [one["name"] for one in mock.json("instances")["instances"]] == ["x"]
        assert mock.run("down").returncode == 0


def test_single_address_mode(tmp_path: Path) -> None:
    """One IPv4 address for all three: VIP 4443, servers 4444 and 4445; a taken port among them is told."""
    host = new_addresses().primary
    with _listening(host, 4445):
        same = ["--primary", host, "--secondary", host, "--vip", host]
        _up_refused(tmp_path / "c", "port-in-use", 75, *same)
    _lives_on_one_address(tmp_path, host)


def test_single_address_mode_on_ipv6(tmp_path: Path) -> None:
    """The same on ::1, whose brackets stand in URLs only."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no ::1: {error}")
    base = 20000 + os.getpid() % 1000 * 10
    ports = ["--device-port", str(base), "--gui-port", str(base + 3), "--peer-port", str(base + 6)]
    _lives_on_one_address(tmp_path, "::1", *ports)
