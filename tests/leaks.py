"""Fails a test run in which a secret was seen where it has no place, whatever the tests themselves look for.

Searched are what pytest has captured of each test (output, errors, log) and, at the run's end, what the tests
have left in their temporary folders: logs, reports and bundles of every process. What is a secret is known by

- its form: a private key, and an ID token with its secret half;
- the folders of clusters and devices: their keys, passwords, and digests of access tokens and client secrets,
  which tell such a secret by hashing what looks like one;
- this process: passwords that were hashed, and digests that were asked for.

With several workers each searches its own part, and the controller tells of all. A test that shows a secret
on purpose does so in a file of another kind, or reads what it has captured.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from mock_server.domain import api_clients, users
from mock_server.domain.state import PasswordHash

__all__ = ["Leaks", "Net", "private_lines"]

_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")
_TOKEN = re.compile(r"[A-Za-z0-9+/%=]{80,}")
_INSIDE = re.compile(rb"[0-9a-f-]{36}-\d{13}\|[A-Za-z0-9+/]{40,}")
_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_LINE = re.compile(r"[A-Za-z0-9+/=]{40,}")
_LOOKED_AT = frozenset({".log", ".html", ".xml", ".sarif", ".zip"})


class Net:
    """What is secret, and where a text shows it."""

    def __init__(self) -> None:
        self.plain: set[str] = set()
        """Passwords, and lines of keys."""
        self.digests: set[str] = set()
        """SHA-256 of secrets of 64 hexadecimal digits."""

    def found(self, text: str) -> Iterator[str]:
        """What kinds of secrets a text shows."""
        if _KEY.search(text):
            yield "a private key"
        if any(_is_token(word) for word in _TOKEN.findall(text)):
            yield "an ID token"
        if any(hashlib.sha256(word.encode()).hexdigest() in self.digests for word in _HEX.findall(text)):
            yield "an access token or a client secret"
        if any(line in self.plain for line in _LINE.findall(text)):
            yield "a part of a private key"
        if any(secret in text for secret in self.plain if len(secret) < 40):
            yield "a password"

    def learn(self, folder: Path) -> None:
        """The secrets of every cluster and device below a folder."""
        for path in _files(folder):
            try:
                self._learn(path)
            except (OSError, ValueError, LookupError, TypeError, AttributeError, sqlite3.Error):
                continue  # damaged on purpose, or gone meanwhile

    def _learn(self, path: Path) -> None:
        if path.suffix == ".key":
            self._key(path.read_text())
        elif path.name == "admin-password":
            self.plain.add(path.read_text().strip())
        elif path.name == "device.json":
            record = json.loads(path.read_bytes())["record"]
            for pem in ((record.get("identity") or {}).get("key"), record.get("new_key")):
                self._key(pem or "")
        elif path.name == "journal.sqlite":
            self._journal(path)

    def _key(self, pem: str) -> None:
        self.plain.update(private_lines(pem))

    def _journal(self, path: Path) -> None:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            for (pem,) in database.execute("SELECT pem FROM key_store"):
                self._key(bytes(pem).decode(errors="replace"))
            query = "SELECT key, body FROM aggregate WHERE kind IN ('access_token', 'api_client')"
            for key, body in database.execute(query):
                self.digests.update(_HEX.findall(f"{key} {bytes(body).decode('latin-1')}"))
        finally:
            database.close()


def private_lines(pem: str) -> list[str]:
    """The lines of a private key (PKCS#8) that nobody may see.

    The first says what kind it is, and others are of the public key, which certificates show. Of an elliptic
    curve it is the second, of RSA the later half.
    """
    lines = re.findall(r"^[A-Za-z0-9+/=]{20,}$", pem, re.MULTILINE)
    return lines[1:2] if len(lines) < 5 else lines[len(lines) // 2 :]


def _is_token(word: str) -> bool:
    """Base64 of an ID token's inside, with its secret half; it may be percent-encoded."""
    plain = unquote(word).strip("=")
    try:
        return _INSIDE.search(base64.b64decode(plain + "=" * (-len(plain) % 4))) is not None
    except (ValueError, binascii.Error):
        return False


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def _texts(path: Path) -> Iterator[str]:
    if path.suffix == ".zip":
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as bundle:
                for name in bundle.namelist():
                    yield bundle.read(name).decode("utf-8", "replace")
    else:
        yield path.read_text(errors="replace")


class Leaks:
    """The plugin."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.net = Net()
        self._heard: list[tuple[str, str]] = []
        self._told: list[str] = []
        self._watch()

    def _watch(self) -> None:
        """What is hashed in this process is a secret of somebody's."""
        digest, hashed = api_clients._digest, users.hashed

        def digested(text: str) -> str:
            made = digest(text)
            if _HEX.fullmatch(text):
                self.net.digests.add(made)
            return made

        def watched(password: str, *arguments: Any, **options: Any) -> PasswordHash:
            if len(password) >= 12:
                self.net.plain.add(password)
            return hashed(password, *arguments, **options)

        vars(api_clients)["_digest"] = digested
        vars(users)["hashed"] = watched

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(self._config, "workerinput") and self._config.pluginmanager.hasplugin("dsession"):
            return  # the worker that ran it looks
        for title, text in report.sections:
            if text:
                self._heard.append((f"{report.nodeid}, {title.lower()}", text))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        factory = getattr(self._config, "_tmp_path_factory", None)
        folder = getattr(factory, "_basetemp", None)
        if folder is not None:
            self.net.learn(folder)
            self._told += self._in_files(folder)
        for where, text in self._heard:
            self._told += [f"{where}: {kind}" for kind in self.net.found(text)]
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["leaks"] = self._told
        elif self._told:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _in_files(self, folder: Path) -> Iterable[str]:
        for path in _files(folder):
            if path.suffix in _LOOKED_AT:
                for text in _texts(path):
                    yield from (f"{path}: {kind}" for kind in self.net.found(text))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._told += getattr(node, "workeroutput", {}).get("leaks", [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._told:
            terminalreporter.section("secrets were shown")
            for line in dict.fromkeys(self._told):
                terminalreporter.write_line(line)
