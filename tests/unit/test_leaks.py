"""The net that holds the whole run: what is planted is found, by each worker, and fails the run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from smartlic_client.protocol import signing
from smartlic_client.protocol.identity import IdToken
from tests.leaks import Net

_ROOT = Path(__file__).parents[2]
_PLANTED = """\
import sys

from mock_server.domain import api_clients, users
from smartlic_client.protocol import signing
from smartlic_client.protocol.identity import IdToken


def test_a_token_in_output():
    print(IdToken.make("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 1, b"x" * 32).reveal())


def test_a_key_in_a_log(tmp_path):
    (tmp_path / "node.log").write_text("key: " + signing.dump_key(signing.new_key()))


def test_a_line_of_a_key(tmp_path):
    text = signing.dump_key(signing.new_key())
    (tmp_path / "x.key").write_text(text)
    print(text.splitlines()[2], file=sys.stderr)


def test_a_password_in_a_report(tmp_path):
    users.hashed("correct horse battery", lambda size: b"x" * size, made_here=True)
    (tmp_path / "report.html").write_text("<p>correct horse battery</p>")


def test_an_access_token_in_a_log(tmp_path):
    api_clients._digest("ab" * 32)
    (tmp_path / "node.log").write_text("GET /?token=" + "ab" * 32)


def test_nothing(tmp_path):
    print("regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71", "cd" * 32)
    (tmp_path / "token").write_text("correct horse battery")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_a_run_that_shows_secrets_fails(tmp_path: Path, workers: list[str]) -> None:
    """All five ways are told, and nothing else; every test of that run passes by itself."""
    (tmp_path / "conftest.py").write_text((_ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_planted.py").write_text(_PLANTED)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers, "--basetemp", "made", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, "6 passed" in done.stdout) == (1, True), done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if ": a" in line]
    for where, kind in (
        ("test_a_token_in_output, captured stdout call", "an ID token"),
        ("test_a_key_in_a_log0/node.log", "a private key"),
        ("test_a_line_of_a_key, captured stderr call", "a part of a private key"),
        ("test_a_password_in_a_report0/report.html", "a password"),
        ("test_an_access_token_in_a_log0/node.log", "an access token or a client secret"),
    ):
        assert any(line.endswith(f"{where}: {kind}") for line in told), (where, kind, told)
    assert len(told) == 5, told
    shutil.rmtree(tmp_path)  # else the net of this run catches them, too


def test_what_is_no_secret_is_let_be() -> None:
    """Certificates, ids of tokens, digests, and what is masked."""
    net = Net()
    net.digests.add(hashlib.sha256(b"ab" * 32).hexdigest())
    made = IdToken.make("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 1, b"x" * 32)
    for text in (str(made), made.token_id, "-----BEGIN CERTIFICATE-----\nMIIB" + "A" * 60, "cd" * 32, ""):
        assert list(net.found(text)) == []
    assert list(net.found(f"x={'ab' * 32}")) == ["an access token or a client secret"]
    assert list(net.found(made.reveal())) == ["an ID token"]


def test_bundles_are_looked_into(tmp_path: Path) -> None:
    """A key of a device in a file of a ZIP archive, known from the device's folder."""
    (tmp_path / "x.key").write_text(signing.dump_key(signing.new_key()))
    net = Net()
    net.learn(tmp_path)
    assert net.plain
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as bundle:
        bundle.writestr("device.json", (tmp_path / "x.key").read_text().splitlines()[2])
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert list(net.found(bundle.read("device.json").decode())) == ["a part of a private key"]
    shutil.rmtree(tmp_path)
