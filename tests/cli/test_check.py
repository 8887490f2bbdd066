"""`smartlic check` on a real cluster: the situations of a migration told apart, each with its mend."""

from __future__ import annotations

import datetime
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mock_server import pki, tls
from mock_server.demo.stage import Stage
from smartlic_client.protocol import signing
from tests.cli.harness import TRACEBACK, Inside, assert_error, inside
from tests.support import cluster, program
from tests.unit.client.tls_servers import TcpServer
from tests.unit.preflight.servers import OK

pytestmark = pytest.mark.real

NAME = "ssm.example.com"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cluster for this module alone: its Host Common Name is set anew all the time."""
    with cluster(tmp_path_factory.mktemp("checked")) as stage:
        yield stage


@pytest.fixture
def smartlic(tmp_path: Path) -> Inside:
    return inside("smartlic", tmp_path / "devices")


class Check:
    """`smartlic check` on a stage, with its anchor and its nodes."""

    def __init__(self, smartlic: Inside, stage: Stage) -> None:
        self._smartlic = smartlic
        self._stage = stage
        primary, secondary = (stage.config.node(name).host for name in ("primary", "secondary"))
        self.nodes = f"{primary},{secondary}"

    def report(self, *arguments: str, url: str | None = None) -> dict[str, Any]:
        """The JSON report; the exit code has to agree with it."""
        anchor = ("--ca", str(self._stage.anchor), "--nodes", self.nodes)
        done = self._smartlic.run("check", url or self._stage.url, *anchor, "--format", "json", *arguments)
        assert TRACEBACK not in done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if report["ok"] else 1), done
        return report

    def errors(self, *arguments: str, url: str | None = None) -> list[str]:
        return [each["id"] for each in self.findings(*arguments, url=url) if each["severity"] == "error"]

    def findings(self, *arguments: str, url: str | None = None) -> list[dict[str, Any]]:
        (result,) = self.report(*arguments, url=url)["results"]
        found: list[dict[str, Any]] = result["findings"]
        return found

    def written(self, path: str) -> str:
        """The report as a file; standard output has the summary then."""
        anchor = ("--ca", str(self._stage.anchor), "--nodes", self.nodes)
        call = ("check", self._stage.url, *anchor, "--format", "json", "--output", path)
        done = self._smartlic.run(*call)
        assert done.returncode == 0, done
        assert done.stdout == "1 target: 1 well, 0 with errors; 0 warnings\n"
        return Path(path).read_text()

    def mend(self, *arguments: str, url: str | None = None) -> str:
        return str(self.findings(*arguments, url=url)[0]["mend"])


@pytest.fixture
def check(smartlic: Inside, stage: Stage) -> Check:
    return Check(smartlic, stage)


def _set(stage: Stage, name: str, *, synchronize: bool = True) -> None:
    stage.ask("common-name", name=name)
    if synchronize:
        stage.ask("synchronize")


# --- The six situations -----------------------------------------------------------------------------


def test_1_right(stage: Stage, check: Check) -> None:
    """B1.4: the VIP is the Common Name; the Primary is Active, the Secondary Standby; nothing to mend."""
    _set(stage, stage.config.vip.host)
    assert [each["id"] for each in check.findings()] == ["node-active", "node-standby"]


def test_2_the_common_name_is_a_nodes_address(stage: Stage, check: Check) -> None:
    """B1.3: a new cluster's certificate bears the Primary's address. Set the VIP, synchronize: green."""
    vip = stage.config.vip.host
    _set(stage, stage.config.node("primary").host)
    assert check.errors() == ["common-name-is-node"]
    assert f"set Host Common Name to {vip}, then synchronize the local accounts" in check.mend()
    _set(stage, vip)
    assert check.errors() == []


def test_3_the_common_name_is_set_and_not_synchronized(stage: Stage, check: Check) -> None:
    """B1.5 to B1.7: set, and not yet synchronized: the server says so; a synchronization is all it takes."""
    vip, folder = stage.config.vip.host, str(stage.cluster)
    _set(stage, stage.config.node("primary").host)
    _set(stage, vip, synchronize=False)
    assert check.errors("--server-folder", folder) == ["common-name-not-synchronized"]
    mend = check.mend("--server-folder", folder)
    assert mend.startswith("On the server: synchronize the local accounts")
    stage.ask("synchronize")
    assert check.errors("--server-folder", folder) == []


def test_3b_a_name_that_waits_is_told_before_it_harms(stage: Stage, check: Check) -> None:
    """All is well, and at the next synchronization it would not be: a warning, from the server's side."""
    vip = stage.config.vip.host
    _set(stage, vip)
    _set(stage, NAME, synchronize=False)
    report = check.report("--server-folder", str(stage.cluster))
    assert report["ok"]
    assert "common-name-about-to-change" in [each["id"] for each in report["results"][0]["findings"]]
    _set(stage, vip, synchronize=False)


def test_4_an_address_with_dual_stack(stage: Stage, check: Check) -> None:
    """B1.4: the cluster's name has both families and the Common Name is an address: it must be the FQDN."""
    vip, port = stage.config.vip.host, stage.config.vip.device_port
    _set(stage, vip)
    url = stage.url.replace(vip, NAME)
    both = ("--resolve", f"{NAME}:{port}:{vip}", "--resolve", f"{NAME}:{port}:::1")
    assert set(check.errors(*both, url=url)) == {"address-with-dual-stack", "common-name-differs"}
    mends = {each["id"]: each["mend"] for each in check.findings(*both, url=url)}
    assert f"set Host Common Name to {NAME}" in mends["address-with-dual-stack"]
    assert f"set Host Common Name to {NAME}" in mends["common-name-differs"]
    _set(stage, NAME)
    assert check.errors(*both, url=url) == []
    _set(stage, vip)


class Certified(TcpServer):
    """A server with a certificate by the mock's own PKI; `present` gives it another one."""

    def __init__(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        root = pki.new_root("Root of the test", now)
        key = signing.new_key()
        _, chain = pki.new_authority(root, "CA of the test", key.public_key(), now=now, path_length=1)
        self._issuer = pki.Issuer(chain[0], key, chain)
        self.anchor = pki.to_pem(root.certificate)
        super().__init__()

    def present(self, common_name: str, *alternative_names: str) -> None:
        now = datetime.datetime.now(datetime.UTC)
        leaf = self._issuer.leaf(common_name, pki.PRODUCT, now=now, alternative_names=alternative_names)
        self._context = tls.server_context(
            b"".join(map(pki.to_pem, (leaf.certificate, *leaf.chain))), leaf.key_pem
        )

    def serve(self, connection: socket.socket) -> None:
        with self._context.wrap_socket(connection, server_side=True) as secured:
            self.replace(connection, secured)
            if secured.recv(4096):
                secured.sendall(OK)


def test_5_the_alternative_name_is_right_and_the_common_name_is_not(smartlic: Inside, tmp_path: Path) -> None:
    """curl and browsers are content, products are not; the name in both places mends it."""
    anchor = tmp_path / "anchor.pem"
    with Certified() as server:
        anchor.write_bytes(server.anchor)
        server.present("primary.example.com", "127.0.0.1")
        call = ("check", f"127.0.0.1:{server.port}", "--ca", str(anchor))
        report = smartlic.json(*call, code=1)
        (finding,) = report["results"][0]["findings"]
        assert finding["id"] == "common-name-wrong-alternative-right"
        assert "set Host Common Name to 127.0.0.1" in finding["mend"]
        assert smartlic.json(*call, "--policy", "either")["ok"]
        assert smartlic.run(*call, "--policy", "both").returncode == 1
        server.present("127.0.0.1", "127.0.0.1")
        assert smartlic.json(*call)["results"][0]["findings"] == []


def test_6_the_certificate_changed_at_a_failover(stage: Stage, check: Check, tmp_path: Path) -> None:
    """B2: green before the failover, another name after it: told by comparing with the earlier result."""
    vip, earlier = stage.config.vip.host, str(tmp_path / "earlier.json")
    _set(stage, vip)
    assert json.loads(check.written(earlier))["ok"]
    _set(stage, stage.config.node("secondary").host)
    stage.console("primary", "ha_cluster_stop")
    try:
        errors = check.errors("--compare-with", earlier)
        assert set(errors) == {"certificate-changed-at-failover", "common-name-is-node"}
        found = {each["id"]: each for each in check.findings("--compare-with", earlier)}
        changed = found["certificate-changed-at-failover"]
        assert "the Primary Active" in changed["seen"]
        assert "the Secondary Active" in changed["seen"]
        assert f"set Host Common Name to {vip}" in changed["mend"]
        _set(stage, vip)
        assert check.errors("--compare-with", earlier) == []
        now = [each["id"] for each in check.findings("--compare-with", earlier)]
        assert "certificate-renewed" in now
    finally:
        stage.console("primary", "ha_cluster_start")
        stage.console("secondary", "ha_cluster_stop")
        stage.console("secondary", "ha_cluster_start")


# --- Watching ---------------------------------------------------------------------------------------


def test_watching_a_failover(stage: Stage, smartlic: Inside) -> None:
    """--watch --until failover sees the VIP move to the other node, with the same certificate."""
    _set(stage, stage.config.vip.host)
    tool = program("smartlic", stage.devices)
    nodes = f"{stage.config.node('primary').host},{stage.config.node('secondary').host}"
    active = stage.status()["active"]
    command = tool.command(
        "check",
        stage.url,
        "--ca",
        str(stage.anchor),
        "--nodes",
        nodes,
        "--watch",
        "30",
        "--until",
        "failover",
    )
    watching = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=tool.environment
    )
    assert watching.stderr is not None
    first = watching.stderr.readline()
    assert "node-active" in first
    stage.console(active, "ha_cluster_stop")
    out, err = watching.communicate(timeout=60)
    stage.console(active, "ha_cluster_start")
    assert watching.returncode == 0, (out, err)
    assert "answers now" in err
    assert "another certificate" not in err


# --- The command line -------------------------------------------------------------------------------


def test_many_targets_from_everywhere(stage: Stage, smartlic: Inside, tmp_path: Path) -> None:
    """Arguments, an inventory, standard input and a file, each target once, in order."""
    _set(stage, stage.config.vip.host)
    inventory = tmp_path / "sites.csv"
    inventory.write_text(f"name,url\nBonn,{stage.url}\n# none\n\nagain,{stage.url}\n", encoding="utf-8-sig")
    done = smartlic.run(
        "check", f"@{inventory}", "-", str(stage.anchor), "--ca", str(stage.anchor), "--expected-name",
        stage.config.vip.host, "--skip", "names", "--format", "json", stdin="https://127.1/\n",
    )  # fmt: skip
    results = json.loads(done.stdout)["results"]
    assert [(each["name"], [finding["id"] for finding in each["findings"]]) for each in results] == [
        ("Bonn", ["inventory-duplicate"]),
        (None, ["url-host-malformed"]),
        (None, []),
    ]
    assert done.returncode == 1


def test_a_thing_that_cannot_run_exits_2(smartlic: Inside, tmp_path: Path) -> None:
    """1 says that there are findings; what keeps the check from running is 2, with a code and a mend."""
    there = tmp_path / "there"
    there.write_text("nothing")
    url, missing = "127.0.0.1", str(tmp_path / "missing")
    assert_error(smartlic.run("check", url, "--ca", missing), "check-bad-ca", 2)
    assert_error(smartlic.run("check", url, "--ca", str(there)), "check-bad-ca", 2)
    assert_error(smartlic.run("check", f"@{missing}"), "check-cannot-read", 2)
    assert_error(smartlic.run("check", "--inventory", missing), "check-cannot-read", 2)
    assert_error(smartlic.run("check", url, "--compare-with", str(there)), "check-bad-earlier", 2)
    assert_error(smartlic.run("check", url, "--server-folder", missing), "check-server-silent", 2)
    output = str(tmp_path / "no" / "such")
    assert_error(smartlic.run("check", "127.1", "--output", output), "check-cannot-write", 2)
    assert_error(smartlic.run("check", url, "--ca", missing, "--format", "json"), "check-bad-ca", 2)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["127.0.0.1", "--policy", "none"],
        ["127.0.0.1", "--nodes", "127.0.0.5"],
        ["127.0.0.1", "--nodes", "127.0.0.5,127.1"],
        ["127.0.0.1", "--nodes", "127.0.0.5:0,127.0.0.10"],
        ["127.0.0.1", "--fingerprint", "sha256:12"],
        ["127.0.0.1", "--fingerprint", "a" * 64, "--ca", "x"],
        ["127.0.0.1", "--expected-name", "127.1"],
        ["127.0.0.1", "--only", "name-mismach"],
        ["127.0.0.1", "--skip", "nothing"],
        ["127.0.0.1", "--proxy", "socks5://127.0.0.1"],
        ["127.0.0.1", "--proxy", "http://127.0.0.1:99999"],
        ["127.0.0.1", "--resolve", "a:b:c"],
        ["127.0.0.1", "--resolve", "ssm.example.com:443:other.example.com"],
        ["127.0.0.1", "--timeout", "0"],
        ["127.0.0.1", "--jobs", "0"],
        ["127.0.0.1", "--until", "failover"],
        ["127.0.0.1", "--format", "yaml"],
        ["--explain", "nothing-such"],
    ],
)
def test_wrong_usage_exits_64(smartlic: Inside, arguments: list[str]) -> None:
    """What is written wrongly is wrong usage: one sentence, what to do, no traceback."""
    assert_error(smartlic.run("check", *arguments), "usage", 64)


def test_explain(smartlic: Inside) -> None:
    """--explain tells of one finding, or lists all of them."""
    done = smartlic.run("check", "--explain", "common-name-is-node")
    assert done.returncode == 0
    assert "What" not in done.stderr
    assert "Security > Certificates" in done.stdout
    everything = smartlic.run("check", "--explain", "all").stdout
    assert "certificate-changed-at-failover" in everything
    assert len(everything.splitlines()) > 60


def test_help_tells_the_exit_codes(smartlic: Inside) -> None:
    """The exit codes are printed in --help."""
    said = smartlic.run("check", "--help").stdout
    for line in (
        "0    all well",
        "1    there are findings",
        "2    the check could not run",
        "64   wrong usage",
    ):
        assert line in said


@pytest.mark.parametrize("form", ["text", "json", "junit", "sarif", "summary"])
def test_the_formats(smartlic: Inside, form: str) -> None:
    """Each form of report goes to standard output, alone, with the exit code of the findings."""
    done = smartlic.run("check", "https://127.1/", "--format", form)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "url-host-malformed" in done.stdout
    before = smartlic.run("--format", "json", "check", "https://127.1/")
    assert json.loads(before.stdout)["ok"] is False


def test_a_report_replaces_the_one_it_was_compared_with(
    stage: Stage, smartlic: Inside, tmp_path: Path
) -> None:
    """--output writes the whole report or nothing: it may be the file of --compare-with."""
    _set(stage, stage.config.vip.host)
    path = str(tmp_path / "result.json")
    call = ("check", stage.url, "--ca", str(stage.anchor), "--format", "json", "--output", path)
    assert smartlic.run(*call).returncode == 0
    assert smartlic.run(*call, "--compare-with", path).returncode == 0
    assert json.loads(Path(path).read_text())["ok"]
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["result.json"]


def test_nothing_heavy_is_imported() -> None:
    """One target is checked without requests, httpx and rich, whose imports cost more than the check."""
    code = (
        "import sys; sys.argv = ['smartlic', 'check', '127.1']\n"
        "from smartlic_client.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'requests', 'urllib3', 'httpx', 'rich', 'asyncio', 'lxml', 'filelock', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "[]\n"
