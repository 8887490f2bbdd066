"""What the Dockerfile runs, without Docker: options, health check, process 1, and what it names."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from mock_server import Cluster
from mock_server.cli import cli
from mock_server.cli.addresses import own_address
from mock_server.cluster import config
from smartlic_client.errors import SmartlicError
from tests.cli.harness import assert_error, inside, until, up
from tests.support import new_addresses, program

pytestmark = pytest.mark.real

_ROOT = Path(__file__).parents[2]
_DOCKERFILE = (_ROOT / "Dockerfile").read_text()


def said(instruction: str) -> list[str]:
    """What follows an instruction, each time it is there; continued lines in one."""
    text = _DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{instruction} (.*)$", text, re.MULTILINE)


def test_the_dockerfile_names_what_is_there() -> None:
    """Ports are those of one address, commands are commands, files are files; the user is not root."""
    made = config.configure(*["172.17.0.2"] * 3, allow_remote=True)
    nodes = [made.vip, *(made.node(name) for name in config.NODES)]
    ports = [str(node.device_port) for node in nodes] + [str(node.gui_port) for node in nodes]
    assert said("EXPOSE") == [" ".join(ports)]
    (entry,), (default,) = said("ENTRYPOINT"), said("CMD")
    (health,) = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", _DOCKERFILE)
    for words in (json.loads(entry) + json.loads(default), json.loads(health)):
        assert words[0] == "smartlic-mock"
        with cli.make_context("smartlic-mock", words[1:]) as context:
            verb = cli.get_command(context, words[1])
            assert verb is not None
            verb.make_context(words[1], words[2:], parent=context)
    assert said("USER") == ["smartlic"]
    assert said("VOLUME") == ["/data"]
    assert "SMARTLIC_MOCK_FOLDER=/data/" in said("ENV")[0]
    kept = [line[1:] for line in (_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((_ROOT / name).exists() for name in kept)
    wheel = re.search(r"^packages = \[(.*)\]$", (_ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wheel is not None
    assert set(shlex.split(wheel[1].replace(",", " "))) <= set(kept)


def test_own_address_and_other_ones(tmp_path: Path) -> None:
    """`--address`: one for all three. The cluster moves to another one and keeps what it has."""
    first, second = new_addresses().primary, new_addresses().primary
    mock = inside("smartlic-mock", tmp_path / "c")
    with up(tmp_path / "c", "--address", first):
        made = mock.json("token", "create")["token_id"]
        clash = assert_error(mock.run("up", "--address", second), "already-running", 75)
        assert str(tmp_path / "c") in clash["sentence"]
    with up(tmp_path / "c", "--address", second) as cluster:
        shown = cluster.status["status"]["nodes"]["primary"]
        assert (shown["vip"]["host"], shown["in_sync"]) == (second, ["primary", "secondary"])
        assert [one["token_id"] for one in mock.json("token", "list")["tokens"]] == [made]
    usage = mock.run("up", "--address", first, "--vip", first)
    assert_error(usage, "usage", 64)
    assert_error(mock.run("up", "--address", "nowhere"), "address-not-allowed", 1)
    three = inside("smartlic-mock", tmp_path / "three")
    config.create(tmp_path / "three")
    assert_error(three.run("up", "--address", first), "other-addresses", 1)


def test_an_address_that_others_reach_is_asked_for(tmp_path: Path) -> None:
    """No address but the loopback's without `--allow-remote`, each time anew; with it there is a warning."""
    others = own_address()
    if ipaddress.ip_address(others).is_loopback:
        pytest.skip("this machine has the loopback only")
    mock = inside("smartlic-mock", tmp_path / "c")
    ports = ["--device-port", "24443", "--gui-port", "28443", "--peer-port", "25405"]
    refused = assert_error(mock.run("up", "--address", others, *ports), "remote-not-allowed", 1)
    assert others in refused["sentence"]
    assert not (tmp_path / "c").exists()
    with up(tmp_path / "c", "--address", new_addresses().primary, *ports) as cluster:
        assert cluster.status["problems"] == []
    assert_error(mock.run("up", "--address", others), "remote-not-allowed", 1)
    with up(tmp_path / "c", "--address", others, "--allow-remote") as cluster:
        assert [found["code"] for found in cluster.status["problems"]] == ["remote-allowed"]
        assert others in cluster.status["problems"][0]["sentence"]
    assert_error(mock.run("up"), "remote-not-allowed", 1)
    with pytest.raises(SmartlicError, match="can be reached from other machines"), Cluster(host=others):
        pass
    with Cluster(host=others, servers=1, allow_remote=True) as server:
        assert server.config.vip.host == others


def test_no_console_brings_a_vip_that_others_reach(tmp_path: Path) -> None:
    """`ha_provision_standby` takes no VIP that `up` would not have taken."""
    mock = inside("smartlic-mock", tmp_path / "c")
    where = new_addresses()
    options = ["--primary", where.primary, "--secondary", where.secondary, "--vip", where.vip]
    with up(tmp_path / "c", *options, "--stand-alone"):
        assert mock.run("console", "primary", "ha_generatekeys").returncode == 0
        command = f"ha_provision_standby {where.primary} 192.0.2.7"
        refused = mock.run("console", "secondary", command, "--format", "json")
        assert_error(refused, "remote-not-allowed", 1)


def test_health(tmp_path: Path) -> None:
    """`status --check` is 0 while one serves, 2 while none does, 1 when nothing is up."""
    mock = inside("smartlic-mock", tmp_path / "c")
    assert_error(mock.run("status", "--check"), "not-running", 1)
    with up(tmp_path / "c", "--address", new_addresses().primary):
        assert mock.run("status", "--check").returncode == 0
        mock.run("console", "primary", "ha_cluster_stop")
        until(lambda: mock.json("status")["active"] == "secondary", "the Secondary is Active")
        assert mock.run("status", "--check").returncode == 0
        mock.run("console", "secondary", "ha_cluster_stop")
        assert_error(mock.run("status", "--check", "--format", "json"), "nobody-active", 2)
    alone = inside("smartlic-mock", tmp_path / "alone")
    with up(tmp_path / "alone", "--address", new_addresses().primary, "--stand-alone"):
        assert alone.run("status", "--check").returncode == 0


# ---- process 1 --------------------------------------------------------------------------------------------
_NEW = ["unshare", "--pid", "--fork", "--mount-proc", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@contextmanager
def as_process_1(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`up` as process 1 of a space of its own; what waits for it, and its pid from here."""
    if subprocess.run([*_NEW, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not make a space of processes")
    tool = program("smartlic-mock", folder)
    process = subprocess.Popen(
        [*_NEW, *tool.command("up", *options, "--format", "json")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=tool.environment,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        until(children.read_text, "process 1 is there")
        yield process, int(children.read_text())
    finally:
        for pid in children.read_text().split() if process.poll() is None else ():
            os.kill(int(pid), signal.SIGKILL)
        process.communicate(timeout=30)


def pages(address: Any, anchor: Path) -> int | None:
    """Status of the pages at an address and port; None: nobody listens."""
    try:
        return requests.get(
            f"https://{address.host}:{address.gui_port}/", verify=str(anchor), timeout=5
        ).status_code
    except requests.exceptions.SSLError:
        raise
    except requests.exceptions.ConnectionError:
        return None


def test_as_process_1(tmp_path: Path) -> None:
    """Failover from port to port behind the VIP's; SIGTERM stops all in order and exits with 0, SIGKILL
    leaves nothing, and the next container with the folder has it all."""
    folder, anchor = tmp_path / "data" / "cluster", tmp_path / "anchor.pem"
    address = new_addresses().primary
    mock = inside("smartlic-mock", folder)
    with as_process_1(folder, "--address", address) as (process, pid):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ok"] is True
        made = config.load(folder)
        assert Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
        anchor.write_text(mock.json("certificates")["trust_anchor"])
        assert [pages(one, anchor) for one in (made.vip, *made_nodes(made))] == [200, 200, None]
        token = mock.json("token", "create")["token_id"]
        assert mock.run("console", "primary", "ha_cluster_stop").returncode == 0
        until(lambda: mock.json("status")["active"] == "secondary", "the Secondary is Active")
        assert [pages(one, anchor) for one in (made.vip, *made_nodes(made))] == [200, None, 200]
        os.kill(pid, signal.SIGTERM)
        assert process.wait(20) == 0
    with as_process_1(folder, "--address", address) as (process, pid):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ok"] is True
        assert [one["token_id"] for one in mock.json("token", "list")["tokens"]] == [token]
        os.kill(pid, signal.SIGKILL)
        assert process.wait(20) != 0
    with as_process_1(folder, "--address", address) as (process, pid):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ok"] is True
        os.kill(pid, signal.SIGINT)
        assert process.wait(20) == 0


def made_nodes(made: config.ClusterConfig) -> list[config.NodeAddress]:
    return [made.node(name) for name in config.NODES]
