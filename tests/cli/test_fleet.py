"""`smartlic fleet` against a real cluster: from nothing, through a failover, killed and gone on with."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mock_server import Cluster
from smartlic_client.protocol.identity import IdToken
from tests.cli.harness import Done, assert_error, inside, shell, started, until
from tests.support import Program, program

pytestmark = pytest.mark.real

DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"


class Ground:
    """A cluster, an inventory of `count` devices with two licenses each, and a token."""

    def __init__(self, ssm: Cluster, folder: Path, count: int) -> None:
        self.ssm, self.folder, self.count = ssm, folder, count
        self.inventory = folder / "fleet of switches.csv"
        self.inventory.write_text(
            f'name,pid,sn,count,licenses\nsw-{{n}},C9300-24T,FOC{{n:05}},{count},"{DNA}=2"\n'
        )
        (folder / "anchor.pem").write_text(ssm.trust_anchor)
        self.token = ssm.token()
        ssm.ask("license.add", name="DNA", tag=DNA, quantity=1000)
        (folder / "token.txt").write_text(self.token)

    def options(self, *more: str, url: str | None = None) -> list[str]:
        given = ["--server", url or self.ssm.url, "--ca", str(self.folder / "anchor.pem")]
        return ["fleet", str(self.inventory), *given, "--token", str(self.folder / "token.txt"), *more]

    def run(self, *more: str) -> dict[str, Any]:
        done = program("smartlic", self.folder).run(*self.options(*more, "--format", "json"))
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def check(self) -> None:
        """The server has each device once, with its count, and counted a use of the token for each."""
        instances = self.ssm.ask("instance.list", limit=-1)["instances"]
        assert len(instances) == len({one["udi"] for one in instances}) == self.count
        used = next(
            r for r in self.ssm.ask("token.list")["tokens"] if r["token_id"] == IdToken(self.token).token_id
        )
        assert used["used"] == self.count
        licenses = self.ssm.ask("license.list")["licenses"]
        assert sum(one["in_use"] for one in licenses) == 2 * self.count


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with Cluster(processes=True) as ssm:
        yield Ground(ssm, tmp_path, 150)


def test_a_fleet_registers_reports_and_goes_on(ground: Ground) -> None:
    """All of it once; the same again says nothing to the server; then reports, by two processes."""
    said = ground.run("--once", "--report", str(ground.folder / "run.html"))
    assert (said["settled"], said["registration"]) == (150, {"complete": 150})
    assert said["operations"]["registration"]["answered"] == 150
    assert said["operations"]["authorization"]["answered"] == 150
    assert "<svg" in (ground.folder / "run.html").read_text()
    ground.check()
    again = ground.run("--once", "--processes", "3")
    assert (again["settled"], again["operations"]) == (150, {})
    reports = ground.run("--processes", "2", "--every", "0.5", "--duration", "2")
    assert reports["operations"]["authorization"]["answered"] >= 150
    ground.check()


def test_a_failover_in_the_middle_loses_and_doubles_nothing(ground: Ground) -> None:
    """The Active is killed while devices register; each is there once in the end."""
    process = started(
        program("smartlic", ground.folder), *ground.options("--once", "--rate", "60", "--format", "json")
    )
    until(lambda: ground.ssm.ask("instance.list", limit=1)["total"] > 30, "devices have registered")
    ground.ssm.kill(ground.ssm.active or "primary")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    said = json.loads(out)
    assert said["settled"] == 150
    ground.check()


def test_killed_and_started_again_it_goes_on(ground: Ground) -> None:
    """SIGKILL of all of it in the middle; the next start ends what was under way, by the same messages."""
    smartlic = program("smartlic", ground.folder)
    process = started(smartlic, *ground.options("--once", "--rate", "60", "--processes", "2"))
    until(lambda: ground.ssm.ask("instance.list", limit=1)["total"] > 30, "devices have registered")
    process.kill()
    process.communicate()
    until(lambda: _free(smartlic, ground), "its processes have ended")
    assert ground.run("--once")["settled"] == 150
    ground.check()


def _free(smartlic: Program, ground: Ground) -> bool:
    """Whether no process of the fleet holds its file open any more."""
    held = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            held.append(link.readlink())
        except OSError:
            continue
    return not any(str(path).startswith(f"{ground.inventory}.fleet") for path in held)


def test_ctrl_c_ends_it_in_order(ground: Ground) -> None:
    """Once: what is under way is finished, nothing new is begun, and the exit says that it was not done."""
    process = started(
        program("smartlic", ground.folder), *ground.options("--once", "--rate", "40", "--format", "json")
    )
    until(lambda: ground.ssm.ask("instance.list", limit=1)["total"] > 10, "devices have registered")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    said = json.loads(out)
    assert (process.returncode, said["interrupted"]) == (130, True), err
    assert 10 < said["settled"] == said["started"] < 150
    assert ground.run("--once")["settled"] == 150
    ground.check()


def test_ctrl_c_twice_ends_it_now(ground: Ground) -> None:
    """The server hangs, so what is under way does not end: the second Ctrl-C does not wait for it."""
    process = started(
        program("smartlic", ground.folder), *ground.options("--once", "--rate", "60", "--format", "json")
    )
    until(lambda: ground.ssm.ask("instance.list", limit=1)["total"] > 10, "devices have registered")
    for node in ("secondary", "primary"):
        ground.ssm.stop(node)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert any("Ctrl-C again" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=15)
    assert (process.returncode, json.loads(out)["interrupted"]) == (130, True)
    ground.ssm.start("primary")
    assert ground.run("--once")["settled"] == 150
    ground.check()


def test_a_disk_that_is_full_in_the_middle(ground: Ground) -> None:
    """The fleet says so and ends; with room again it goes on, and nothing is lost or doubled."""
    smartlic = program("smartlic", ground.folder)
    done = shell(smartlic, 'ulimit -f 256; "$@"', *ground.options("--once"))
    assert_error(_last_two(done), "fleet-unusable", 1)
    assert 0 < ground.ssm.ask("instance.list", limit=1)["total"] < 150
    assert ground.run("--once")["settled"] == 150
    ground.check()


def test_fewer_descriptors_than_places(ground: Ground) -> None:
    """A user who may open few files: devices share connections, and it says so."""
    smartlic = program("smartlic", ground.folder)
    done = shell(smartlic, 'ulimit -n 150; "$@"', *ground.options("--once", "--at-once", "100"))
    assert done.returncode == 0, done.stderr
    assert "note: this user may open 22 connections, not 100" in done.stderr
    ground.check()


def test_a_server_that_is_down_at_the_start_is_waited_for(ground: Ground) -> None:
    """Nobody answers, then somebody does: the devices register, and the failures are counted."""
    for node in ("secondary", "primary"):
        ground.ssm.stop(node)
    process = started(program("smartlic", ground.folder), *ground.options("--once", "--format", "json"))
    ground.ssm.start("primary")
    out, err = process.communicate(timeout=60)
    assert json.loads(out)["settled"] == 150, err
    ground.check()


def test_refused_devices_are_counted_and_wait(ground: Ground) -> None:
    """A token for 50 of 150: the others wait for their owner, and a token that is good helps them."""
    (ground.folder / "token.txt").write_text(ground.ssm.token(uses=50))
    done = program("smartlic", ground.folder).run(*ground.options("--once", "--format", "json"))
    said = json.loads(done.stdout)
    assert (done.returncode, said["settled"]) == (1, 50), done.stderr
    assert list(said["waiting_for_their_owner"].values()) == [100]
    (ground.folder / "token.txt").write_text(ground.ssm.token())
    assert ground.run("--once")["settled"] == 150


@pytest.mark.parametrize("name", ["localhost", "ssm.example.com"])
def test_a_server_of_another_name_gets_nothing(ground: Ground, name: str) -> None:
    """The fleet ends at the first mismatch, with the exit of it, and no token is used."""
    port = ground.ssm.vip.device_port
    url = f"https://{name}:{port}/SmartTransport"
    more = ["--resolve", f"{name}:{port}:{ground.ssm.vip.host}"]
    done = program("smartlic", ground.folder).run(*ground.options("--once", *more, url=url))
    assert_error(_last_two(done), "name-mismatch", 3)
    assert ground.ssm.ask("instance.list")["instances"] == []


def _last_two(done: Done) -> Done:
    """Without the lines that told of progress."""
    kept = "\n".join(line for line in done.stderr.splitlines() if " s: " not in line)
    return Done(done.args, done.returncode, done.stdout, kept + "\n")


def test_mistakes_are_told_and_nothing_is_started(tmp_path: Path) -> None:
    """Wrong inventory, no token, no anchor, a fleet in use: each says what to do, and makes no file."""
    good = tmp_path / "good.csv"
    good.write_text("name,pid,sn\na,P,S\n")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("name,pid,sn\n,P,S\nb,P,S,x\n")
    anchor = tmp_path / "anchor.pem"
    anchor.write_text("no certificate")
    smartlic = inside("smartlic", tmp_path)
    there = ["--server", "https://127.0.0.1:4443", "--ca", str(anchor)]
    error = assert_error(smartlic.run("fleet", str(wrong), *there, "--format", "json"), "inventory-wrong", 1)
    assert [(one["line"], one["column"]) for one in error["context"]["mistakes"]] == [(2, "name"), (3, "4")]
    assert_error(smartlic.run("fleet", str(good), *there), "bad-anchors", 1)
    assert_error(
        smartlic.run("fleet", str(good), "--server", "http://x", "--ca", str(anchor)), "not-https", 1
    )
    assert_error(smartlic.run("fleet", str(tmp_path / "none.csv"), *there), "inventory-unreadable", 1)
    assert smartlic.run("fleet", str(good)).returncode == 64
    assert sorted(path.name for path in tmp_path.glob("*.fleet*")) == []
