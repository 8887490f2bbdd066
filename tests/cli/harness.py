"""What the tests of the two command lines share: a cluster, devices, many processes at once."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from mock_server.demo.stage import Stage
from smartlic_client.device import Device
from smartlic_client.errors import PROBLEMS, SmartlicError
from smartlic_client.protocol.identity import IdToken, Udi
from smartlic_client.protocol.record import Record
from tests.support import Program, program, token

TRACEBACK = "Traceback (most recent call last)"
Done = subprocess.CompletedProcess[str]


def until(condition: Callable[[], Any], what: str, within: float = 15.0) -> Any:
    """Wait for what no event tells: what `condition` gives once it is true."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)
    return found


class Inside(Program):
    """The same command line in this process, where it is not the process that is tested: 20 times as fast.

    Arguments, environment, streams and exit are those of a process; TLS and the cluster are real.
    """

    def run(self, *arguments: str, stdin: str = "", timeout: float = 60) -> Done:  # noqa: ARG002
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        main = import_module(self.module).main
        with (
            patch.multiple(sys, argv=["smartlic", *arguments], stdin=given, stdout=out, stderr=err),
            patch.dict(os.environ, self.environment, clear=True),
            pytest.raises(SystemExit) as left,
        ):
            main()
        said = [stream.buffer.getvalue().decode() for stream in (out, err)]
        code = left.value.code
        assert isinstance(code, int)
        return Done(arguments, code, *said)


def inside(name: str, folder: Path) -> Inside:
    made = program(name, folder)
    return Inside(made.module, made.environment)


def together(tool: Program, *calls: list[str], stdin: str = "") -> list[Done]:
    """Run calls that do not disturb each other at the same time; what each did, in order."""
    running = [started(tool, *call) for call in calls]
    done = []
    for process in running:
        out, err = process.communicate(stdin, timeout=60)
        done.append(Done(process.args, process.returncode, out, err))
    return done


def started(tool: Program, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
    """A call that runs on; `settings` are Popen's."""
    streams: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": tool.environment,
    }
    return subprocess.Popen(tool.command(*arguments), text=True, **{**streams, **settings})


def shell(tool: Program, script: str, *arguments: str) -> Done:
    """Run a call by a script of bash, in which it is "$@"."""
    command = ["bash", "-c", f"set -o pipefail; {script}", "-", *tool.command(*arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=tool.environment, check=False)


def assert_error(done: Done, code: str, exit_code: int) -> dict[str, Any]:
    """A call that failed as it should: exit code, code, a sentence and a mend; nothing else, no traceback.

    The text and the JSON form are told apart by the output. Gives the error (of the text form, its code)."""
    assert done.returncode == exit_code, (done.returncode, done.stdout, done.stderr)
    assert TRACEBACK not in done.stdout + done.stderr
    if done.stdout.startswith("{"):
        said = json.loads(done.stdout)
        assert said["ok"] is False
        assert said["exit_code"] == exit_code
        error: dict[str, Any] = said["error"]
        assert error["code"] == code, error
        assert_told(error["sentence"], error["mend"])
        return error
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("warning: ", "note: "))]
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("error: ")
    assert lines[0].endswith(f" [{code}]"), lines
    assert lines[1].startswith("  what to do: ")
    assert_told(lines[0].removeprefix("error: ").removesuffix(f" [{code}]"), lines[1].partition(": ")[2])
    return {"code": code, "sentence": lines[0], "mend": lines[1]}


def assert_told(sentence: str, mend: str) -> None:
    """Sentences for people: whole, filled in, and saying what to do."""
    assert len(sentence) > 8
    assert len(mend) > 8
    for text in (sentence, mend):
        assert not re.search(r"\{\w*\}|\.\.(\s|$)", text), text


def problem_of(error: SmartlicError) -> str:
    """The code of an error that the library raised, whose sentence and mend are whole."""
    assert error.code in PROBLEMS
    assert_told(error.sentence, error.mend)
    return error.code


class Lab:
    """A cluster with its VIP as Host Common Name, its command line, and devices in folders of their own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.mock = program("smartlic-mock", stage.cluster)
        self.anchor = stage.ask("certificates")["trust_anchor"].encode()
        self.anchor_file = stage.folder / "anchor.pem"
        self.anchor_file.write_bytes(self.anchor)

    @property
    def vip(self) -> str:
        return self.stage.config.vip.host

    def url(self, path: str = "/Transportgateway/services/DeviceRequestHandler", port: int = 4443) -> str:
        return f"https://{self.vip}:{port}{path}"

    def device(
        self, home: Path, name: str = "annanr-39", *, url: str | None = None, anchor: bytes | None = None
    ) -> Path:
        """A device that has a destination URL and a trust anchor, made in this process."""
        Device.create(home / name, Udi(pid="C9300-24T", sn=serial(home, name)), hostname=name)
        with Device.open(home / name) as device:
            device.set_destination(url or self.url())
            device.trust(anchor or self.anchor)
        return home / name

    def registered(self, home: Path, name: str = "annanr-39") -> Path:
        folder = self.device(home, name)
        with Device.open(folder) as device:
            device.register(IdToken(token(self.stage)))
        return folder

    def instance(self, folder: Path) -> dict[str, Any] | None:
        """The server's product instance of the device in `folder`, by its serial number."""
        udi = str(Device.peek(folder)[0].udi)
        found = [one for one in self.stage.ask("instance.list")["instances"] if one["udi"] == udi]
        assert len(found) <= 1, found
        return found[0] if found else None

    def uses(self, text: str) -> int:
        """How many uses of a token the server has counted."""
        rows = self.stage.ask("token.list")["tokens"]
        return next(int(row["used"]) for row in rows if row["token_id"] == IdToken(text).token_id)

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted(self.stage.cluster.glob("nodes/*/node.log")))


def serial(home: Path, name: str) -> str:
    """A serial number that no other test has: of the test's own folder."""
    return f"FOC{abs(hash((str(home), name))):X}"[:20]


def record_of(folder: Path) -> Record:
    return Device.peek(folder)[0]


def node_pids(cluster: Path) -> list[int]:
    return [json.loads(path.read_text())["pid"] for path in sorted(cluster.glob("nodes/*/node.json"))]


def alive(pid: int) -> bool:
    """Whether a process is there, and no mere entry that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_of(folder: Path) -> list[int]:
    """All processes that have this folder on their command line, but not this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        pid = int(path.parent.name)
        if os.fsencode(folder) in words and pid != os.getpid() and alive(pid):
            found.append(pid)
    return found


class Up:
    """`smartlic-mock up`, running. `status`: what it said when it was up."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, status: dict[str, Any]) -> None:
        self.process = process
        self.folder = folder
        self.status = status

    def ended(self, within: float = 20) -> int:
        """Wait for its end, and give its exit code."""
        return self.process.wait(within)


@contextmanager
def up(folder: Path, *options: str) -> Iterator[Up]:
    """A cluster in `folder`; at the end all of its processes are gone, however the test left them."""
    tool = program("smartlic-mock", folder)
    process = started(
        tool, "up", *options, "--format", "json", stdin=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield Up(process, folder, json.loads(line))
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()
        pids = node_pids(folder)
        until(lambda: not any(map(alive, pids)), "the nodes have ended")


_LIKE_OTHERS = """
import ctypes, os, sys
# Root may write everywhere: drop the capabilities CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH and FOWNER for good.
for capability in range(4):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def like_others(tool: Program, *arguments: str) -> Done:
    """Run a call that is bound to the rights of files, also where the tests run as root."""
    command = [sys.executable, "-c", _LIKE_OTHERS, *tool.command(*arguments)]
    return subprocess.run(
        command, input="", capture_output=True, text=True, env=tool.environment, timeout=60, check=False
    )
