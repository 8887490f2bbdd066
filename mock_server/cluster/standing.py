"""In a cluster or not: what a server is, and the records and refusals of deployment and teardown. Pure.

A server is made stand-alone or as a member; a stand-alone Secondary that was provisioned is a member that
waits for the deployment. The witness's record overrides how the folder was made, and the mark of a discarded
server overrides all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from mock_server.cluster.witness import Record


class Standing(StrEnum):
    MEMBER = "member of a cluster"
    ALONE = "stand-alone"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server knows when it starts."""

    me: str
    record: Record | None
    made_alone: bool
    """The folder was made with stand-alone servers, and the Primary has not deployed them."""
    provisioned: bool
    discarded: bool


def standing(facts: Facts) -> Standing:
    """What a server is."""
    if facts.discarded:
        return Standing.DISCARDED
    record = facts.record
    if record is not None:
        alone = record.mode == "stand-alone" and record.active == facts.me
        return Standing.ALONE if alone else Standing.MEMBER
    return Standing.ALONE if facts.made_alone and not facts.provisioned else Standing.MEMBER


def deployed(record: Record | None, *, made_alone: bool) -> bool:
    """Whether the folder holds a cluster: neither servers that never were one, nor what a teardown left."""
    return record.mode == "cluster" if record is not None else not made_alone


def standing_alone(record: Record, me: str, index: int) -> Record:
    """Rule 10: `me` stands alone, so the Standby never takes the VIP. Also at each later start (rule 1)."""
    return msgspec.structs.replace(
        record,
        epoch=record.epoch + 1,
        in_sync=(me,),
        active=me,
        mode="stand-alone",
        start_index=index,
        index=index,
        forced=False,
    )


def giving_up(record: Record, peer: str) -> Record | None:
    """The record that takes a server off the list for good; None where its peer lacks acknowledged changes.

    A change of the list by one that is not Active: the Active, if there is one, goes on and finds it."""
    if peer not in record.in_sync:
        return None
    return msgspec.structs.replace(record, in_sync=(peer,))
