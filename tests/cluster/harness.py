"""Two node processes of a cluster under test. Only processes that were started here are ever signalled."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from mock_server.cluster import client, config
from mock_server.cluster.config import Address, ClusterConfig, NodeAddress, NodeAddresses
from mock_server.errors import SmartlicError

_REPO = Path(__file__).parents[2]
_numbers = itertools.count(1)


def free_ports(host: str, count: int) -> list[int]:
    """Ports that nobody listens on at an address of our own."""
    sockets = []
    for _ in range(count):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, 0))
        sockets.append(sock)
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def own_config(mode: Literal["cluster", "stand-alone"] = "cluster") -> ClusterConfig:
    """Addresses in 127.77.0.0/16 that no other test uses."""
    net = f"127.77.{os.getpid() % 250 + 1}"
    first = next(_numbers) * 3 % 240
    hosts = [f"{net}.{first + offset}" for offset in range(3)]
    device, gui, peer = free_ports(hosts[0], 3)
    return ClusterConfig(
        config.FORMAT,
        os.urandom(8).hex(),
        NodeAddresses(NodeAddress(hosts[0], device, gui, peer), NodeAddress(hosts[1], device, gui, peer)),
        Address(hosts[2], device, gui),
        mode,
    )


class Nodes:
    """The cluster: `start`, signals, control operations, HTTP by the VIP."""

    def __init__(
        self, folder: Path, service: str = "tests.cluster.toy:factory", made: ClusterConfig | None = None
    ) -> None:
        self.folder = folder
        self.service = service
        self.config = config.create(folder, made or own_config())
        self.layout = config.Layout(folder)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.paths: dict[str, str] = {}
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *, stopped: bool = False, service: str | None = None) -> None:
        """Start a node's process, and wait for its control socket."""
        command = [sys.executable, "-m", "mock_server.cluster.main", "--folder", str(self.folder)]
        command += ["--node", name, "--service", service or self.service, "--log-level", "DEBUG"]
        process = subprocess.Popen(command + ["--stopped"] * stopped, stdout=subprocess.PIPE, cwd=_REPO)
        self.processes[name] = process
        self.started.append(process)
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        process.stdout.close()
        assert "error" not in said, said
        self.paths[name] = said["control"]

    def both(self) -> None:
        """Start both and wait until they are in sync."""
        self.start("primary")
        self.start("secondary")
        self.wait("primary", "active")
        self.wait("secondary", "standby")

    def op(self, name: str, op: str, /, **fields: Any) -> dict[str, Any]:
        """A control operation of a node."""
        result: dict[str, Any] = {}
        for answer in client.request(self.paths[name], {"op": op, **fields}):
            result = answer.get("result", result)
        return result

    def console(self, name: str, line: str) -> list[str]:
        """The lines of a console command."""
        return [
            answer["line"]
            for answer in client.request(self.paths[name], {"op": "console", "line": line})
            if "line" in answer
        ]

    def talk(self, name: str, line: str, *answers: str) -> tuple[list[str], str]:
        """The lines of a console command whose questions get these answers, and its outcome."""
        left = list(answers)
        lines: list[str] = []
        outcome = ""
        answers_ = client.request(self.paths[name], {"op": "console", "line": line})
        said: str | None = None
        while True:
            try:
                answer = answers_.send(said)
            except StopIteration:
                assert not left, f"nobody asked for {left}"
                return lines, outcome
            said = None
            if "ask" in answer:
                lines.append(answer["ask"])
                said = left.pop(0) if left else ""
            elif "line" in answer:
                lines.append(answer["line"])
            outcome = answer.get("result", {}).get("outcome", outcome)

    def refusal(self, name: str, line: str, *answers: str) -> str:
        """The code of the error with which a console command ends."""
        try:
            said = self.talk(name, line, *answers)
        except SmartlicError as error:
            return error.code
        raise AssertionError(said)

    def status(self, name: str) -> dict[str, Any]:
        return self.op(name, "status")

    def wait(self, name: str, *states: str, seconds: float = 10.0) -> dict[str, Any]:
        """Wait until a node is in one of these states."""
        return self.wait_for(name, lambda status: status["state"] in states, seconds)

    def wait_for(self, name: str, condition: Any, seconds: float = 10.0) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            status = self.status(name)
            if condition(status):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.01)

    def signal(self, name: str, number: int) -> None:
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(name, signal.SIGKILL)
        self.processes[name].wait(10)

    def terminate(self, name: str) -> None:
        self.signal(name, signal.SIGTERM)
        self.processes[name].wait(20)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)

    def log(self, name: str) -> str:
        return self.layout.log(name).read_text()

    def record(self) -> dict[str, Any]:
        numbers = [int(path.stem) for path in self.layout.witness.glob("*.json")]
        found: dict[str, Any] = json.loads((self.layout.witness / f"{max(numbers)}.json").read_bytes())
        return found

    # --- HTTP

    def get(
        self, path: str, host: str | None = None, seconds: float = 5.0, port: int | None = None
    ) -> tuple[int, Any]:
        """One request to the device port, of the VIP if nothing else is said."""
        connection = http.client.HTTPConnection(
            host or self.config.vip.host, port or self.config.vip.device_port, timeout=seconds
        )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def add(self, write: str, counter: str = "c") -> tuple[int, Any]:
        return self.get(f"/add?id={write}&counter={counter}")

    def listens(self, host: str, port: int | None = None) -> bool:
        """Whether somebody accepts connections there."""
        try:
            socket.create_connection((host, port or self.config.vip.device_port), timeout=1).close()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def nodes(
    folder: Path, service: str = "tests.cluster.toy:factory", own: ClusterConfig | None = None
) -> Iterator[Nodes]:
    made = Nodes(folder, service, own)
    try:
        yield made
    finally:
        made.close()
