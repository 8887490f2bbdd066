"""The witness: who may be Active, kept in numbered files that are never overwritten.

Record N is `witness/N.json`. Compare-and-set from N writes a temporary file and links it to N+1: the file
system lets one of two do so. A lock file would not do, as a hung process would hold it. "Could not write"
(`witness-failed`) is not "lost": the caller acknowledges nothing, and tries again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from mock_server.cluster.problems import WITNESS_DAMAGED, WITNESS_FAILED
from mock_server.files import sync_folder, write_new

_KEEP = 16  # records that stay behind the highest one, for people to read


class Record(msgspec.Struct, frozen=True):
    """Who has every acknowledged change, and who of them is Active.

    `start_index`: where the epoch begins. `index`: a change that all who are listed have had on their disks.
    """

    number: int
    epoch: int
    in_sync: tuple[str, ...]
    active: str
    mode: Literal["cluster", "stand-alone"] = "cluster"
    start_index: int = 0
    index: int = 0
    forced: bool = False


class Witness:
    """The files. Blocks on the disk: a node calls it in a thread."""

    def __init__(self, folder: Path, me: str) -> None:
        self._folder = folder
        self._temporary = folder / f".{me}.{os.getpid()}"

    def read(self) -> Record | None:
        """The highest record, or None in a new cluster."""
        while True:
            numbers = self._numbers()
            if not numbers:
                return None
            path = self._path(max(numbers))
            try:
                return msgspec.json.decode(path.read_bytes(), type=Record)
            except FileNotFoundError:
                continue  # it was pruned between the two calls, so a higher one is there
            except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
                raise WITNESS_DAMAGED(path=str(path), detail=str(error)) from None

    def compare_and_set(self, seen: Record | None, wanted: Record) -> Record | None:
        """Put `wanted` after `seen`. Returns it with its number, or None when somebody else was faster."""
        number = seen.number + 1 if seen else 1
        wanted = msgspec.structs.replace(wanted, number=number)
        path = self._path(number)
        try:
            write_new(self._temporary, msgspec.json.encode(wanted) + b"\n", sync=True)
            try:
                os.link(self._temporary, path)
            except FileExistsError:
                # An attempt of ours that failed half-way may have left it there.
                if self.read() != wanted:
                    return None
            sync_folder(self._folder)
            numbers = self._numbers()
            if max(numbers) != number:
                # The one that was seen is so old that its successor was pruned: this link says nothing.
                path.unlink(missing_ok=True)
                return None
            for old in numbers:
                if old < number - _KEEP:
                    self._path(old).unlink(missing_ok=True)
        except OSError as error:
            raise WITNESS_FAILED(detail=error.strerror or str(error), retry_after=1) from error
        finally:
            # It is the same file as the record now: writing to it again would change the record.
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)
        return wanted

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"

    def _numbers(self) -> list[int]:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError as error:
            raise WITNESS_FAILED(detail=error.strerror or str(error), retry_after=1) from error
        return [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit()]
