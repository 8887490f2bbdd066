"""What tests of real processes share: addresses of their own, a cluster, and the two programs."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mock_server.demo.stage import Addresses, Stage, raised_cluster

__all__ = ["DNA", "Program", "cluster", "new_addresses", "program", "token"]

DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"

# Each test process has a /24 of loopback for itself, each cluster in it three addresses.
_NEXT = itertools.count(1)


def new_addresses() -> Addresses:
    """Three loopback addresses that nobody else in this test run uses."""
    high, middle = divmod(os.getpid() % 40_000, 200)
    low = 3 * (next(_NEXT) % 80)
    primary, secondary, vip = (f"127.{high + 20}.{middle + 1}.{low + step + 1}" for step in range(3))
    return Addresses(primary, secondary, vip)


@contextmanager
def cluster(folder: Path, *, synchronized: bool = True) -> Iterator[Stage]:
    """A cluster of two real processes; with its VIP as Host Common Name if `synchronized`."""
    with raised_cluster(folder, new_addresses()) as stage:
        if synchronized:
            stage.ask("common-name", name=stage.config.vip.host)
            stage.ask("synchronize")
        yield stage


def token(stage: Stage, **fields: Any) -> str:
    return str(stage.ask("token.create", **fields)["token"])


class Program:
    """`smartlic` or `smartlic-mock` as a process; `run` gives its exit code, output and errors."""

    def __init__(self, module: str, environment: dict[str, str]) -> None:
        self.module = module
        self.environment = {**os.environ, **environment}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", self.module, *arguments]

    def run(self, *arguments: str, stdin: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
            check=False,
        )

    def json(self, *arguments: str, stdin: str = "", code: int = 0) -> dict[str, Any]:
        """Run with `--format json`; the exit code has to be `code`."""
        done = self.run("--format", "json", *arguments, stdin=stdin)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        data: dict[str, Any] = json.loads(done.stdout)
        return data


def program(name: str, folder: Path) -> Program:
    """`smartlic` with its devices in `folder`, or `smartlic-mock` with the cluster in `folder`."""
    if name == "smartlic":
        return Program("smartlic_client.cli", {"SMARTLIC_HOME": str(folder)})
    return Program("mock_server.cli", {"SMARTLIC_MOCK_FOLDER": str(folder)})
