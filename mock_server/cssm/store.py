"""CSSM's state on disk: one private file, replaced whole. A change is on the disk before it is seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from mock_server.cssm import problems
from mock_server.cssm.state import FORMAT, CssmState
from mock_server.files import lock, write_private

__all__ = ["Store"]

T = TypeVar("T")


class Store:
    """`Store(folder)`: the state in `folder`/state.json; without a folder it is in memory only."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "state.json" if folder is not None else None
        self._lock: int | None = None
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(folder)
        try:
            self._data = self._read()
            self.state = self._decoded(self._data)
        except BaseException:
            self.close()
            raise

    def change(self, command: Callable[[CssmState], T]) -> T:
        """Run a command on a draft and keep that; what it raises leaves all as it was."""
        draft = self._decoded(self._data)
        result = command(draft)
        data = _encode(draft)
        if data != self._data:
            self._write(data)
            self.state, self._data = draft, data
        return result

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _read(self) -> bytes:
        if self._path is None or not self._path.exists():
            return _encode(CssmState())
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise problems.STORE_UNUSABLE(path=str(self._path), why=error.strerror) from None

    def _decoded(self, data: bytes) -> CssmState:
        try:
            found = msgspec.json.decode(data, type=_Format).format
            if found > FORMAT:
                raise problems.STORE_NEWER(path=str(self._path), found=found, known=FORMAT)
            return msgspec.json.decode(data, type=CssmState)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise problems.STORE_UNUSABLE(path=str(self._path), why=str(error)) from None

    def _write(self, data: bytes) -> None:
        if self._path is None:
            return
        try:
            write_private(self._path, data, sync=True)
        except OSError as error:
            raise problems.STORE_FAILED(why=error.strerror, path=str(self._path)) from None


class _Format(msgspec.Struct):
    format: int


def _encode(state: CssmState) -> bytes:
    return msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n"


def _lock(folder: Path) -> int:
    """Two processes with the same store would each forget what the other keeps."""
    descriptor = lock(folder / "lock")
    if descriptor is None:
        raise problems.STORE_IN_USE(folder=str(folder))
    return descriptor
