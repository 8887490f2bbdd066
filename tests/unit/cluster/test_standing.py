"""In a cluster or not: pure decisions of deployment and teardown."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mock_server.cluster.commands.allowed import DEPLOYING, refusal
from mock_server.cluster.roles import State
from mock_server.cluster.standing import Facts, Standing, deployed, giving_up, standing, standing_alone
from mock_server.cluster.witness import Record
from mock_server.errors import SmartlicError

NAMES = ("primary", "secondary")

records = st.builds(
    Record,
    number=st.integers(1, 50),
    epoch=st.integers(1, 50),
    in_sync=st.sampled_from([("primary",), ("secondary",), NAMES]),
    active=st.sampled_from(NAMES),
    mode=st.sampled_from(["cluster", "stand-alone"]),
    forced=st.booleans(),
    index=st.integers(0, 4),
)
facts = st.builds(
    Facts,
    me=st.sampled_from(NAMES),
    record=st.none() | records,
    made_alone=st.booleans(),
    provisioned=st.booleans(),
    discarded=st.booleans(),
)


@given(facts)
def test_rule_10_of_two_servers_one_at_most_stands_alone_after_a_teardown(known: Facts) -> None:
    """A record of mode stand-alone makes the one that it names stand alone, and never the other."""
    if known.record is not None:
        alone = standing(known) is Standing.ALONE
        assert not alone or (known.record.mode, known.record.active) == ("stand-alone", known.me)
        assert not alone or deployed(known.record, made_alone=known.made_alone) is False


@given(facts)
def test_rule_10_a_discarded_server_stays_discarded(known: Facts) -> None:
    """Whatever else it finds."""
    assert (standing(known) is Standing.DISCARDED) == known.discarded


@given(records, st.sampled_from(NAMES), st.integers(0, 9))
def test_rule_10_the_record_of_a_teardown(record: Record, me: str, index: int) -> None:
    """Mode stand-alone, itself alone in sync, a higher epoch, and nothing of a forced start."""
    wanted = standing_alone(record, me, index)
    assert (wanted.mode, wanted.active, wanted.in_sync, wanted.forced) == ("stand-alone", me, (me,), False)
    assert wanted.epoch > record.epoch
    assert wanted.index == index


@given(records, st.sampled_from(NAMES))
def test_who_gives_up_leaves_all_that_was_acknowledged_to_the_other(record: Record, peer: str) -> None:
    """Only a server whose peer is in sync may be discarded; nothing but the list changes."""
    wanted = giving_up(record, peer)
    if peer in record.in_sync:
        assert wanted == msgspec.structs.replace(record, in_sync=(peer,))
    else:
        assert wanted is None


def test_every_command_has_an_answer_in_every_state() -> None:
    """Each state, standing, server and command: taken, or refused with a code and what to do."""
    commands = (*DEPLOYING, "ha_teardown")
    taken = set()
    for command, me, what, state in itertools.product(commands, NAMES, Standing, State):
        for provisioned, torn in ((False, None), (True, None), (False, "primary")):
            error = refusal(command, me, what, state, provisioned=provisioned, torn_down_by=torn)
            assert error is None or (isinstance(error, SmartlicError) and error.mend)
            if error is None:
                taken.add((command, me, what, state))
    for command, me, what, state in taken:
        assert (
            state not in (State.STARTING, State.DRAINING, State.TEARING_DOWN) or what is not Standing.MEMBER
        )
        if command in ("ha_generatekeys", "ha_deploy"):
            assert me == "primary"
        if command == "ha_provision_standby":
            assert me == "secondary"
        if command == "ha_teardown" and what is Standing.MEMBER and me == "primary":
            assert state in (State.ACTIVE, State.ACTIVE_ALONE)
        if command in DEPLOYING:
            assert what is not Standing.DISCARDED
