"""What each release has written on disks is read by this one; what a newer one will have written is refused.

The fixtures are made by release/formats.py, one a release. Their keys and passwords were made for them.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from release.formats import FIXTURES
from tests.cli.harness import assert_error, inside, up
from tests.support import DNA, new_addresses

pytestmark = pytest.mark.real

VERSIONS = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir())


def unpacked(version: str, folder: Path) -> dict[str, Any]:
    """The state of a release at addresses of this run; what its cluster told of itself."""
    with tarfile.open(FIXTURES / version / "state.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    path = folder / "cluster" / "cluster.json"
    made, where = json.loads(path.read_bytes()), new_addresses()
    made["nodes"]["primary"]["host"], made["nodes"]["secondary"]["host"] = where.primary, where.secondary
    made["vip"]["host"] = where.vip
    path.write_text(json.dumps(made))
    expected: dict[str, Any] = json.loads((FIXTURES / version / "expected.json").read_text())
    assert expected["version"] == version
    return expected


def same(then: Any, now: Any) -> bool:
    """All that was told then is told now; later releases tell more."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and same(then[key], now[key]) for key in then)
    if isinstance(then, list):
        return len(then) == len(now) and all(map(same, then, now))
    return bool(then == now)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_release_wrote_is_read(version: str, tmp_path: Path) -> None:
    """A cluster's folder, devices and a fleet: all is as it was, and everybody goes on with it."""
    expected = unpacked(version, tmp_path)
    mock = inside("smartlic-mock", tmp_path / "cluster")
    devices = inside("smartlic", tmp_path / "devices")
    with up(tmp_path / "cluster") as cluster:
        assert set(cluster.status["status"]["nodes"]["primary"]["in_sync"]) == {"primary", "secondary"}
        for what in ("instances", "licenses", "accounts"):
            assert same(expected[what], mock.json(what)[what]), what
        vip = cluster.status["status"]["nodes"]["primary"]["vip"]["host"]
        mock.json("host-common-name", vip)
        mock.json("sync")
        token = mock.json("token", "create")["token"]
        (tmp_path / "token").write_text(token)
        url = f"https://{vip}:4443/Transportgateway/services/DeviceRequestHandler"
        names = {found["name"]: found["product_instance_identifier"] for found in expected["instances"]}
        device = ["--device", "annanr-39"]
        shown = devices.json(*device, "show", "status")
        assert names["annanr-39"] in json.dumps(shown)
        assert "UNREGISTERED" in devices.run("--device", "gone-40", "show", "status").stdout
        devices.json(*device, "transport", url)
        devices.json(*device, "request", DNA, "6")
        if (tmp_path / "fleet.csv.fleet").exists():
            options = ["--server", url, "--ca", str(tmp_path / "anchor.pem"), "--once"]
            devices.json("fleet", str(tmp_path / "fleet.csv"), *options)
        found = mock.json("instances")["instances"]
        assert {one["name"]: one["product_instance_identifier"] for one in found} == names
        assert sum(license["in_use"] for license in mock.json("licenses")["licenses"]) == 6


def _json(field: str) -> Callable[[Path], None]:
    def newer(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_bytes()), field: 99}))

    return newer


def _sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'format'")


@pytest.mark.parametrize(
    ("file", "newer", "call", "code"),
    [
        ("devices/annanr-39/device.json", _json("version"), "device", "store-version"),
        ("fleet.csv.fleet", _sqlite, "fleet", "fleet-version"),
        ("cluster/cluster.json", _json("format"), "up", "folder-version"),
        ("cluster/nodes/primary/journal.sqlite", _sqlite, "problems", "folder-version"),
        ("cluster/cssm/state.json", _json("format"), "problems", "cssm-store-newer"),
    ],
)
def test_a_newer_format_is_refused(
    file: str, newer: Callable[[Path], None], call: str, code: str, tmp_path: Path
) -> None:
    """With the file, both formats, and what to do; the file stays as it is."""
    unpacked(VERSIONS[-1], tmp_path)
    path = tmp_path / file
    newer(path)
    before = path.read_bytes()
    mock = inside("smartlic-mock", tmp_path / "cluster")
    devices = inside("smartlic", tmp_path / "devices")
    if call == "device":
        error = assert_error(
            devices.run("--device", "annanr-39", "show", "status", "--format", "json"), code, 1
        )
    elif call == "fleet":
        options = ["--server", "https://127.0.0.1/", "--ca", str(tmp_path / "anchor.pem"), "--once"]
        error = assert_error(
            devices.run("fleet", f"{tmp_path}/fleet.csv", *options, "--format", "json"), code, 1
        )
    elif call == "up":
        error = assert_error(mock.run("up", "--format", "json"), code, 1)
    else:
        with up(tmp_path / "cluster") as cluster:
            (error,) = cluster.status["problems"]
    assert error["code"] == code
    assert "99" in error["sentence"]
    assert str(path) in error["sentence"]
    assert path.read_bytes() == before
