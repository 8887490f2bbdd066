"""A device's state on disk: whole after every crash, private, locked, and never silently lost."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartlic_client.errors import BusyError, CallerError
from smartlic_client.folders import DEFAULT_SOFTWARE_ID, DeviceFolder
from smartlic_client.protocol.identity import Udi
from smartlic_client.store import Store, default_root, device_folder, list_devices

OLD = {"sequence": 1}
NEW = {"sequence": 2, "key": "x" * 5000}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "devices" / "edge 1")


def save(store: Store, state: dict[str, Any]) -> None:
    with store.locked(timeout=5):
        store.save(state)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(CallerError) as caught:
        call()
    return caught.value.code


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def run(script: str, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
    """A child process that runs `script`; it is told things on stdin and tells on stdout."""
    prologue = "import sys\nfrom pathlib import Path\nfrom smartlic_client.store import Store\n"
    return subprocess.Popen(
        [sys.executable, "-c", prologue + textwrap.dedent(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **settings,
    )


def test_nothing_saved_is_none_and_makes_nothing(store: Store) -> None:
    """Looking for a state leaves no trace on the disk."""
    assert store.load() is None
    assert not store.folder.exists()


def test_the_file_has_its_format_and_version(store: Store) -> None:
    """The state is wrapped, so that another release can tell what it reads."""
    save(store, OLD)
    assert json.loads(store.path.read_bytes()) == {"format": "smartlic-device", "version": 1, "state": OLD}
    assert store.load() == OLD


@given(st.dictionaries(st.text(), JSON, max_size=5))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_loaded(tmp_path: Path, state: dict[str, Any]) -> None:
    """Any JSON object comes back as it was."""
    store = Store(tmp_path / "device")
    save(store, state)
    assert store.load() == state


def test_a_state_is_saved_under_the_lock_only(store: Store) -> None:
    """Saving without the lock is a mistake of the program, and not one that a user can mend."""
    with pytest.raises(RuntimeError):
        store.save(OLD)


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
def test_folder_and_file_are_private_whatever_the_umask(store: Store, mask: int) -> None:
    """0700 and 0600, also for the folders above that were made, and nothing is left beside them."""
    before = os.umask(mask)
    try:
        save(store, OLD)
    finally:
        os.umask(before)
    assert mode(store.folder) == mode(store.folder.parent) == 0o700
    assert mode(store.path) == 0o600
    assert store.load() == OLD
    assert sorted(path.name for path in store.folder.iterdir()) == ["device.json", "device.lock"]
    assert mode(store.folder / "device.lock") & 0o077 == 0


def test_too_open_rights_are_tightened(store: Store) -> None:
    """A folder and a file that became readable by others are private again after the next use."""
    save(store, OLD)
    store.path.chmod(0o644)
    store.folder.chmod(0o755)
    assert store.load() == OLD
    assert mode(store.path) == 0o600
    with store.locked():
        assert mode(store.folder) == 0o700


def test_another_users_open_folder_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs to somebody else can't be made private, so nothing is stored there."""
    store.folder.mkdir(parents=True)
    store.folder.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert code(lambda: save(store, OLD)) == "store-not-private"


@pytest.mark.parametrize("place", ["folder", "path"])
@pytest.mark.parametrize("kind", ["link", "other", "pipe"])
def test_links_and_wrong_kinds_are_refused(store: Store, tmp_path: Path, place: str, kind: str) -> None:
    """A link, a file for a folder, a folder for a file, or a pipe: each is named, none is followed."""
    at: Path = getattr(store, place)
    at.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = tmp_path / "elsewhere"
    target.mkdir()
    if kind == "link":
        at.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(at)
    elif place == "folder":
        at.write_bytes(b"")
    else:
        at.mkdir()
    assert code(store.load) == "store-wrong-kind"
    assert code(lambda: save(store, OLD)) == "store-wrong-kind"
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"format": "smartlic-device", "version": 1}',
        b'{"format": "smartlic-device", "version": 1, "state": []}',
        b'{"format": "smartlic-device", "version": 0, "state": {}}',
        b'{"format": "smartlic-device", "version": true, "state": {}}',
        b'{"format": "something", "version": 1, "state": {}}',
        b'{"format": "smartlic-device", "version": 1, "state": {"a": ' + b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_set_aside(store: Store, content: bytes) -> None:
    """It is kept under a name of its own, the error tells that name, and the device starts empty."""
    save(store, OLD)
    for number in (1, 2):
        store.path.write_bytes(content)
        with pytest.raises(CallerError) as caught:
            store.load()
        assert caught.value.code == "store-damaged"
        aside = store.path.with_name(f"device.json.damaged-{number}")
        assert caught.value.context["aside"] == str(aside)
        assert aside.read_bytes() == content
        assert store.load() is None
    save(store, NEW)
    assert store.load() == NEW


def test_a_file_cut_short_at_every_byte_is_set_aside(tmp_path: Path) -> None:
    """A real device's file: no beginning of it is a device, and each is kept; the whole one is it."""
    DeviceFolder.create(tmp_path / "x", Udi(pid="P", sn="1"), DEFAULT_SOFTWARE_ID, "annanr-39")
    store = Store(tmp_path / "x")
    record, _ = DeviceFolder.peek(store.folder)
    content = store.path.read_bytes()
    for end in range(len(content.rstrip())):
        store.path.write_bytes(content[:end])
        with pytest.raises(CallerError) as caught:
            DeviceFolder.peek(store.folder)
        assert caught.value.code == "store-damaged"
        aside = Path(caught.value.context["aside"])
        assert aside.stat().st_size == end
        aside.unlink()
    store.path.write_bytes(content)
    assert DeviceFolder.peek(store.folder)[0] == record


def test_a_save_that_was_cut_off_at_every_byte_leaves_the_former_state(store: Store) -> None:
    """A half of the next state lies beside the file, of any length: it is passed over and written anew."""
    save(store, NEW)
    half = store.path.read_bytes()
    save(store, OLD)
    beside = store.path.with_name("device.json.new")
    for end in range(len(half) + 1):
        beside.write_bytes(half[:end])
        assert store.load() == OLD
    save(store, NEW)
    assert store.load() == NEW
    assert not beside.exists()


def test_a_newer_version_is_left_alone(store: Store) -> None:
    """A file of a later release is neither read nor set aside, whatever else is in it."""
    save(store, OLD)
    content = b'{"format": "smartlic-device", "version": 2, "states": 7}'
    store.path.write_bytes(content)
    assert code(store.load) == "store-version"
    assert store.path.read_bytes() == content


STEPS = ["open", "fchmod", "fsync", "replace", "folder fsync"]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, OSError], None]]:
    """Makes one step of a save fail with an error of the operating system."""

    def fail_at(step: str, error: OSError) -> None:
        name = step.removeprefix("folder ")
        real = getattr(os, name)

        def stand_in(*arguments: Any, **more: Any) -> Any:
            of_folder = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            if of_folder is step.startswith("folder ") and (name != "open" or ".new" in str(arguments[0])):
                raise error
            return real(*arguments, **more)

        monkeypatch.setattr(os, name, stand_in)

    yield fail_at
    monkeypatch.undo()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_what_the_system_refuses_leaves_a_whole_state(
    store: Store, failing: Callable[[str, OSError], None], step: str, number: int
) -> None:
    """The error tells the system's reason, no temporary file stays, and the old state is loaded after it."""
    save(store, OLD)
    with store.locked():
        failing(step, OSError(number, os.strerror(number)))
        with pytest.raises(CallerError) as caught:
            store.save(NEW)
    assert caught.value.code == "store-unwritable"
    assert os.strerror(number) in caught.value.sentence
    assert store.load() == (NEW if step == "folder fsync" else OLD)
    assert not store.path.with_name("device.json.new").exists()


def test_a_disk_without_room_for_the_new_state(store: Store) -> None:
    """A real limit of the system, met in the middle of the writing, leaves the old state."""
    save(store, OLD)
    script = """
        import resource, signal
        from smartlic_client.errors import CallerError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = Store(Path(sys.argv[1]))
        with store.locked():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            try:
                store.save({"key": "x" * 100_000})
            except CallerError as error:
                print(error.code, error.context["reason"])
    """
    said, _ = run(script, str(store.folder)).communicate(timeout=20)
    assert said.strip() == f"store-unwritable {os.strerror(errno.EFBIG)}"
    assert store.load() == OLD
    assert not store.path.with_name("device.json.new").exists()


def test_the_new_file_reaches_the_disk_before_it_takes_the_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, then name, then folder: in any other order a lost power line could leave neither state."""
    save(store, OLD)
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        steps.append("folder" if stat.S_ISDIR(found.st_mode) else f"file of {found.st_size} bytes")
        real_fsync(descriptor)

    def replace(source: Path, target: Path) -> None:
        steps.append("name")
        real_replace(source, target)

    with store.locked():
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        store.save(NEW)
    assert steps == [f"file of {store.path.stat().st_size} bytes", "name", "folder"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_in_a_save_leaves_a_whole_state(store: Store, step: str, after: bool) -> None:
    """Before and after each step, kill -9 leaves the old state or the new one, and the next save works."""
    save(store, OLD)
    script = """
        import os, signal, stat
        step, after = sys.argv[2], sys.argv[3] == "True"
        name = step.removeprefix("folder ")
        real = getattr(os, name)

        def deadly(*arguments, **more):
            of_folder = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            hit = of_folder is step.startswith("folder ") and (name != "open" or ".new" in str(arguments[0]))
            if hit and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = real(*arguments, **more)
            if hit:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        store = Store(Path(sys.argv[1]))
        with store.locked():
            setattr(os, name, deadly)
            store.save({"sequence": 2, "key": "x" * 5000})
    """
    child = run(script, str(store.folder), step, str(after))
    child.communicate(timeout=20)
    assert child.returncode == -signal.SIGKILL
    replaced = step == "folder fsync" or (step == "replace" and after)
    assert store.load() == (NEW if replaced else OLD)
    save(store, {"sequence": 3})
    assert store.load() == {"sequence": 3}


def test_a_busy_store_names_its_holder_and_is_free_after_kill_9(store: Store) -> None:
    """The one who waits learns pid, command and since; when that process dies, the lock is free."""
    script = """
        with Store(Path(sys.argv[1])).locked():
            print("held", flush=True)
            sys.stdin.read()
    """
    child = run(script, str(store.folder), "--token=secret")
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(BusyError) as caught, store.locked(timeout=0.1):
            pass
        assert caught.value.code == "store-busy"
        assert caught.value.exit_code == 75
        assert caught.value.context["pid"] == child.pid
        assert caught.value.context["command"] == "-c"
        assert caught.value.context["since"].startswith("20")
        assert "secret" not in str(caught.value.as_dict())
        assert store.load() is None
    finally:
        child.kill()
        child.communicate(timeout=20)
    save(store, OLD)
    assert store.load() == OLD


def test_threads_wait_for_each_other(store: Store) -> None:
    """Two objects for one folder exclude each other inside one process, and none of many changes is lost."""
    save(store, {"sequence": 0})

    def count() -> None:
        mine = Store(store.folder)
        for _ in range(5):
            with mine.locked(timeout=20):
                state = mine.load()
                assert state is not None
                mine.save({"sequence": state["sequence"] + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load() == {"sequence": 20}


def test_the_lock_is_free_after_an_error_and_may_be_nested(store: Store) -> None:
    """An exception inside lets go, and taking the lock inside itself does nothing."""
    with pytest.raises(KeyError), store.locked():
        with store.locked(timeout=0):
            store.save(OLD)
        store.save(NEW)
        raise KeyError
    with Store(store.folder).locked(timeout=0):
        assert store.load() == NEW


def test_devices_have_folders_by_their_names(tmp_path: Path) -> None:
    """Those with a state are listed; links, files and empty folders are not devices."""
    assert list_devices(tmp_path / "missing") == []
    for name in ("edge 2", "PID:C9300-24T,SN:FOC1", "größer"):
        save(Store(device_folder(tmp_path, name)), OLD)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "edge 2")
    assert list_devices(tmp_path) == ["PID:C9300-24T,SN:FOC1", "edge 2", "größer"]
    assert code(lambda: list_devices(tmp_path / "file")) == "store-unreadable"


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", ".hidden", "a/b", "/etc", "..\\a", "a\0", "a\n", "a\u202eb", "x" * 256, "\udc80"],
)
def test_names_that_leave_the_root_are_refused(tmp_path: Path, name: str) -> None:
    """No name of a device reaches another folder or can't be shown."""
    assert code(lambda: device_folder(tmp_path, name)) == "bad-device-name"


@settings(deadline=None)
@given(st.text())
def test_a_device_folder_is_always_right_below_the_root(name: str) -> None:
    """Whatever the name, its folder's parent is the root, or the name is refused."""
    try:
        folder = device_folder(Path("/root"), name)
    except CallerError as error:
        assert error.code == "bad-device-name"
    else:
        assert folder.parent == Path("/root")
        assert folder.name == name


def test_the_root_is_the_platforms_or_the_environments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SMARTLIC_HOME goes first, and an empty one counts for nothing."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("SMARTLIC_HOME", "")
    assert default_root().name == "smartlic"
    monkeypatch.setenv("SMARTLIC_HOME", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
