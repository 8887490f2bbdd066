"""Bugs on purpose: each is a few lines put over the real code, as somebody might well write them.

A drill that does not find them is none. The docstring of a plant says what is wrong with the code then.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from typing import Any

import msgspec
import pytest

from mock_server.cluster import decide, wire
from mock_server.cluster.follower import Follower
from mock_server.cluster.ledger import ClusterLedger
from mock_server.cluster.node import Node
from mock_server.cluster.witness import Record
from mock_server.domain import decisions, devices, events, registrations
from mock_server.domain.apply import LicensingMachine
from mock_server.journal import Head, Journal, Row
from mock_server.journal.store import Aggregate
from smartlic_client.protocol import flow

__all__ = ["PLANTS", "Plant"]

Plant = Callable[[pytest.MonkeyPatch], None]


def answers_before_the_standby_has_it(patch: pytest.MonkeyPatch) -> None:
    """An answer waits for this node's disk only."""
    patch.setattr(ClusterLedger, "safe", property(lambda ledger: ledger.local))


def forgets_the_answers_at_failover(patch: pytest.MonkeyPatch) -> None:
    """The result of an instance's last message is known to the node that gave it, and to no other."""
    known, given = decisions.known, set[tuple[str, str]]()

    def mine(piid: str, last: Any, data: Any) -> Any:
        loop = str(asyncio.get_running_loop().name)  # type: ignore[attr-defined]
        found = known(piid, last, data)
        if data.message_id == last.message_id and (loop, data.message_id) not in given:
            return None
        return found

    kept = decisions.kept

    def noted(data: Any, result: Any) -> Any:
        given.add((str(asyncio.get_running_loop().name), data.message_id))  # type: ignore[attr-defined]
        return kept(data, result)

    for module in (devices, registrations):
        patch.setattr(module, "known", mine)
        patch.setattr(module, "kept", noted)
    patch.setattr("mock_server.domain.usage.kept", noted)


def uses_an_epoch_again(patch: pytest.MonkeyPatch) -> None:
    """Whoever takes over goes on in the former Active's epoch."""
    leading = decide.leading

    def same(record: Record | None, *args: Any, **kwargs: Any) -> Record:
        wanted = leading(record, *args, **kwargs)
        return wanted if record is None else msgspec.structs.replace(wanted, epoch=record.epoch)

    patch.setattr(decide, "leading", same)


def applies_an_event_twice(patch: pytest.MonkeyPatch) -> None:
    """A Standby that begins a batch applies the last change before it once more."""
    take, apply = Follower._take, LicensingMachine.apply

    async def again(self: Follower, rows: list[Row]) -> None:
        await take(self, rows)
        change = events.decode(rows[-1].payload)
        if any(isinstance(event, events.InstanceRegistered) for event in change.events):
            apply(self._machine, rows[-1].payload)  # type: ignore[arg-type]

    patch.setattr(Follower, "_take", again)


def keeps_a_lost_standby_listed(patch: pytest.MonkeyPatch) -> None:
    """A Standby that is lost stays on the list."""
    patch.setattr(decide, "delisting", lambda record, _me, _index: record)


def lists_both_at_a_takeover(patch: pytest.MonkeyPatch) -> None:
    """Whoever takes over lists the other at once."""
    leading = decide.leading

    def both(*args: Any, **kwargs: Any) -> Record:
        return msgspec.structs.replace(leading(*args, **kwargs), in_sync=("primary", "secondary"))

    patch.setattr(decide, "leading", both)


def acknowledges_what_is_not_on_its_disk(patch: pytest.MonkeyPatch) -> None:
    """The Standby acknowledges a batch when it has arrived."""
    message = Follower.message

    def at_once(self: Follower, said: wire.Message) -> None:
        message(self, said)
        if isinstance(said, wire.Batch):
            self.link.send(wire.Ack(said.rows[-1].idx))

    patch.setattr(Follower, "message", at_once)


def keeps_what_only_it_has(patch: pytest.MonkeyPatch) -> None:
    """A node that comes back does not cut what the Active does not have."""
    patch.setattr(Journal, "cut_after", lambda _journal, _idx, _machine: 0)


def writes_a_change_in_two_transactions(patch: pytest.MonkeyPatch) -> None:
    """What changes add up to is written after them, in a transaction of its own."""
    append = Journal.append

    def apart(self: Journal, rows: Sequence[Row], aggregates: Iterable[Aggregate]) -> None:
        append(self, rows, [])
        tip = self._tip.write
        self._tip.write = _unnoted  # type: ignore[method-assign]
        insert, self._transaction = self._transaction, _without_rows(self)  # type: ignore[method-assign]
        try:
            append(self, rows, aggregates)
        finally:
            self._tip.write = tip  # type: ignore[method-assign]
            self._transaction = insert  # type: ignore[method-assign]

    patch.setattr(Journal, "append", apart)


def _unnoted(head: Head, *, sync: bool = False) -> None:
    pass


def _without_rows(journal: Journal) -> Callable[[], Any]:
    """A transaction that leaves the table of changes alone."""

    class Connection:
        def __init__(self, db: sqlite3.Connection) -> None:
            self._db = db

        def executemany(self, query: str, values: Any) -> None:
            if "INTO journal" not in query and "INTO key_store" not in query:
                self._db.executemany(query, values)

    class Transaction:
        def __enter__(self) -> Connection:
            journal._writer.execute("BEGIN IMMEDIATE")
            return Connection(journal._writer)

        def __exit__(self, *_error: object) -> None:
            journal._writer.execute("COMMIT")

    return Transaction


def notes_a_change_before_it_is_there(patch: pytest.MonkeyPatch) -> None:
    """The tip of the journal is written before the transaction."""
    append = Journal.append

    def early(self: Journal, rows: Sequence[Row], aggregates: Iterable[Aggregate]) -> None:
        self._tip.write(Head(rows[-1].idx, rows[-1].checksum))
        append(self, rows, aggregates)

    patch.setattr(Journal, "append", early)


def takes_the_others_clock_for_its_own(patch: pytest.MonkeyPatch) -> None:
    """The lease ends by the time that the Standby's clock shows."""
    beat = Node.peer_beat

    def theirs(self: Node, said: wire.Beat) -> None:
        beat(self, msgspec.structs.replace(said, echo=said.sent))

    patch.setattr(Node, "peer_beat", theirs)


def sends_before_it_saves(patch: pytest.MonkeyPatch) -> None:
    """A device saves what it means when it has said it."""
    deliver = flow.deliver

    def late(*args: Any, **kwargs: Any) -> Generator[Any, Any, None]:
        running = deliver(*args, **kwargs)
        step = next(running, None)
        while step is not None:
            try:
                following = running.send(None) if isinstance(step, flow.Persist) else None
                if following is not None and not isinstance(following, flow.Send):
                    yield step
                    step = following
                    continue
                step = following or step
                step = running.send((yield step))
            except StopIteration:
                if isinstance(step, flow.Persist):
                    yield step
                return

    patch.setattr(flow, "deliver", late)


def takes_old_messages_for_new_ones(patch: pytest.MonkeyPatch) -> None:
    """A message with a lower sequence has its effect."""
    known = decisions.known

    def lax(piid: str, last: Any, data: Any) -> Any:
        return known(piid, last, data) if data.message_id == last.message_id else None

    patch.setattr(devices, "known", lax)


def does_not_see_that_it_is_deposed(patch: pytest.MonkeyPatch) -> None:
    """An Active writes to the list although another node has taken over."""
    patch.setattr(decide, "deposed", lambda _record, _me, _epoch: False)


PLANTS: Collection[Plant] = (
    answers_before_the_standby_has_it,
    forgets_the_answers_at_failover,
    uses_an_epoch_again,
    applies_an_event_twice,
    keeps_a_lost_standby_listed,
    lists_both_at_a_takeover,
    acknowledges_what_is_not_on_its_disk,
    keeps_what_only_it_has,
    writes_a_change_in_two_transactions,
    notes_a_change_before_it_is_there,
    takes_the_others_clock_for_its_own,
    sends_before_it_saves,
    takes_old_messages_for_new_ones,
    does_not_see_that_it_is_deposed,
)
