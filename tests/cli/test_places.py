"""Folders in odd places: names with blanks, moved, read-only, on a disk that is or becomes full."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.harness import (
    Done,
    assert_error,
    inside,
    like_others,
    processes_of,
    until,
    up,
)
from tests.support import new_addresses, program

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", ["two words", " ", "-x", "für Zürich", "a'b\"c$d;e", "new\nline"])
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    """Blanks, quotes, a leading dash, letters of other languages: a name is a name."""
    folder = tmp_path / name
    mock = inside("smartlic-mock", folder)
    with up(folder, *new_addresses().options()) as cluster:
        assert cluster.status["folder"] == str(folder)
        assert mock.json("console", "primary", "ha_status")["ok"]
        assert mock.run("console", "secondary", "ha_cluster_stop").returncode == 0
        assert mock.run("console", "secondary", "ha_cluster_start").returncode == 0
        assert mock.run("down").returncode == 0


def test_a_folder_that_was_moved(tmp_path: Path) -> None:
    """Moved while it was down, it is the same cluster elsewhere; the old place is none any more."""
    old, new = tmp_path / "old", tmp_path / "elsewhere" / "new"
    with up(old, *new_addresses().options()):
        before = inside("smartlic-mock", old).json("token", "create", "--uses", "3")
    new.parent.mkdir()
    old.rename(new)
    assert_error(inside("smartlic-mock", old).run("status"), "not-running", 1)
    with up(new):
        tokens = inside("smartlic-mock", new).json("token", "list")["tokens"]
        assert [one["token_id"] for one in tokens] == [before["token_id"]]


def test_a_copy_is_not_up_beside_the_original(tmp_path: Path) -> None:
    """A copy has the same addresses: told which is held, and the original is not disturbed."""
    with up(tmp_path / "c", *new_addresses().options()):
        pass
    shutil.copytree(tmp_path / "c", tmp_path / "copy")
    with up(tmp_path / "c"):
        assert_error(program("smartlic-mock", tmp_path / "copy").run("up"), "vip-in-use", 75)
        assert inside("smartlic-mock", tmp_path / "c").json("status")["active"] == "primary"


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """Above it or itself without the right to write: `folder-unusable` names it, and nothing is left."""
    options = new_addresses().options()
    above = tmp_path / "above"
    above.mkdir(mode=0o500)
    mock = program("smartlic-mock", above / "c")
    error = assert_error(like_others(mock, "up", *options), "folder-unusable", 1)
    assert str(above / "c") in error["sentence"]
    assert list(above.iterdir()) == []
    folder = tmp_path / "c"
    with up(folder, *options):
        pass
    folder.chmod(0o500)
    try:
        assert_error(like_others(program("smartlic-mock", folder), "up"), "folder-unusable", 1)
    finally:
        folder.chmod(0o700)
    assert processes_of(folder) == []


# ---- file systems of their own ----------------------------------------------------------------------------
class Mounted:
    """A cluster in a small file system of its own; `folder` is the way to it from here."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.mock = inside("smartlic-mock", folder)


_FOLDER = "/mnt"
_NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]


@contextmanager
def mounted(option: str) -> Iterator[Mounted]:
    """`up` in a tmpfs with this option."""
    script = f'mount -t tmpfs -o {option} tmpfs {_FOLDER} && exec "$@"'
    mock = program("smartlic-mock", Path(_FOLDER) / "c")
    can = subprocess.run([*_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", _FOLDER], check=False)
    if can.returncode:
        pytest.skip("this user may not mount a file system of its own")
    options = new_addresses().options()
    process = subprocess.Popen(
        [*_NAMESPACE, "sh", "-c", script, "-", *mock.command("up", *options, "--format", "json")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=mock.environment,
    )
    try:
        yield Mounted(process, Path(f"/proc/{process.pid}/root{_FOLDER}/c"))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def said(cluster: Mounted) -> dict[str, object]:
    assert cluster.process.stdout is not None
    found: dict[str, object] = json.loads(cluster.process.stdout.readline())
    return found


def test_a_disk_that_becomes_full() -> None:
    """Refused with a reason, nothing acknowledged is lost, and with room again it goes on by itself."""
    with mounted("size=12m") as cluster:
        assert said(cluster)["ok"] is True
        kept = cluster.mock.json("token", "create")["token_id"]
        filler = cluster.folder.parent / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
            while True:
                file.write(b"x" * 4096)
        refused = _until_refused(cluster, made := [kept])
        assert "full" in assert_error(refused, "flush-failed", 2)["sentence"]
        assert cluster.mock.json("status")["active"] is not None
        filler.unlink()
        until(lambda: cluster.mock.run("token", "create").returncode == 0, "it goes on", 30)
        listed = {one["token_id"] for one in cluster.mock.json("token", "list")["tokens"]}
        assert set(made) <= listed


def _until_refused(cluster: Mounted, made: list[str]) -> Done:
    """Make tokens until it does not; what it says then. `made` gets those that it acknowledged."""
    for _ in range(200):
        done = cluster.mock.run("token", "create", "--format", "json")
        if done.returncode:
            return done
        made.append(json.loads(done.stdout)["token_id"])
    raise AssertionError("the disk does not fill")


@pytest.mark.parametrize(
    ("option", "codes"),
    [
        ("ro", {"folder-unusable"}),
        ("size=16k", {"folder-unusable"}),
        ("size=40k", {"journal-not-writable"}),
        ("size=80k", {"journal-not-writable"}),
    ],
)
def test_a_disk_without_room_at_the_start(option: str, codes: set[str]) -> None:
    """No room for the folder, for a journal, for the first change: told at once, and no process is left."""
    with mounted(option) as cluster:
        begun = time.monotonic()
        out, err = cluster.process.communicate(timeout=60)
        assert time.monotonic() - begun < 15
        done = Done([], cluster.process.returncode, out, err)
        code = json.loads(out)["error"]["code"]
        assert code in codes
        assert_error(done, code, 1 if code == "folder-unusable" else 2)
