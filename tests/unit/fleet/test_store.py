"""The file of a fleet: kept, private, one holder, and whole whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest

from smartlic_client.errors import SmartlicError
from smartlic_client.fleet.store import FleetLock, FleetStore, Row
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.states import Registration

SOFTWARE = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"


def row(name: str, sequence: int = 0) -> Row:
    record = Record(udi=Udi(pid="C9300-24T", sn=name), software_id=SOFTWARE, sequence=sequence)
    return Row(name, 1.0, 2.0, record)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "fleet"
    FleetStore.make(made)
    return made


def test_what_is_saved_is_there_again(path: Path) -> None:
    """Many at once, and one several times: the last counts."""

    async def save() -> None:
        with FleetStore(path) as store:
            await asyncio.gather(*(store.save(row(f"d{number}")) for number in range(200)))
            for sequence in range(5):
                await store.save(row("d7", sequence))
            assert store.load("d7") == row("d7", 4)

    asyncio.run(save())
    with FleetStore(path) as store:
        assert store.load("d7") == row("d7", 4)
        assert store.load("none") is None
        assert sorted(store.known())[0] == ("d0", "not-registered", "none", 0)
        assert len(list(store.known())) == 200


def test_two_processes_save_into_one_file(path: Path) -> None:
    """While one reads and writes, so does the other; nothing is refused, nothing is lost."""

    async def both() -> None:
        with FleetStore(path) as first, FleetStore(path) as second:

            async def work(store: FleetStore, which: str) -> None:
                for number in range(100):
                    store.load(f"{which}{number - 1}")
                    await store.save(row(f"{which}{number}"))

            await asyncio.gather(work(first, "a"), work(second, "b"))

    asyncio.run(both())
    with FleetStore(path) as store:
        assert len(list(store.known())) == 200


def test_it_is_its_owners_alone(path: Path) -> None:
    """Keys are in it: nobody else may read the file, nor what SQLite puts beside it."""
    with FleetStore(path):
        for made in path.parent.iterdir():
            assert stat.S_IMODE(made.stat().st_mode) == 0o600, made


def test_a_second_command_is_refused(path: Path) -> None:
    """A fleet is run by one command at a time, and is free again after it."""
    with FleetLock(path):
        with pytest.raises(SmartlicError) as caught, FleetLock(path):
            pass
        assert (caught.value.code, caught.value.exit_code) == ("fleet-busy", 75)
    with FleetLock(path):
        pass


def test_what_is_no_fleet(tmp_path: Path) -> None:
    """Another file, a folder, and a format of the future are refused, and stay as they are."""
    other = tmp_path / "notes.txt"
    other.write_bytes(b"these are notes " * 100)
    future = tmp_path / "future"
    FleetStore.make(future)
    with sqlite3.connect(future) as db:
        db.execute("UPDATE meta SET value = '2'")
    db.close()
    for path, code in ((other, "fleet-unusable"), (tmp_path, "fleet-unusable"), (future, "fleet-version")):
        with pytest.raises(SmartlicError) as caught:
            FleetStore.make(path)
        assert caught.value.code == code
    assert other.read_bytes() == b"these are notes " * 100


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM meta",
        "UPDATE meta SET value = x'00'",
        "UPDATE device SET record = 7",
        "UPDATE device SET record = 'text'",
        "UPDATE device SET record = x'a1ff'",
        "UPDATE device SET record = zeroblob(9)",
        "UPDATE device SET started = 'soon'",
        "UPDATE device SET due = x'00'",
    ],
)
def test_a_file_that_was_changed_is_refused(path: Path, damage: str) -> None:
    """Values that a fleet never writes: a code, and no traceback in the middle of a run."""

    async def fill() -> None:
        with FleetStore(path) as store:
            await store.save(row("a"))

    asyncio.run(fill())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(damage)
    with pytest.raises(SmartlicError) as caught, FleetStore(path) as store:
        store.load("a")
    assert caught.value.code in ("fleet-unusable", "fleet-version")


def test_a_record_that_contradicts_itself_is_refused(path: Path) -> None:
    """A device that registers and has no message in flight: no step of a table would fit it."""
    wrong = row("a")
    wrong.record.registration = Registration.IN_PROGRESS

    async def fill() -> None:
        with FleetStore(path) as store:
            await store.save(wrong)

    asyncio.run(fill())
    with pytest.raises(SmartlicError, match="registers") as caught, FleetStore(path) as store:
        store.load("a")
    assert caught.value.code == "fleet-unusable"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a file system of its own limits")
def test_a_disk_that_is_full(path: Path) -> None:
    """A save that the disk refuses is told, and what was saved before is whole."""
    import resource

    async def fill() -> SmartlicError:
        with FleetStore(path) as store:
            await store.save(row("kept"))
            size = max(made.stat().st_size for made in path.parent.iterdir())
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, hard))
            try:
                with pytest.raises(SmartlicError) as caught:
                    for number in range(200):
                        await store.save(row(f"d{number}"))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await store.save(row("after"))
            return caught.value

    assert asyncio.run(fill()).code == "fleet-unusable"
    with FleetStore(path) as store:
        assert store.load("kept") == row("kept")
        assert store.load("after") == row("after")
