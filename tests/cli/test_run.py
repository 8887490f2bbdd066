"""`smartlic run`: a service that honours the timers of devices, and ends cleanly."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smartlic_client.device import Device
from smartlic_client.protocol.identity import Udi
from tests.cli.harness import (
    TRACEBACK,
    Lab,
    assert_error,
    inside,
    like_others,
    record_of,
    serial,
    started,
    until,
)
from tests.support import DNA, new_addresses, program, token

pytestmark = pytest.mark.real


@contextmanager
def running(home: Path, *options: str, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """The service, as JSON lines, when it is ready; ended however the test leaves it."""
    tool = program("smartlic", home)
    process = started(tool, "run", "--format", "json", *options, **settings)
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["event"], first["pid"]) == ("ready", process.pid)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=10)


def ended(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> list[dict[str, Any]]:
    """End it as a person or systemd does: exit 0, no complaint; what it said meanwhile."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, ""), (out, err)
    said = [json.loads(line) for line in out.splitlines()]
    assert said[-1]["event"] == "stopped"
    return said


def health(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_registers_tells_and_ends_cleanly(lab: Lab, tmp_path: Path, number: int) -> None:
    """With a token it registers the device; a change by another verb is told; the signal ends it with 0."""
    folder = lab.device(tmp_path)
    secret, file, watched = token(lab.stage), tmp_path / "token", tmp_path / "health.json"
    file.write_text(secret)
    smartlic = inside("smartlic", tmp_path)
    with running(tmp_path, "--token-file", str(file), "--health-file", str(watched)) as process:
        until(
            lambda: (health(watched) or {"devices": {}})["devices"].get("annanr-39", {}).get("next"), "it is"
        )
        assert record_of(folder).identity is not None
        with Device.open(folder) as device:
            device.request(DNA, 3, at_once=False)
        assert record_of(folder).to_report
        until(lambda: not record_of(folder).to_report, "the change is told")
        assert smartlic.json("request", DNA, "4")["authorization"] == "authorized"
        said = ended(process, number)
    assert secret not in json.dumps(said) + watched.read_text()
    names = [one["name"] for one in said if one["event"] == "log"]
    assert {"AGENT_REG_SUCCESS", "AUTH_RENEW_SUCCESS"} <= set(names)
    kept = health(watched)
    assert kept["ok"] is True
    assert kept["devices"]["annanr-39"]["registration"] == "complete"
    instance = lab.instance(folder)
    assert instance is not None
    assert [used["count"] for used in instance["licenses"]] == [4]
    assert lab.uses(secret) == 1


def test_log_lines_are_those_of_a_device(lab: Lab, tmp_path: Path) -> None:
    """As text the log messages come on standard error as a device prints them; with several, named."""
    for name in ("sw-1", "sw-2"):
        lab.registered(tmp_path, name)
    tool = program("smartlic", tmp_path)
    process = started(tool, "run", "--device", "sw-1", "--device", "sw-2")
    assert process.stderr is not None
    assert process.stderr.readline() == "ready: sw-1, sw-2\n"
    for name in ("sw-1", "sw-2"):
        with Device.open(tmp_path / name) as device:
            device.request(DNA, 1, at_once=False)
    until(lambda: not any(record_of(tmp_path / name).to_report for name in ("sw-1", "sw-2")), "told")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    for name in ("sw-1", "sw-2"):
        assert f"{name}: %SMART_LIC-6-AUTH_RENEW_SUCCESS: Authorization renewal with" in err
        assert f"{name}: complete, authorized; next " in err
    assert err.endswith("stopped\n")


def test_it_goes_on_through_a_failover(lab: Lab, tmp_path: Path) -> None:
    """The Primary is stopped; a change that comes then is told to the Secondary by the same service."""
    folder = lab.registered(tmp_path)
    with running(tmp_path) as process:
        lab.stage.console("primary", "ha_cluster_stop")
        try:
            with Device.open(folder) as device:
                device.request(DNA, 7, at_once=False)
            until(lambda: not record_of(folder).to_report and not record_of(folder).in_flight, "told", 60)
            assert lab.stage.ask("status")["active"] == "secondary"
            instance = lab.instance(folder)
            assert instance is not None
            assert [used["count"] for used in instance["licenses"]] == [7]
        finally:
            lab.stage.console("primary", "ha_cluster_start")
        said = ended(process)
    assert [one for one in said if one["event"] == "health"][-1]["failure"] is None
    until(lambda: lab.stage.roles()["Primary"] == "Standby", "the Primary is back")


def test_a_message_that_hangs_does_not_hold_up_the_end(lab: Lab, tmp_path: Path) -> None:
    """SIGTERM while a server is silent: it ends within seconds, and the message is kept and told later."""
    folder = lab.registered(tmp_path)
    with socket.create_server((new_addresses().vip, 0)) as silent:
        host, port = silent.getsockname()
        with Device.open(folder) as device:
            device.set_destination(f"https://{host}:{port}/SmartTransport")
            device.request(DNA, 2, at_once=False)
        with running(tmp_path) as process:
            near, _ = silent.accept()
            with near:
                began = time.monotonic()
                ended(process)
                assert time.monotonic() - began < 9, "a handshake is given 10 s"
    meant = record_of(folder).in_flight
    assert meant is not None
    smartlic = inside("smartlic", tmp_path)
    smartlic.json("transport", lab.url())
    smartlic.json("report")
    instance = lab.instance(folder)
    assert instance is not None
    assert [used["count"] for used in instance["licenses"]] == [2]


def test_two_services_of_one_device(lab: Lab, tmp_path: Path) -> None:
    """The second says who attends to it already; `clean` does too; other verbs work beside it."""
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    with running(tmp_path) as process:
        for call in (["run"], ["clean", "--yes"]):
            error = assert_error(smartlic.run("--format", "json", *call), "runs-already", 75)
            assert error["context"]["pid"] == process.pid
            assert error["context"]["folder"] == str(folder)
        assert smartlic.json("show", "status")["registration"] == "not-registered"
        assert smartlic.json("transport", lab.url("/SmartTransport"))["transport"] == "smart"
        ended(process)
    assert smartlic.json("clean", "--yes")["removed"]


def test_it_tells_systemd(lab: Lab, tmp_path: Path) -> None:
    """READY=1 when it is ready and STOPPING=1 at the end, to the socket in NOTIFY_SOCKET."""
    lab.device(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(10)
        tool = program("smartlic", tmp_path)
        environment = {**tool.environment, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with running(tmp_path, env=environment) as process:
            assert heard.recv(4096).startswith(b"READY=1\nSTATUS=attends to 1 device")
            ended(process)
        said = [heard.recv(4096)]
        while b"STOPPING=1" not in said:
            said.append(heard.recv(4096))
    assert all(one.startswith(b"STATUS=annanr-39: ") for one in said[:-1])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], "no-device"),
        (["--all"], "no-device"),
        (["--device", "pi9"], "no-device"),
        (["--device", "a/b"], "bad-device-name"),
        (["--token-file", "/nonexistent/token"], "no-device"),
    ],
)
def test_what_it_cannot_begin_with(tmp_path: Path, options: list[str], code: str) -> None:
    """What is wrong from the start ends it with its code, before it says that it is ready."""
    assert_error(inside("smartlic", tmp_path).run("run", *options), code, 1)


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    """It is said at the start, not when the server has forgotten the device."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    smartlic = inside("smartlic", tmp_path)
    assert_error(smartlic.run("run", "--token-file", str(tmp_path / "no")), "token-unreadable", 1)
    assert_error(smartlic.run("run", "--all", "--device", "x"), "usage", 64)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The service does not begin where it could not keep what it means to say."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    (tmp_path / "x").chmod(0o500)
    try:
        done = like_others(program("smartlic", tmp_path), "run")
        assert_error(done, "store-unwritable", 1)
    finally:
        (tmp_path / "x").chmod(0o700)


def test_a_folder_that_can_no_longer_be_written(lab: Lab, tmp_path: Path) -> None:
    """What happens while it runs is its health, once; it goes on, and is well when it can write again."""
    folder = lab.device(tmp_path)
    with running(tmp_path) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "health":
            continue
        damaged = (folder / "device.json").read_bytes()
        (folder / "device.json").unlink()
        failed = json.loads(process.stdout.readline())
        assert (failed["event"], failed["failure"]["code"]) == ("health", "no-device")
        (folder / "device.json").write_bytes(damaged)
        (folder / "device.json").chmod(0o600)
        assert json.loads(process.stdout.readline())["failure"] is None
        ended(process)


def test_a_health_file_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said once, and the devices are attended to all the same."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    with running(tmp_path, "--health-file", str(tmp_path / "no" / "h.json")) as process:
        assert process.stdout is not None
        events = [json.loads(process.stdout.readline())["event"] for _ in range(2)]
        while "problem" not in events:
            events.append(json.loads(process.stdout.readline())["event"])
        said = ended(process)
    assert [one["event"] for one in said].count("problem") == 0
    assert "health" in events


def test_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """A reader that goes away does not end the service."""
    Device.create(tmp_path / "x", Udi(pid="P", sn=serial(tmp_path, "x")))
    watched = tmp_path / "health.json"
    process = started(program("smartlic", tmp_path), "run", "--health-file", str(watched))
    assert process.stderr is not None
    process.stderr.close()
    until(lambda: health(watched), "it attends")
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.stdout is not None
    assert TRACEBACK not in process.stdout.read()
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    assert not os.path.exists(tmp_path / "x" / "run" / "device.lock.holder")  # noqa: PTH110


def test_a_disk_that_is_full_meanwhile(lab: Lab, tmp_path: Path) -> None:
    """Nothing is sent that could not be kept; with room again all is told, once, and the file is whole."""
    folder = lab.registered(tmp_path)
    before = record_of(folder).sequence
    with running(tmp_path) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "health":
            continue
        # No file can grow any more: what a full disk is to who writes. Pipes and sockets go on.
        _, allowed = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, allowed))
        with Device.open(folder) as device:
            device.request(DNA, 3, at_once=False)
        meant = (folder / "device.json").read_bytes()
        while (said := json.loads(process.stdout.readline())).get("failure") is None:
            assert said["event"] in ("health", "log")
        assert said["failure"]["code"] == "store-unwritable"
        assert (folder / "device.json").read_bytes() == meant
        there = lab.instance(folder)
        assert there is not None
        assert there["licenses"] == []
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (allowed, allowed))
        with Device.open(folder) as device:
            device.request(DNA, 5, at_once=False)
        until(lambda: not record_of(folder).to_report and record_of(folder).in_flight is None, "told")
        assert [one["failure"] for one in ended(process) if one["event"] == "health"][-1] is None
    there = lab.instance(folder)
    assert there is not None
    assert [used["count"] for used in there["licenses"]] == [5]
    assert record_of(folder).sequence == before + 1


def test_killed_again_and_again(lab: Lab, tmp_path: Path) -> None:
    """kill -9 while it registers, and while it tells a count: one instance, one use, the last count, once."""
    folder = lab.device(tmp_path)
    secret, file = token(lab.stage), tmp_path / "token"
    file.write_text(secret)
    options = ("--token-file", str(file))
    sequences = []
    for count in range(1, 7):
        with Device.open(folder) as device:
            device.request(DNA, count, at_once=False)
        with running(tmp_path, *options) as process:
            # It saves what it means to say, sends it, saves what came of it: killed before, between or after.
            until(partial(_saved, folder, (folder / "device.json").read_bytes()), "it has saved")
            for _ in range(count - 1):
                record_of(folder)  # whole, whenever it is read
            process.kill()
            process.communicate(timeout=10)
        sequences.append(record_of(folder).sequence)
    assert sequences == sorted(sequences)
    with running(tmp_path, *options) as process:
        until(lambda: record_of(folder).identity is not None, "it is registered")
        until(lambda: not record_of(folder).to_report and record_of(folder).in_flight is None, "told")
        ended(process)
    there = lab.instance(folder)
    assert there is not None
    assert [used["count"] for used in there["licenses"]] == [6]
    assert lab.uses(secret) == 1
    identity = record_of(folder).identity
    assert identity is not None
    assert identity.piid == there["product_instance_identifier"]


def _saved(folder: Path, before: bytes) -> bool:
    return (folder / "device.json").read_bytes() != before
