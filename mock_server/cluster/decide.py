"""The decisions on which split brain and loss depend, as pure functions of what a node knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from mock_server.cluster.witness import Record

KEEPALIVE = 0.1
ACK_TIMEOUT = 1.0  # rule 2
HUNG_AFTER = 2.0  # rule 4
LEASE = 1.5  # shorter than HUNG_AFTER: who was stopped finds it run out before anybody took over
VIP_PATIENCE = 0.2  # rule 5
DRAIN_TIMEOUT = 2.0  # rule 8
COPY_ABOVE = 5_000
"""Changes that a follower lacks: up to here the journal is always quicker."""


class Peer(StrEnum):
    """What is known of the peer's process."""

    GONE = "gone"
    STOPPED = "cluster stopped"
    ALIVE = "alive"


@dataclass(frozen=True, slots=True)
class View:
    """What a node that is not Active knows when it asks itself whether to take over."""

    me: str
    primary: bool
    record: Record | None
    index: int
    """The last change in this node's journal."""
    peer: Peer
    connections: int
    """Of heartbeat and replication, how many are open."""
    silence: float
    """Seconds since the last byte on either of them, or since this node's start."""
    deployed: bool = True
    """False: the Secondary is provisioned, and the Primary has not deployed the cluster."""


def waits_for_peer(reason: str) -> bool:
    """Whether a node will wait until its peer is there, or until it is forced (rule 7)."""
    return reason in (NOT_IN_SYNC, NEW_CLUSTER) or reason.startswith(JOURNAL_SHORT.partition("{")[0])


def waits_for_operator(reason: str) -> bool:
    """Whether a node waits for a command of deployment or teardown, which may never come."""
    return reason == PROVISIONED or reason.startswith(TORN_DOWN.partition("{")[0])


@dataclass(frozen=True, slots=True)
class Verdict:
    lead: bool
    reason: str


JOURNAL_SHORT = "its journal ends at change {index}, and once held {had}: cannot take over"
NEW_CLUSTER = "new cluster: waiting for the Primary"
NOT_IN_SYNC = "Standby, not in sync: cannot take over"
PROVISIONED = "provisioned as the Standby: waiting for ha_deploy on the Primary"
TORN_DOWN = "the cluster was torn down, the {active} stands alone; ha_teardown discards this server"


def suspicious(peer: Peer, connections: int, silence: float) -> bool:
    """Whether it is worth reading the witness: dead, or hung (rule 4)."""
    return (connections == 0 and peer is not Peer.ALIVE) or silence >= HUNG_AFTER


def may_take_over(view: View) -> Verdict:
    """Rules 1, 4, 7 and 9."""
    record = view.record
    if record is None and not view.deployed:
        return Verdict(False, PROVISIONED)
    if record is None:
        if view.primary:
            return Verdict(True, "new cluster: the Primary goes first")
        return Verdict(False, NEW_CLUSTER)
    if record.mode != "cluster":
        return Verdict(False, TORN_DOWN.format(active=record.active.capitalize()))
    if view.me not in record.in_sync:
        return Verdict(False, NOT_IN_SYNC)
    if not whole(record, view.index):
        return Verdict(False, JOURNAL_SHORT.format(index=view.index, had=record.index))
    if record.active == view.me:
        return Verdict(True, "this node was the last Active")
    if view.connections == 0 and view.peer is Peer.GONE:
        return Verdict(True, "the peer's process is gone")
    if view.connections == 0 and view.peer is Peer.STOPPED:
        return Verdict(True, "the cluster is stopped on the peer")
    if view.silence >= HUNG_AFTER:
        return Verdict(True, f"the peer has been silent for {view.silence:.1f} s")
    if view.connections == 1:
        return Verdict(False, "one of two connections to the peer is cut: no takeover")
    if view.connections == 0:
        return Verdict(False, "waiting for the peer")
    return Verdict(False, "the peer is Active")


def whole(record: Record, index: int) -> bool:
    """Whether a journal that ends at `index` can be one that the record lists: a lost one cannot."""
    return index >= record.index


def forced_take_over(view: View) -> Verdict:
    """Rule 7: force overrides that this node is not in sync. A peer that is connected is followed."""
    if view.connections:
        return Verdict(False, "the peer is connected: this node catches up, no force is needed")
    if view.record is None and not view.deployed:
        return Verdict(False, PROVISIONED)
    if view.record is not None and view.record.mode != "cluster":
        return Verdict(False, TORN_DOWN.format(active=view.record.active.capitalize()))
    return Verdict(True, "forced by the operator")


def leading(record: Record | None, me: str, index: int, *, forced: bool) -> Record:
    """The record by which `me` becomes Active: a higher epoch, and nobody else in sync until it has shown so.

    `forced` sticks until the other node has been listed again: rule 6 asks for it.
    """
    if record is None:
        return Record(0, 1, (me,), me, start_index=index, index=index, forced=forced)
    sticky = record.forced and record.in_sync == (me,)
    return msgspec.structs.replace(
        record,
        epoch=record.epoch + 1,
        in_sync=(me,),
        active=me,
        start_index=index,
        index=index,
        forced=forced or sticky,
    )


def listing(record: Record, me: str, peer: str, index: int) -> Record:
    """The record that lists the peer in sync, again or for the first time (rule 2)."""
    return msgspec.structs.replace(record, in_sync=(me, peer), index=index, forced=False)


def delisting(record: Record, me: str, index: int) -> Record:
    """The record that takes the peer off the list (rule 2)."""
    return msgspec.structs.replace(record, in_sync=(me,), index=index)


def deposed(record: Record | None, me: str, epoch: int) -> bool:
    """Rule 3: whether the record says that `me`, Active in `epoch`, is Active no more."""
    return record is None or record.active != me or record.epoch != epoch


def by_copy(*, lacks: int, all_changes: int) -> bool:
    """Whether a follower gets a whole copy of the Active's journal, and not the changes that it lacks.

    A change costs more to ship and apply than to copy, but the copy has all changes and what they add up to.
    """
    return lacks > COPY_ABOVE and lacks * 4 > all_changes


def lease_until(echo: float) -> float:
    """Until when an Active may answer, once the Standby has told it that it received this time."""
    return echo + LEASE


def standby_lost(*, unacknowledged: float | None, silence: float) -> bool:
    """Rule 2: whether an Active has lost its Standby; times in seconds, None: nothing is unacknowledged."""
    return silence >= ACK_TIMEOUT or (unacknowledged is not None and unacknowledged >= ACK_TIMEOUT)
