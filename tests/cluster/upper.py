"""A cluster under a supervisor in a process of its own, with a toy service."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from mock_server.cluster import client, config
from mock_server.cluster.processes import read_node_file, started
from tests.cluster.harness import own_config

_UP = """
import asyncio, importlib, json, sys
from mock_server.cluster.hosts import Processes
from mock_server.cluster.supervisor import Supervisor
from mock_server.errors import SmartlicError

def on_up(status):
    print(json.dumps({"up": status["active"]}), flush=True)

importlib.import_module(sys.argv[2].partition(":")[0])  # it may bring commands of the console
try:
    supervisor = Supervisor(sys.argv[1], None, Processes(sys.argv[2]))
    asyncio.run(supervisor.serve(on_up))
except SmartlicError as error:
    print(json.dumps({"code": error.code, "sentence": error.sentence}), flush=True)
"""


class Up:
    """A supervisor's process and its folder."""

    def __init__(self, folder: Path, mode: Literal["cluster", "stand-alone"] = "cluster") -> None:
        self.folder = folder
        self.config = config.create(folder, own_config(mode))
        self.started: list[subprocess.Popen[str]] = []

    def up(self, service: str = "tests.cluster.toy:factory") -> dict[str, Any]:
        """Start a supervisor; what it says first."""
        process = subprocess.Popen(
            [sys.executable, "-c", _UP, str(self.folder), service],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.started.append(process)
        assert process.stdout is not None
        said: dict[str, Any] = json.loads(process.stdout.readline())
        process.stdout.close()
        return said

    def nodes(self) -> list[int]:
        """The ids of node processes that still run."""
        layout = config.Layout(self.folder)
        files = [read_node_file(layout.node_json(name)) for name in config.NODES]
        return [file.pid for file in files if file is not None and started(file.pid) == file.started]

    def console(self, node: str, line: str) -> list[str]:
        return list(client.console(self.folder, node, line))

    def wait_for(self, node: str, key: str, value: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while True:
            status = client.call(self.folder, "status")
            if status["nodes"][node][key] == value:
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.02)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.terminate()
            process.wait(30)
