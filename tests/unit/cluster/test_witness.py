"""The witness: compare-and-set on files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mock_server.cluster import witness
from mock_server.cluster.witness import Record, Witness
from smartlic_client.errors import SmartlicError

FIRST = Record(0, 1, ("primary",), "primary")


def test_rule_1_one_of_two_wins(tmp_path: Path) -> None:
    """Of many that set from the same record at once, exactly one wins, and its record stands."""
    first = Witness(tmp_path, "primary").compare_and_set(None, FIRST)
    winners: list[Record] = []
    start = threading.Barrier(8)

    def contend(number: int) -> None:
        mine = Record(0, 2, (f"n{number}",), f"n{number}")
        start.wait()
        won = Witness(tmp_path, f"n{number}").compare_and_set(first, mine)
        if won is not None:
            winners.append(won)

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
    assert Witness(tmp_path, "x").read() == winners[0]


def test_an_empty_folder_is_a_new_cluster(tmp_path: Path) -> None:
    """No record: None; the first compare-and-set makes number 1."""
    files_ = Witness(tmp_path, "primary")
    assert files_.read() is None
    won = files_.compare_and_set(None, FIRST)
    assert won is not None
    assert won.number == 1
    assert files_.read() == won


def test_rule_3_a_very_late_writer_has_lost(tmp_path: Path) -> None:
    """Who has seen a record that was pruned long ago finds that its number is not the highest."""
    files_ = Witness(tmp_path, "primary")
    seen = old = files_.compare_and_set(None, FIRST)
    for _ in range(40):
        seen = files_.compare_and_set(seen, FIRST)
        assert seen is not None
    assert not (tmp_path / "2.json").exists()
    late = Record(0, 9, ("secondary",), "secondary")
    assert Witness(tmp_path, "secondary").compare_and_set(old, late) is None
    assert files_.read() == seen
    assert not (tmp_path / "2.json").exists()


def test_a_record_is_never_changed_by_the_next_attempt(tmp_path: Path) -> None:
    """The temporary file is the same file as the record after the link: it is not written to again."""
    files_ = Witness(tmp_path, "primary")
    first = files_.compare_and_set(None, FIRST)
    before = (tmp_path / "1.json").read_bytes()
    assert files_.compare_and_set(first, Record(0, 2, ("primary", "secondary"), "primary")) is not None
    assert (tmp_path / "1.json").read_bytes() == before


def test_could_not_write_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses raises `witness-failed`; the same call works later."""
    files_ = Witness(tmp_path, "primary")
    first = files_.compare_and_set(None, FIRST)

    def full(path: Path, data: bytes, *, sync: bool) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(witness, "write_new", full)
        with pytest.raises(SmartlicError) as refused:
            files_.compare_and_set(first, FIRST)
    assert refused.value.code == "witness-failed"
    assert refused.value.retry_after == 1
    assert files_.compare_and_set(first, FIRST) is not None


def test_an_attempt_that_failed_half_way_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link was made but the folder could not be synced: the repetition finds its own record, and wins."""
    files_ = Witness(tmp_path, "primary")
    first = files_.compare_and_set(None, FIRST)
    wanted = Record(0, 1, ("primary", "secondary"), "primary")

    def fails(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(witness, "sync_folder", fails)
        with pytest.raises(SmartlicError):
            files_.compare_and_set(first, wanted)
    won = files_.compare_and_set(first, wanted)
    assert won is not None
    assert won.number == 2


def test_a_damaged_record_is_not_guessed(tmp_path: Path) -> None:
    """A record that cannot be read is a problem of its own, not an empty witness."""
    (tmp_path / "3.json").write_text("{")
    with pytest.raises(SmartlicError) as refused:
        Witness(tmp_path, "primary").read()
    assert refused.value.code == "witness-damaged"


def test_files_are_synced_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and folder are synced, in that order, before the record counts; mode 0600."""
    synced: list[bool] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").is_dir())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Witness(tmp_path, "primary").compare_and_set(None, FIRST)
    assert synced == [False, True]
    assert (tmp_path / "1.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["1.json"]
