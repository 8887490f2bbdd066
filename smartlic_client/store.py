"""A device's state on disk: one folder per device, locked, atomic, private.

    <root>/<name>/device.json            the state, whole at every moment
    <root>/<name>/device.lock            locked by the kernel: a process that dies lets go
    <root>/<name>/device.lock.holder     who holds the lock, for the message of the one who waits
    <root>/<name>/device.json.damaged-1  a file that could not be read, set aside and never overwritten

A save writes a new file next to the old one, brings it to the disk, and only then takes its name; so a crash,
a full disk or a lost power line leaves the old state or the new one, and never a part of one. What the state
means is the agent's business: here it is a JSON object.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from smartlic_client.errors import BusyError, CallerError, SmartlicError, problem

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["Store", "default_root", "device_folder", "list_devices"]

FORMAT = "smartlic-device"
VERSION = 1

store_busy = problem(
    "store-busy",
    BusyError,
    "The device in {folder} is in use by {command} (process {pid}, since {since}).",
    "Wait until that process is done, or end it.",
)
store_damaged = problem(
    "store-damaged",
    CallerError,
    "The state in {path} was no device's state: {reason}. It was set aside as {aside}.",
    "Put a copy of a good state in its place, or register the device anew.",
)
store_version = problem(
    "store-version",
    CallerError,
    "The state in {path} has version {version}, and this release reads up to version {newest}.",
    "Use the newer release that wrote it.",
)
store_unwritable = problem(
    "store-unwritable",
    CallerError,
    "{path} cannot be written: {reason}. What was saved before is whole.",
    "Make room on the disk, or give this user the right to write there; SMARTLIC_HOME names another place.",
)
store_unreadable = problem(
    "store-unreadable",
    CallerError,
    "{path} cannot be read: {reason}.",
    "Give this user the right to read it.",
)
store_not_private = problem(
    "store-not-private",
    CallerError,
    "{path} belongs to another user (uid {owner}) and is open to more users than its owner (mode {mode}).",
    "Take a folder of this user's own; the state holds the device's private key.",
)
store_wrong_kind = problem(
    "store-wrong-kind",
    CallerError,
    "{path} is {found}, and {expected} is needed there.",
    "Move it away, or choose another folder with SMARTLIC_HOME.",
)
bad_device_name = problem(
    "bad-device-name",
    CallerError,
    "{name!r} cannot be the name of a device: {reason}.",
    "Choose a name of letters, digits, blanks and marks other than / and \\.",
)


class _Head(msgspec.Struct):
    format: str
    version: int


class _File(_Head):
    state: dict[str, Any]


class Store:
    """The state of one device in `folder`, which is made at the first use.

    An object is used by one thread at a time; other objects, threads and processes are kept out by `locked`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "device.json"
        self._lock: BaseFileLock | None = None
        self._holder = folder / "device.lock.holder"

    @property
    def _is_locked(self) -> bool:
        return self._lock is not None and self._lock.is_locked

    @contextlib.contextmanager
    def locked(self, timeout: float = 10.0) -> Iterator[None]:
        """Hold the device for as long as the block runs; inside it again, it does nothing.

        `timeout`: seconds to wait for another holder, 0 for not at all. Raises `store-busy` with the holder's
        pid, command and since; `store-unwritable`, `store-not-private`, `store-wrong-kind` for the folder.
        """
        if self._is_locked:
            yield
            return
        with _unwritable(self.folder):
            _make_private_folder(self.folder)
        lock = self._acquire(timeout)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
            lock.release()

    def _acquire(self, timeout: float) -> BaseFileLock:
        import filelock  # not above: who only looks at a device needs no lock, and starts sooner

        if self._lock is None:
            # The object holds the lock, not the thread: an event loop saves in one thread, then in another.
            self._lock = filelock.FileLock(self.folder / "device.lock", mode=0o600, thread_local=False)
        with _unwritable(self.folder):
            try:
                self._lock.acquire(timeout=max(0.0, timeout))
            except filelock.Timeout:
                raise store_busy(folder=str(self.folder), **self._read_holder()) from None
        # The arguments of the command stay out: an ID token may be among them.
        holder = {
            "pid": os.getpid(),
            "command": Path(sys.argv[0]).name or "python",
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        # The lock holds without it, so that a full disk lets a state be read.
        with contextlib.suppress(OSError):
            _write_whole(self._holder, msgspec.json.encode(holder), durable=False)
        return self._lock

    def _read_holder(self) -> dict[str, Any]:
        """The holder as it wrote itself down; between its lock and its writing, an unknown one."""
        unknown: dict[str, Any] = {"pid": "unknown", "command": "another process", "since": "just now"}
        try:
            said = msgspec.json.decode(self._holder.read_bytes(), type=dict[str, Any])
            return {key: said.get(key, unknown[key]) for key in unknown}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return unknown

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last, or None where there is none. Needs no lock: a save is atomic.

        Raises `store-damaged` after setting the file aside, `store-version`, `store-unreadable`,
        `store-not-private` and `store-wrong-kind`.
        """
        try:
            return self._decode()
        except _DamagedError:
            with self.locked():
                try:
                    return self._decode()  # somebody may have put it right before we had the lock
                except _DamagedError as damage:
                    aside = self._set_aside()
                    raise store_damaged(path=str(self.path), aside=str(aside), reason=str(damage)) from damage

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state; when this returns, it is on the disk. Only inside `locked`.

        Raises `store-unwritable` with the reason of the operating system; the old state is then whole.
        """
        if not self._is_locked:
            raise RuntimeError("a state is saved only while its store is locked")
        data = msgspec.json.encode(_File(FORMAT, VERSION, state))
        with _unwritable(self.path):
            if _kind(self.path) not in (None, "a file"):
                raise store_wrong_kind(path=str(self.path), found=_kind(self.path), expected="a file")
            _write_whole(self.path, data)

    def wipe(self) -> list[str]:
        """Remove the state, copies that were set aside, and the folder if it holds nothing else. Only inside
        `locked`. Returns the names of the files. Raises `store-unwritable`."""
        if not self._is_locked:
            raise RuntimeError("a state is removed only while its store is locked")
        with _unwritable(self.folder):
            ours = [
                self.path,
                *sorted(self.folder.glob("device.json.*")),
                *self.folder.glob("run/device.*"),
                self._holder,
                self.folder / "device.lock",
            ]
            removed = [path.name for path in ours if path.exists()]
            for path in ours:
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody keeps something else in it
                for folder in (self.folder / "run", self.folder):
                    if folder.exists():
                        folder.rmdir()
        return removed

    def _decode(self) -> dict[str, Any] | None:
        data = self._read()
        if data is None:
            return None
        try:
            head = msgspec.json.decode(data, type=_Head)
            if head.format != FORMAT or head.version < 1:
                raise _DamagedError(f"its format is {head.format!r}, version {head.version}")
            if head.version > VERSION:
                raise store_version(path=str(self.path), version=head.version, newest=VERSION)
            return msgspec.json.decode(data, type=_File).state
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _DamagedError(str(error)) from error

    def _read(self) -> bytes | None:
        kind = _kind(self.folder)
        if kind is not None and kind != "a folder":
            raise store_wrong_kind(path=str(self.folder), found=kind, expected="a folder")
        try:
            # O_NONBLOCK: opening a pipe would else wait for its writer
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise store_wrong_kind(
                    path=str(self.path), found="a symbolic link", expected="a file"
                ) from None
            raise store_unreadable(path=str(self.path), reason=error.strerror) from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise store_wrong_kind(path=str(self.path), found=_kind_of(found), expected="a file")
            _make_private(self.path, found, 0o600, descriptor)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        except OSError as error:
            raise store_unreadable(path=str(self.path), reason=error.strerror) from error
        finally:
            os.close(descriptor)

    def _set_aside(self) -> Path:
        number = 1
        with _unwritable(self.folder):
            while True:
                aside = self.path.with_name(f"{self.path.name}.damaged-{number}")
                try:
                    os.link(self.path, aside)  # unlike a renaming, it never replaces a file
                except FileExistsError:
                    number += 1
                    continue
                self.path.unlink()
                _sync_folder(self.folder)
                return aside


class _DamagedError(Exception):
    """The file is no device's state; the text says why."""


def default_root() -> Path:
    """Where the devices of this user are: SMARTLIC_HOME, or the platform's place for a user's data."""
    if home := os.environ.get("SMARTLIC_HOME"):
        return Path(home).absolute()
    import platformdirs

    return platformdirs.user_data_path("smartlic", appauthor=False)


def device_folder(root: Path, name: str) -> Path:
    """The folder of the device `name` under `root`. Raises `bad-device-name`."""
    reason = None
    if not name.strip():
        reason = "it is empty"
    elif name.startswith("."):
        reason = "it begins with a dot"
    elif "/" in name or "\\" in name:
        reason = "it holds a slash"
    elif any(unicodedata.category(character).startswith("C") for character in name):
        reason = "it holds a control character"
    elif len(os.fsencode(name)) > 255:
        reason = "it is longer than 255 bytes"
    if reason:
        raise bad_device_name(name=name, reason=reason)
    return root / name


def list_devices(root: Path) -> list[str]:
    """The names of the devices under `root` that have a state, sorted. Raises `store-unreadable`."""
    try:
        with os.scandir(root) as entries:
            folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
            return sorted(entry.name for entry in folders if Path(entry.path, "device.json").is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise store_unreadable(path=str(root), reason=error.strerror) from error


# --- Files -------------------------------------------------------------------------------------------


def _write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Let `path` hold `data`, all or nothing, mode 0600; `durable`: on the disk when this returns.

    Raises OSError.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # of a process that died in the middle
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(new, path)  # noqa: PTH105 - the tests stand in for this very call
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk: without it, what was replaced may come back."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_private_folder(folder: Path) -> None:
    """Make the folder, and those above it that are missing, for this user only; or tighten what is there."""
    for parent in reversed([folder, *folder.parents]):
        if not parent.exists() and _kind(parent) is None:
            with contextlib.suppress(FileExistsError):
                parent.mkdir(0o700)
                parent.chmod(0o700)  # whatever the umask
    kind = _kind(folder)
    if kind != "a folder":
        raise store_wrong_kind(path=str(folder), found=kind, expected="a folder")
    _make_private(folder, folder.lstat(), 0o700)


def _make_private(path: Path, found: os.stat_result, mode: int, descriptor: int | None = None) -> None:
    """Take the rights of group and others from `path`; `store-not-private` where it is another user's.

    `descriptor`: the file that was opened there, which may be another one by now.
    """
    if not found.st_mode & 0o077:
        return
    if found.st_uid != os.geteuid():
        raise store_not_private(path=str(path), owner=found.st_uid, mode=f"{stat.S_IMODE(found.st_mode):04o}")
    with _unwritable(path):
        os.chmod(path if descriptor is None else descriptor, mode)  # noqa: PTH101 - takes a descriptor too


def _kind(path: Path) -> str | None:
    """What is at `path`, in words; None where there is nothing or it can't be looked at."""
    try:
        return _kind_of(path.lstat())
    except OSError:
        return None


def _kind_of(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "a symbolic link"
    if stat.S_ISDIR(found.st_mode):
        return "a folder"
    return "a file" if stat.S_ISREG(found.st_mode) else "a special file"


@contextlib.contextmanager
def _unwritable(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into `store-unwritable`."""
    try:
        yield
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> SmartlicError:
    return store_unwritable(path=str(path), reason=error.strerror or str(error))
