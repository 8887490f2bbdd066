"""What the figures were measured on: they mean little without it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import ssl
from pathlib import Path

import msgspec
from cryptography.hazmat.backends.openssl import backend

__all__ = ["Machine", "described"]

_PACKAGES = ("cryptography", "uvloop", "httptools", "uvicorn", "starlette", "aiohttp", "msgspec", "lxml")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`load`: of 1, 5 and 15 minutes, when the run began; `usable`: cores that this process may use."""

    processor: str
    cores: int
    usable: int
    memory_mib: int
    kernel: str
    python: str
    openssl: dict[str, str]
    sqlite: str
    packages: dict[str, str]
    load: tuple[float, float, float]

    def lines(self) -> list[tuple[str, str]]:
        """What it is, for people: a word and a text."""
        usable = "" if self.usable == self.cores else f", {self.usable} of them for this run"
        shown = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        return [
            ("Processor", f"{self.processor}, {self.cores} cores{usable}"),
            ("Memory", f"{self.memory_mib / 1024:.1f} GiB"),
            ("System", self.kernel),
            ("Python", f"{self.python}; {shown}"),
            ("OpenSSL", "; ".join(f"{version} ({name})" for name, version in self.openssl.items())),
            ("SQLite", self.sqlite),
            ("Load at the start", ", ".join(f"{one:.2f}" for one in self.load)),
        ]


def described() -> Machine:
    found = {name: _version(name) for name in _PACKAGES}
    return Machine(
        processor=_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        usable=len(os.sched_getaffinity(0)),
        memory_mib=int((_field(Path("/proc/meminfo"), "MemTotal") or "0").split()[0]) // 1024,
        kernel=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        openssl={"Python's": ssl.OPENSSL_VERSION, "cryptography's": backend.openssl_version_text()},
        sqlite=sqlite3.sqlite_version,
        packages={name: version for name, version in found.items() if version},
        load=os.getloadavg(),
    )


def _field(path: Path, wanted: str) -> str:
    """The first value of this name in a file of the kernel's; empty where there is none."""
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == wanted:
            return value.strip()
    return ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
