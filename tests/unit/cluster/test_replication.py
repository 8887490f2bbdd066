"""Ledger, leader and follower in one process, on real journals, over a link in memory."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.cluster import decide, wire
from mock_server.cluster import leader as leader_module
from mock_server.cluster import ledger as ledger_module
from mock_server.cluster.follower import Follower
from mock_server.cluster.leader import Leader
from mock_server.cluster.ledger import ClusterLedger
from mock_server.cluster.link import Link
from mock_server.errors import SmartlicError
from mock_server.journal import Head, Journal, JournalWorker, copies, next_row
from tests.cluster.toy import ToyMachine, change

T = TypeVar("T")


class MemoryLink(Link):
    """A connection without a network: what is sent arrives at the other end in a later turn of the loop."""

    def __init__(self) -> None:
        super().__init__(lambda _link, _message: None, lambda _link: None)
        self.handle: Callable[[wire.Message], None] = lambda _message: None
        self.other: MemoryLink | None = None
        self.sent: list[wire.Message] = []

    def send(self, message: wire.Message) -> None:
        self.sent.append(message)
        if self.other is not None and not self.closed:
            asyncio.get_running_loop().call_soon(self._deliver, self.other, message)

    def _deliver(self, other: MemoryLink, message: wire.Message) -> None:
        if not other.closed:
            other.last_byte = time.monotonic()
            other.handle(message)


class Side:
    """One node's machine, journal and ledger."""

    def __init__(self, path: Path, writes: Sequence[tuple[int, str]] = ()) -> None:
        self.machine = ToyMachine()
        self.journal = Journal(path)
        for epoch, write in writes:
            payload = change(write)
            touched = self.machine.apply(payload)
            row = next_row(self.journal.head, epoch, payload, {})
            self.journal.append([row], [(*key, self.machine.row(*key)) for key in touched])
        self.worker = JournalWorker(self.journal)
        self.ledger = ClusterLedger("node", self.machine, self.worker)
        self.link = MemoryLink()
        self.events: list[str] = []

    def ids(self) -> list[tuple[int, bytes]]:
        return [(row.epoch, row.payload) for row in self.journal.read(1)]


async def session(active: Side, standby: Side, *, forced: bool = False) -> tuple[Leader, Follower]:
    """Connect two sides until the follower has caught up."""
    caught_up = asyncio.Event()
    active.link.other, standby.link.other = standby.link, active.link
    leader = Leader(
        active.link,
        active.ledger,
        forced=forced,
        on_caught_up=lambda _leader: caught_up.set(),
        on_leaving=lambda _leader: active.events.append("leaving"),
        on_lost=lambda _leader: active.events.append("lost"),
    )
    active.link.handle = leader.message
    active.ledger.on_commit = leader.ship
    follower = Follower(
        standby.link,
        standby.machine,
        standby.worker,
        applied=lambda payload: standby.events.append(payload.decode()),
        on_begun=lambda: standby.events.append("begun"),
        on_copying=lambda done, size: standby.events.append(f"copied {done} of {size}"),
        on_listed=lambda: standby.events.append("listed"),
        on_handover=lambda idx: standby.events.append(f"handover {idx}"),
        on_left=lambda: standby.events.append("left"),
        on_broken=lambda detail: standby.events.append(f"broken {detail}"),
    )
    standby.link.handle = follower.message
    async with asyncio.timeout(5):
        await caught_up.wait()
    return leader, follower


def owner_of(side: Side, kind: type[T]) -> T:
    """The end of a session that a side has."""
    owner: object = getattr(side.link.handle, "__self__", None)
    assert isinstance(owner, kind)
    return owner


def play(
    tmp_path: Path,
    scenario: Callable[[Side, Side], Awaitable[Any]],
    ours: Sequence[tuple[int, str]] = (),
    theirs: Sequence[tuple[int, str]] = (),
) -> None:
    """Run a scenario on an open ledger and a standby with journals of their own."""

    async def run() -> None:
        active, standby = Side(tmp_path / "a", ours), Side(tmp_path / "b", theirs)
        try:
            await active.ledger.open(9)
            async with asyncio.timeout(20):
                await scenario(active, standby)
        finally:
            await active.ledger.close()
            for side in (active, standby):
                await side.worker.close()

    asyncio.run(run())


def test_rule_2_an_answer_waits_for_both_disks(tmp_path: Path) -> None:
    """With the Standby about to be listed an answer leaves only after its acknowledgement."""

    async def scenario(active: Side, standby: Side) -> None:
        await session(active, standby)
        active.ledger.lease = time.monotonic() + 60
        assert active.ledger.joining
        await active.ledger.settled(active.ledger.propose(change("a")))
        assert standby.journal.head == active.journal.head
        standby.link.closed = True  # it hears nothing any more
        index = active.ledger.propose(change("b"))
        waiting = asyncio.create_task(active.ledger.settled(index))
        read = asyncio.create_task(active.ledger.settled())
        await asyncio.sleep(0.1)
        assert active.ledger.local == index
        assert not waiting.done()
        assert not read.done()  # it would show what only one disk has
        active.ledger.joining = False  # the record lists this node alone
        active.ledger.wake()
        await asyncio.gather(waiting, read)

    play(tmp_path, scenario)


def test_rule_5_a_follower_that_is_closed_twice_still_ends_what_it_commits(tmp_path: Path) -> None:
    """Who closes the session is cancelled while a commit runs, which then fails: memory is the journal's."""

    async def scenario(active: Side, standby: Side) -> None:
        _, follower = await session(active, standby)
        entered, let = threading.Event(), threading.Event()

        def full(*_: object) -> None:
            entered.set()
            let.wait(5)
            raise sqlite3.OperationalError("database or disk is full")

        standby.journal.append = full  # type: ignore[method-assign,assignment]
        active.ledger.propose(change("unacknowledged"))
        await asyncio.get_running_loop().run_in_executor(None, entered.wait, 5)
        first = asyncio.create_task(follower.close())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        asyncio.get_running_loop().call_later(0.05, let.set)
        await follower.close()
        assert "unacknowledged" not in standby.machine.writes
        assert len(standby.machine.writes) == standby.journal.head.idx

    play(tmp_path, scenario)


def test_a_session_that_is_lost_before_it_began_leaves_nothing_behind(tmp_path: Path) -> None:
    """The connection goes in the turn in which it came: the session ends, and no coroutine is left unrun."""

    async def scenario(active: Side, _standby: Side) -> None:
        leader = Leader(
            active.link,
            active.ledger,
            forced=False,
            on_caught_up=lambda _leader: None,
            on_leaving=lambda _leader: None,
            on_lost=lambda _leader: active.events.append("lost"),
        )
        leader.lost()
        await asyncio.sleep(0)
        assert active.events == ["lost"]

    play(tmp_path, scenario)
    gc.collect()  # a coroutine that never ran would be complained of here


def test_rule_4_without_a_lease_no_answer_leaves(tmp_path: Path) -> None:
    """A read that shows nothing new waits as well, until the Standby has been heard again."""

    async def scenario(active: Side, standby: Side) -> None:
        await session(active, standby)
        read = asyncio.create_task(active.ledger.settled())
        await asyncio.sleep(0.05)
        assert not read.done()
        active.ledger.lease = time.monotonic() + 1.5
        active.ledger.wake()
        await read

    play(tmp_path, scenario)


def test_rule_6_the_follower_cuts_to_the_common_row(tmp_path: Path) -> None:
    """What the follower has beyond the common row is dropped and counted; then it is equal."""

    async def scenario(active: Side, standby: Side) -> None:
        _, follower = await session(active, standby)
        assert follower.cut == 2
        assert follower.saved is None
        assert standby.ids() == active.ids()
        assert standby.machine.writes == active.machine.writes

    play(tmp_path, scenario, [(1, "a"), (1, "b"), (2, "c")], [(1, "a"), (1, "b"), (1, "x"), (1, "y")])


def test_rule_6_after_force_it_keeps_a_copy(tmp_path: Path) -> None:
    """After a forced start the follower's journal is copied before the cut."""

    async def scenario(active: Side, standby: Side) -> None:
        _, follower = await session(active, standby, forced=True)
        assert follower.cut == 1
        assert follower.saved is not None
        assert follower.saved.name == "lost-9.sqlite"
        copy = Journal(follower.saved)
        assert copy.head.idx == 1
        copy.close()

    play(tmp_path, scenario, [], [(1, "x")])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_rule_6_any_two_journals_come_together(
    tmp_path_factory: pytest.TempPathFactory, common: int, ours: int, theirs: int
) -> None:
    """Whatever was common and whatever came after it on either side, the follower ends as a copy."""
    shared = [(1, f"s{number}") for number in range(common)]

    async def scenario(active: Side, standby: Side) -> None:
        _, follower = await session(active, standby)
        assert follower.cut == theirs
        assert standby.ids() == active.ids()
        assert standby.machine.writes == active.machine.writes
        probes = [message for message in active.link.sent if isinstance(message, wire.Probe)]
        assert len(probes) <= 5  # the border is halved, not walked

    play(
        tmp_path_factory.mktemp("pair"),
        scenario,
        shared + [(2, f"a{number}") for number in range(ours)],
        shared + [(1, f"b{number}") for number in range(theirs)],
    )


def test_a_follower_far_behind_is_caught_up_in_batches(tmp_path: Path) -> None:
    """Thousands of rows are shipped from the journal while new ones arrive; it ends live and equal."""

    async def scenario(active: Side, standby: Side) -> None:
        for number in range(3_000):
            active.ledger.propose(change(f"n{number}", f"c{number % 7}"))
        connected = asyncio.create_task(session(active, standby))
        for number in range(50):
            active.ledger.propose(change(f"m{number}"))
            await asyncio.sleep(0)
        leader, _ = await connected
        assert leader.live
        active.ledger.lease = time.monotonic() + 60
        await active.ledger.settled()
        assert standby.journal.head == active.journal.head
        assert standby.machine.counters == active.machine.counters

    play(tmp_path, scenario)


def test_many_changes_share_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes that come while a transaction runs are one group; each aggregate's body is written once."""
    groups: list[tuple[int, int]] = []
    real = Journal.append

    def append(journal: Journal, rows: Any, aggregates: Any) -> None:
        groups.append((len(rows), len(aggregates)))
        real(journal, rows, aggregates)

    monkeypatch.setattr(Journal, "append", append)

    async def scenario(active: Side, _standby: Side) -> None:
        for number in range(500):
            active.ledger.propose(change(f"n{number}"))
        await active.ledger.settled()
        assert groups == [(500, 501)]

    play(tmp_path, scenario)


def test_a_flush_that_fails_is_503_and_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that wait are refused, memory goes back to the journal, and the next change works."""

    async def scenario(active: Side, _standby: Side) -> None:
        await active.ledger.settled(active.ledger.propose(change("good")))
        with monkeypatch.context() as patch:

            def fail(*_args: Any) -> None:
                raise sqlite3.OperationalError("database or disk is full")

            patch.setattr(Journal, "append", fail)
            index = active.ledger.propose(change("bad"))
            refused = await asyncio.gather(
                active.ledger.settled(index), active.ledger.settled(), return_exceptions=True
            )
            for error in refused:
                assert isinstance(error, SmartlicError)
                assert (error.code, error.retry_after) == ("flush-failed", 1)
        with pytest.raises(SmartlicError):
            await active.ledger.settled(index + 5)
        for _ in range(100):
            if active.ledger.index == 1:
                break
            await asyncio.sleep(0.01)
        assert active.machine.writes == {"good": 1}
        await active.ledger.settled(active.ledger.propose(change("again")))

    play(tmp_path, scenario)


def test_a_change_that_cannot_be_applied_leaves_nothing_half_done(tmp_path: Path) -> None:
    """An error inside the machine is raised, and the state is rebuilt from the journal."""

    async def scenario(active: Side, _standby: Side) -> None:
        await active.ledger.settled(active.ledger.propose(change("good")))
        with pytest.raises(ValueError, match="Expecting"):
            active.ledger.propose(b"nonsense")
        with pytest.raises(SmartlicError):
            active.ledger.propose(change("too-early"))
        await asyncio.sleep(0.1)
        await active.ledger.settled(active.ledger.propose(change("again")))
        assert active.machine.writes == {"good": 1, "again": 1}

    play(tmp_path, scenario)


def test_backpressure_refuses_instead_of_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many changes under way a new one gets `journal-busy`; later it is taken."""
    monkeypatch.setattr(ledger_module, "MAX_QUEUED", 10)

    async def scenario(active: Side, _standby: Side) -> None:
        for number in range(10):
            active.ledger.propose(change(f"n{number}"))
        with pytest.raises(SmartlicError) as refused:
            active.ledger.propose(change("more"))
        assert (refused.value.code, refused.value.retry_after) == ("journal-busy", 1)
        await active.ledger.settled()
        active.ledger.propose(change("more"))

    play(tmp_path, scenario)


def test_a_ledger_that_is_closed_answers_nobody(tmp_path: Path) -> None:
    """Who waits when the node is deposed is told `not-active`, and nothing is taken any more (rule 3)."""

    async def scenario(active: Side, standby: Side) -> None:
        await session(active, standby)
        index = active.ledger.propose(change("a"))
        waiting = asyncio.create_task(active.ledger.settled(index))
        await asyncio.sleep(0)
        await active.ledger.close()
        with pytest.raises(SmartlicError) as refused:
            await waiting
        assert (refused.value.code, refused.value.context["kept"]) == ("not-active", "unknown")
        with pytest.raises(SmartlicError):
            active.ledger.propose(change("b"))
        with pytest.raises(SmartlicError):
            await active.ledger.settled()

    play(tmp_path, scenario)


def test_who_waits_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer waits for ever, whatever is stuck."""
    monkeypatch.setattr(ledger_module, "PATIENCE", 0.05)

    async def scenario(active: Side, standby: Side) -> None:
        await session(active, standby)
        waiting = asyncio.create_task(active.ledger.settled())
        await asyncio.sleep(0.1)
        active.ledger.expire()
        with pytest.raises(SmartlicError) as refused:
            await waiting
        assert refused.value.code == "flush-failed"

    play(tmp_path, scenario)


def test_a_standby_whose_disk_fails_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session ends, its memory goes back to its journal, and it says what is broken."""

    async def scenario(active: Side, standby: Side) -> None:
        await session(active, standby)
        real = Journal.append

        def fail(journal: Journal, rows: Any, aggregates: Any) -> None:
            if journal is standby.journal:
                raise sqlite3.OperationalError("database or disk is full")
            real(journal, rows, aggregates)

        monkeypatch.setattr(Journal, "append", fail)
        active.ledger.propose(change("a"))
        while not any(event.startswith("broken") for event in standby.events):
            await asyncio.sleep(0.01)
        assert active.ledger.acked == 0
        assert standby.machine.writes == {}
        assert standby.link.closed

    play(tmp_path, scenario)


def test_rows_that_do_not_continue_end_the_session(tmp_path: Path) -> None:
    """A follower takes nothing that does not continue its chain."""

    async def scenario(active: Side, standby: Side) -> None:
        await session(active, standby)
        stray = next_row(Head(7, bytes(32)), 9, change("stray"), {})
        active.link.send(wire.Batch([stray]))
        while not standby.link.closed:
            await asyncio.sleep(0.01)
        assert standby.journal.head.idx == 0

    play(tmp_path, scenario)


def test_rule_5_after_close_nothing_of_the_old_epoch_is_acknowledged(tmp_path: Path) -> None:
    """Closing a follower's session drops what was not committed; memory and journal agree."""

    async def scenario(active: Side, standby: Side) -> None:
        _, follower = await session(active, standby)
        for number in range(200):
            active.ledger.propose(change(f"n{number}"))
        while active.ledger.local < 200:
            await asyncio.sleep(0.001)
        await follower.close()
        acks = [message for message in standby.link.sent if isinstance(message, wire.Ack)]
        await asyncio.sleep(0.05)
        assert [message for message in standby.link.sent if isinstance(message, wire.Ack)] == acks
        assert len(standby.machine.writes) == standby.journal.head.idx

    play(tmp_path, scenario)


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole copy from 5 changes up, in small pieces."""
    monkeypatch.setattr(decide, "COPY_ABOVE", 5)
    monkeypatch.setattr(wire, "CHUNK_BYTES", 1_000)
    monkeypatch.setattr(leader_module, "_COPY_WINDOW", 3_000)


@pytest.mark.parametrize("forced", [False, True])
def test_rule_6_a_whole_copy_takes_the_place_of_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forced: bool
) -> None:
    """The follower gets a copy and goes on by journal. What only it had is counted, and kept after force."""
    few(monkeypatch)

    async def scenario(active: Side, standby: Side) -> None:
        for number in range(20):
            await active.ledger.settled(active.ledger.propose(change(f"n{number}"), {"k": b"PEM"}))
        _, follower = await session(active, standby, forced=forced)
        sent = [message for message in active.link.sent if isinstance(message, wire.Copy)]
        assert len(sent) == 1
        assert sum(isinstance(message, wire.Chunk) for message in active.link.sent) > 10
        assert follower.cut == 2
        if forced:
            assert follower.saved is not None
            lost = Journal(follower.saved)
            assert [row.payload for row in lost.read(2)] == [change("x"), change("y")]
            lost.close()
        else:
            assert follower.saved is None
        active.ledger.lease = time.monotonic() + 60
        await active.ledger.settled(active.ledger.propose(change("after")))
        assert standby.ids() == active.ids()
        assert standby.machine.writes == active.machine.writes
        assert standby.journal.keys() == {"k": b"PEM"}
        assert sorted(standby.journal.aggregates()) == sorted(active.journal.aggregates())
        assert {path.suffix for path in tmp_path.rglob("*-receiving*")} == set()
        assert {path.suffix for path in tmp_path.rglob("*-sending*")} == set()

    play(tmp_path, scenario, [(1, "a")], [(1, "a"), (1, "x"), (1, "y")])
    for name in ("a", "b"):
        again = Journal(tmp_path / name)
        assert again.head.idx == 22
        again.close()


def test_changes_that_come_while_it_is_copied_follow_by_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Active takes and acknowledges changes during the copy; the follower has them in the end."""
    few(monkeypatch)

    async def scenario(active: Side, standby: Side) -> None:
        for number in range(50):
            active.ledger.propose(change(f"n{number}"))
        await active.ledger.settled()
        goes_on = threading.Event()
        real = copies.Outgoing.read

        def read(outgoing: copies.Outgoing, size: int) -> bytes:
            assert goes_on.wait(10)
            return real(outgoing, size)

        monkeypatch.setattr(copies.Outgoing, "read", read)
        connected = asyncio.create_task(session(active, standby))
        while not any(isinstance(message, wire.Copy) for message in active.link.sent):
            await asyncio.sleep(0)
        for number in range(5):
            await active.ledger.settled(active.ledger.propose(change(f"m{number}")))
        goes_on.set()
        leader, _ = await connected
        assert leader.live
        active.ledger.lease = time.monotonic() + 60
        await active.ledger.settled()
        assert standby.journal.head == active.journal.head
        assert standby.machine.writes == active.machine.writes

    play(tmp_path, scenario)


def test_a_copy_that_is_cut_in_the_middle_leaves_the_old_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Standby has what it had before, nothing is left over, and the next session copies again."""
    few(monkeypatch)

    async def scenario(active: Side, standby: Side) -> None:
        for number in range(30):
            active.ledger.propose(change(f"n{number}"))
        await active.ledger.settled()
        connected = asyncio.create_task(session(active, standby))
        while not any(event.startswith("copied 5000") for event in standby.events):
            await asyncio.sleep(0)
        follower, leader = owner_of(standby, Follower), owner_of(active, Leader)
        connected.cancel()
        await follower.close()
        leader.close()
        await active.worker.copy(lambda: None)
        assert standby.ids() == [(1, change("old"))]
        assert not [path for path in tmp_path.iterdir() if "ing" in path.name]
        for side in (active, standby):
            side.link = MemoryLink()
            side.events = []
        await session(active, standby)
        assert standby.ids() == active.ids()
        assert standby.machine.writes == active.machine.writes

    play(tmp_path, scenario, [], [(1, "old")])


def test_a_copy_that_was_altered_on_its_way_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other bytes in it the old journal stays, and the session ends."""
    few(monkeypatch)

    async def scenario(active: Side, standby: Side) -> None:
        for number in range(30):
            active.ledger.propose(change(f"n{number}"))
        await active.ledger.settled()
        real = MemoryLink.send

        def send(link: MemoryLink, message: wire.Message) -> None:
            if isinstance(message, wire.Chunk) and b"n17" in message.data:
                message = wire.Chunk(message.data.replace(b"n17", b"n71"))
            real(link, message)

        with monkeypatch.context() as patch:
            patch.setattr(MemoryLink, "send", send)
            connected = asyncio.create_task(session(active, standby))
            while not any(event.startswith("broken") for event in standby.events):
                await asyncio.sleep(0)
        connected.cancel()
        assert standby.link.closed
        assert standby.ids() == [(1, change("old"))]
        assert standby.machine.writes == {"old": 1}
        assert not list(tmp_path.glob("b-receiving*"))

    play(tmp_path, scenario, [], [(1, "old")])


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_who_is_near_or_lacks_little_gets_no_copy(lacks: int, has: int) -> None:
    """A copy is for who lacks thousands of changes and a good part of all."""
    everything = lacks + has
    copied = decide.by_copy(lacks=lacks, all_changes=everything)
    if copied:
        assert lacks > decide.COPY_ABOVE
        assert has < 3 * lacks
    if lacks == everything > decide.COPY_ABOVE:
        assert copied
