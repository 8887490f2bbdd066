"""The decisions on which split brain and loss depend, under any inputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mock_server.cluster.decide import (
    HUNG_AFTER,
    KEEPALIVE,
    LEASE,
    NOT_IN_SYNC,
    Peer,
    View,
    delisting,
    deposed,
    forced_take_over,
    leading,
    lease_until,
    listing,
    may_take_over,
    standby_lost,
    suspicious,
    waits_for_peer,
)
from mock_server.cluster.witness import Record

NAMES = ("primary", "secondary")

records = st.builds(
    Record,
    number=st.integers(1, 50),
    epoch=st.integers(1, 50),
    in_sync=st.sampled_from([("primary",), ("secondary",), NAMES, ("secondary", "primary")]),
    active=st.sampled_from(NAMES),
    mode=st.sampled_from(["cluster", "cluster", "stand-alone"]),
    forced=st.booleans(),
    index=st.integers(0, 4),
)
views = st.builds(
    View,
    me=st.sampled_from(NAMES),
    primary=st.booleans(),
    record=st.none() | records,
    index=st.integers(0, 9),
    peer=st.sampled_from(Peer),
    connections=st.integers(0, 2),
    silence=st.floats(0, 10),
)


@given(views)
def test_rule_1_only_who_is_listed_takes_over(view: View) -> None:
    """No view whatever makes a node take over that the record does not list."""
    if view.record is not None and view.me not in view.record.in_sync:
        verdict = may_take_over(view)
        assert not verdict.lead
        if view.record.mode == "cluster":
            assert verdict.reason == NOT_IN_SYNC


@given(st.none() | records, st.sampled_from(NAMES), st.integers(0, 9), st.booleans())
def test_rule_1_becoming_active_raises_the_epoch(
    record: Record | None, me: str, index: int, forced: bool
) -> None:
    """The record of a takeover has a higher epoch, the new Active, and nobody else in sync."""
    wanted = leading(record, me, index, forced=forced)
    assert wanted.epoch > (record.epoch if record else 0)
    assert (wanted.active, wanted.in_sync, wanted.start_index) == (me, (me,), index)


@given(records)
def test_rule_2_listing_and_delisting_keep_the_epoch(record: Record) -> None:
    """The Active changes the list in its own epoch, and stays on it."""
    listed = listing(record, "primary", "secondary", 5)
    assert set(listed.in_sync) == set(NAMES)
    alone = delisting(listed, "primary", 7)
    assert alone.in_sync == ("primary",)
    assert alone.epoch == listed.epoch == record.epoch


@given(st.none() | st.floats(0, 5), st.floats(0, 5))
def test_rule_2_a_second_without_acknowledgement_is_a_loss(waiting: float | None, silence: float) -> None:
    """One second, of acknowledgements or of bytes."""
    lost = standby_lost(unacknowledged=waiting, silence=silence)
    assert lost == (silence >= 1 or (waiting is not None and waiting >= 1))


@given(records, st.sampled_from(NAMES), st.integers(1, 50))
def test_rule_3_deposed_is_who_is_not_the_records_active(record: Record, me: str, epoch: int) -> None:
    """Another Active or another epoch in the record deposes; a list that changed does not."""
    assert deposed(record, me, epoch) == ((record.active, record.epoch) != (me, epoch))


@given(st.sampled_from(Peer), st.integers(0, 2), st.floats(0, 10))
def test_rule_4_dead_or_hung_and_nothing_else(peer: Peer, connections: int, silence: float) -> None:
    """A listed node that was not the last Active takes over from the dead and the hung only."""
    record = Record(2, 1, NAMES, "primary")
    view = View("secondary", False, record, record.index if record else 0, peer, connections, silence)
    dead = view.connections == 0 and view.peer is not Peer.ALIVE
    hung = view.silence >= HUNG_AFTER
    assert may_take_over(view).lead == (dead or hung)
    assert suspicious(view.peer, view.connections, view.silence) == (dead or hung)


@given(views)
def test_rule_4_one_connection_cut_alone_is_no_takeover(view: View) -> None:
    """With one connection open and bytes on it, nobody takes over, alive or not."""
    if view.connections == 1 and view.silence < HUNG_AFTER and view.record is not None:
        assert not may_take_over(view).lead or view.record.active == view.me


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 100))
def test_rule_4_the_lease_is_over_before_anybody_takes_over(sent: float, travel: float, later: float) -> None:
    """The Active sent a keepalive at `sent`; the Standby got it after it; the lease from its echo ends before
    the Standby can find the Active silent."""
    takeover = sent + travel + HUNG_AFTER
    assert lease_until(sent) < takeover
    assert LEASE + KEEPALIVE < HUNG_AFTER
    assert not (later < LEASE and sent + later >= takeover)


@given(views)
def test_rule_7_force_overrides_the_list_only(view: View) -> None:
    """A forced start needs no place on the list, but never goes against a peer that is connected."""
    lead = forced_take_over(view).lead
    torn_down = view.record is not None and view.record.mode != "cluster"
    assert lead == (view.connections == 0 and not torn_down)


@given(records)
def test_rule_6_a_forced_start_is_remembered_until_the_peer_was_listed(record: Record) -> None:
    """The next Active of the same side still asks its peer to keep what it cuts."""
    forced = leading(record, "primary", 0, forced=True)
    assert leading(forced, "primary", 0, forced=False).forced
    assert not leading(listing(forced, "primary", "secondary", 0), "secondary", 0, forced=False).forced


@given(views)
def test_rule_9_the_last_active_goes_first(view: View) -> None:
    """The record's Active leads at once; in a new cluster the Primary, and nobody else, does."""
    if view.record is None:
        assert may_take_over(view).lead == view.primary
    elif view.record.active == view.me and view.me in view.record.in_sync and view.record.mode == "cluster":
        assert may_take_over(view).lead == (view.index >= view.record.index)


@given(views)
def test_rule_1_a_journal_that_lost_what_the_record_says_never_leads(view: View) -> None:
    """Who is listed but holds less than all listed ones have held says so, and does not take over."""
    record = view.record
    if record is not None and view.me in record.in_sync and record.mode == "cluster":
        verdict = may_take_over(view)
        if view.index < record.index:
            assert not verdict.lead
            assert waits_for_peer(verdict.reason)


@given(views)
def test_rule_10_after_a_teardown_nobody_takes_over(view: View) -> None:
    """A record of mode stand-alone ends all takeovers, forced ones too."""
    if view.record is not None and view.record.mode == "stand-alone":
        assert not may_take_over(view).lead
        assert not forced_take_over(view).lead
