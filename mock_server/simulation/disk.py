"""What is on a disk when a process ends in the middle of writing.

A job that writes is run to its end, and the disk is then wound back to a moment in between: before any of its
file operations, or where a part of what was written in one has arrived. So the code under test does not clean
up behind a crash that it could not survive.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

__all__ = ["Crash", "Image", "image", "restore", "run_and_wind_back"]

Image = dict[Path, bytes]
"""The files of some folders, without SQLite's shared memory: that is made anew by who opens the journal."""

_EVENTS = {"open", "os.link", "os.remove", "os.rename", "os.mkdir", "os.truncate", "sqlite3.connect"}


class Crash(StrEnum):
    """`KILL`: between two writes. `TORN`: a part of the last one is there. `POWER`: that, and what was not
    forced to the disk is as it was before."""

    KILL = "between two writes"
    TORN = "with a torn last write"
    POWER = "by a loss of power"


def image(folders: Iterable[Path]) -> Image:
    """All that is there now."""
    found: Image = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.endswith("-shm"):
                found[path] = path.read_bytes()
    return found


def restore(folders: Iterable[Path], wanted: Image) -> None:
    """Make the folders hold what an image holds. Nobody may have one of the files open."""
    for folder in folders:
        for path in list(folder.rglob("*")):
            if path.is_file() and path not in wanted:
                path.unlink()
    for path, data in wanted.items():
        if not path.exists() or path.read_bytes() != data:
            path.unlink(missing_ok=True)  # it may be linked to another name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)


class _Recorder:
    """Notes the disk before each file operation of Python and after each sync, while a job runs."""

    def __init__(self) -> None:
        self.moments: list[Image] = []
        self.synced: Image = {}
        self._folders: Sequence[Path] = ()
        self._inside = False
        self._hooked = False

    @contextlib.contextmanager
    def watching(self, folders: Sequence[Path]) -> Iterator[None]:
        if not self._hooked:  # there is no way to take such a hook away again
            sys.addaudithook(self._event)
            self._hooked = True
        self.moments = [image(folders)]
        self.synced = dict(self.moments[0])
        self._folders = folders
        fsync, pwrite = os.fsync, os.pwrite
        os.fsync = lambda fd: self._sync(fsync, fd)
        os.pwrite = lambda *args: self._around(pwrite, *args)
        try:
            yield
        finally:
            os.fsync, os.pwrite = fsync, pwrite
            self._note()
            self._folders = ()

    def _event(self, name: str, args: tuple[Any, ...]) -> None:
        if self._folders and name in _EVENTS and not self._inside and self._ours(args):
            self._note()

    def _ours(self, args: tuple[Any, ...]) -> bool:
        names = [str(arg) for arg in args[:2] if isinstance(arg, (str, bytes, Path))]
        return any(name.startswith(str(folder)) for name in names for folder in self._folders)

    def _note(self) -> None:
        self._inside = True  # looking is an event too
        try:
            now = image(self._folders)
        finally:
            self._inside = False
        if now != self.moments[-1]:
            self.moments.append(now)

    def _around(self, call: Callable[..., Any], *args: Any) -> Any:
        self._note()
        result = call(*args)
        self._note()
        return result

    def _sync(self, call: Callable[[Any], None], descriptor: Any) -> None:
        call(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self._note()
        if path in self.moments[-1]:
            self.synced[path] = self.moments[-1][path]


_recorder = _Recorder()


def run_and_wind_back(
    work: Callable[[], Any],
    folders: Sequence[Path],
    crash: Crash,
    chance: random.Random,
    end: Callable[[], None],
) -> Any:
    """Run a job. If it has written: `end` its process, and leave of what it wrote what a crash would."""
    result: Any = None
    error: Exception | None = None
    with _recorder.watching(folders):
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - it is the caller's, unless that is gone
            error = raised
    moments, synced = _recorder.moments, _recorder.synced
    if len(moments) == 1:
        if error is not None:
            raise error
        return result
    if hasattr(result, "close"):
        result.close()
    end()
    restore(folders, _left(moments, synced, crash, chance))
    return None


def _left(moments: list[Image], synced: Image, crash: Crash, chance: random.Random) -> Image:
    at = chance.randrange(len(moments))
    left = dict(moments[at])
    if crash is not Crash.KILL and at + 1 < len(moments):
        left = _torn(left, moments[at + 1], chance)
    if crash is Crash.POWER:
        for path in left:
            if path.name.endswith("-tip") and path in synced:
                left[path] = synced[path]
    return left


def _torn(before: Image, after: Image, chance: random.Random) -> Image:
    """A part of the bytes that differ has arrived, in the order in which SQLite writes: its log, then the
    file itself, which is written only when the log is on the disk. What shrinks or goes does so last.

    A file with the content of another one is that one by another name: it is there, or not."""
    changed = [path for path in after if before.get(path) != after[path]]
    changed.sort(key=lambda path: (not path.name.endswith("-wal"), path.name.endswith("-tip"), path))
    grown = [path for path in changed if len(after[path]) >= len(before.get(path, b""))]
    spans = {path: _difference(before.get(path, b""), after[path]) for path in grown}
    left = dict(before)
    cut = chance.randrange(sum(end - begin for begin, end in spans.values()) + 1)
    known = set(before.values())
    for path, (begin, end) in spans.items():
        part = min(cut, end - begin)
        cut -= part
        if after[path] in known and part < end - begin:
            continue
        if part or path in before:
            old = before.get(path, b"")
            left[path] = after[path][: begin + part] + old[begin + part :]
    return left


def _difference(old: bytes, new: bytes) -> tuple[int, int]:
    """Where the bytes that differ begin and end in `new`, which is not shorter."""
    begin = len(os.path.commonprefix([old, new]))  # noqa: RUF071 - of bytes, and meant so
    end = len(new)
    if len(old) == len(new):
        while end > begin and old[end - 1] == new[end - 1]:
            end -= 1
    return begin, end
