"""Licenses in virtual accounts: terms, shortage and back, transfer, what CSSM says; instances that move."""

from __future__ import annotations

import random

import pytest

from mock_server.domain import instances, licenses, virtual_accounts
from mock_server.domain.state import Lot, LotKind
from smartlic_client.errors import CallerError
from smartlic_client.protocol.messages import AuthorizationResult
from tests.unit.domain.world import NOW, Server, Speaker, tag

DAY = 86400.0
TAG, OTHER = tag(1), tag(2)


class Bench:
    """A server with the virtual accounts Default and Branch, a device in Default, and a clock."""

    def __init__(self) -> None:
        self.time = NOW
        self.server = Server(lambda: self.time, random.Random(5))
        self.server.commit(virtual_accounts.create(self.server.state, "Lab", "Branch"))
        self.token = self.server.token()
        self.device = self.registered("A")

    def registered(self, sn: str) -> Speaker:
        speaker = Speaker(sn=sn)
        speaker.piid = self.server.decide(speaker.say(speaker.registration(self.token.reveal()))).piid
        return speaker

    def says(self, *lots: Lot, what: str = TAG) -> None:
        told = [licenses.Entitlement(what, "DNA", lots)]
        self.server.commit(licenses.arrive(self.server.state, "Lab", told))

    def report(self, count: int, speaker: Speaker | None = None) -> str:
        """The enforcement mode of so many licenses."""
        who = speaker or self.device
        result = self.server.decide(who.say(who.authorization({TAG: count}))).result
        assert isinstance(result, AuthorizationResult)
        return result.entitlements[0].enforcement_mode

    def standing(self, place: str = "Default") -> tuple[int, int, str]:
        pool = self.server.state.pools["\x1f".join(("Lab", place, TAG))]
        standing = licenses.standing(pool, self.time)
        return standing.purchased, standing.in_use, standing.status

    def transfer(self, quantity: int, kind: LotKind | None = None, what: str = TAG) -> None:
        way = ("Default", "Branch")
        self.server.commit(
            licenses.transfer(self.server.state, "Lab", what, way, quantity, kind=kind, now=self.time)
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


def term(quantity: int, *, start: float | None = None, end: float | None = None) -> Lot:
    return Lot(id="T", quantity=quantity, kind=LotKind.TERM, start=start, end=end)


# ---- compliance is a function of the time -----------------------------------------------------------------
def test_a_term_that_begins_and_ends_needs_no_timer(bench: Bench) -> None:
    """Out of compliance before it begins, in compliance within, and out again, to the second."""
    bench.says(term(5, start=NOW + 10 * DAY, end=NOW + 20 * DAY))
    changes = len(bench.server.ledger.changes)
    seen = []
    for days in (0.0, 10.0, 19.99, 20.0):
        bench.time = NOW + days * DAY
        seen.append((bench.report(3), bench.standing()))
    out, inside = ("out-of-compliance", "Out Of Compliance"), ("in-compliance", "In Compliance")
    assert seen == [
        (out[0], (0, 3, out[1])),
        (inside[0], (5, 3, inside[1])),
        (inside[0], (5, 3, inside[1])),
        (out[0], (0, 3, out[1])),
    ]
    assert len(bench.server.ledger.changes) == changes + 4, "nothing but the four reports"


def test_a_shortage_and_back(bench: Bench) -> None:
    """More in use than purchased is a shortage of so many; it ends when enough are bought or freed."""
    bench.server.purchase(TAG, 3)
    assert bench.report(3) == "in-compliance"
    other = bench.registered("B")
    assert bench.report(2, other) == "out-of-compliance"
    (pool,) = bench.server.state.pools.values()
    short = licenses.standing(pool, NOW)
    assert (short.balance, short.overage, short.status) == (-2, 2, "Out Of Compliance")
    bench.server.purchase(TAG, 5)
    enough = licenses.standing(pool, NOW)
    assert (enough.balance, enough.overage, enough.status) == (0, 0, "In Compliance")
    bench.server.purchase(TAG, 3)
    bench.server.decide(other.say(other.deregistration()))
    assert bench.standing() == (3, 3, "In Compliance")


def test_an_entitlement_that_another_virtual_account_has_is_short_here(bench: Bench) -> None:
    """What the account never had is an invalid tag; what lies elsewhere in it is a shortage here."""
    assert bench.report(1) == "invalid-tag"
    bench.server.commit(licenses.purchase(bench.server.state, "Lab", "Branch", TAG, "DNA", 5))
    assert bench.standing() == (0, 1, "Out Of Compliance")
    assert bench.report(1) == "out-of-compliance"
    assert bench.report(0) == "in-compliance"


# ---- transfer ---------------------------------------------------------------------------------------------
def test_a_transfer_moves_what_is_bought_and_not_what_is_used(bench: Bench) -> None:
    """Where they came from may be short afterwards; by name or by tag, and never more than there is."""
    bench.server.purchase(TAG, 5)
    bench.report(4)
    bench.transfer(2, what="DNA")
    assert (bench.standing(), bench.standing("Branch")) == (
        (3, 4, "Out Of Compliance"),
        (2, 0, "In Compliance"),
    )
    assert bench.report(4) == "out-of-compliance"
    bench.transfer(3)
    assert bench.standing("Branch") == (5, 0, "In Compliance")
    with pytest.raises(CallerError) as caught:
        bench.transfer(1)
    assert caught.value.code == "not-so-many-licenses"


def test_a_transfer_may_be_of_one_kind_of_lot(bench: Bench) -> None:
    """PERPETUAL or TERM alone, or both with the perpetual first; what has ended is not there."""
    bench.says(Lot(id="P", quantity=2), term(3, end=NOW + DAY))
    bench.transfer(1, LotKind.TERM)
    bench.transfer(2)
    state = bench.server.state
    parts = {
        pool.virtual_account: {k: v.quantity for k, v in pool.lots.items()} for pool in state.pools.values()
    }
    assert parts == {"Default": {"T": 2}, "Branch": {"P": 2, "T": 1}}
    bench.time += DAY
    for kind in (LotKind.TERM, LotKind.PERPETUAL, None):
        with pytest.raises(CallerError) as caught:
            bench.transfer(1, kind)
        assert (caught.value.code, caught.value.context["there"]) == ("not-so-many-licenses", 0)


@pytest.mark.parametrize(
    ("what", "way", "quantity", "code"),
    [
        ("DNA", ("Default", "Default"), 1, "same-virtual-account"),
        ("DNA", ("Default", "Nowhere"), 1, "virtual-account-unknown"),
        ("DNA", ("Nowhere", "Default"), 1, "virtual-account-unknown"),
        ("DNA", ("Branch", "Default"), 1, "license-unknown"),
        ("Nothing", ("Default", "Branch"), 1, "license-unknown"),
        ("DNA", ("Default", "Branch"), 0, "bad-transfer"),
        ("DNA", ("Default", "Branch"), -1, "bad-transfer"),
        ("DNA", ("Default", "Branch"), 2**31, "bad-transfer"),
    ],
)
def test_what_cannot_be_transferred(
    bench: Bench, what: str, way: tuple[str, str], quantity: int, code: str
) -> None:
    """Each mistake has a code of its own."""
    bench.server.purchase(TAG, 5)
    with pytest.raises(CallerError) as caught:
        licenses.transfer(bench.server.state, "Lab", what, way, quantity, kind=None, now=NOW)
    assert caught.value.code == code


def test_two_entitlements_of_one_name_are_told_apart_by_their_tags(bench: Bench) -> None:
    """A name that two have is ambiguous; a tag never is."""
    bench.server.purchase(TAG, 5)
    bench.server.purchase(OTHER, 5)
    with pytest.raises(CallerError) as caught:
        bench.transfer(1, what="DNA")
    assert (caught.value.code, caught.value.context["count"]) == ("license-ambiguous", 2)
    bench.transfer(1, what=OTHER)
    assert bench.standing()[0] == 5


# ---- what CSSM says ---------------------------------------------------------------------------------------
def test_what_was_transferred_stays_through_a_synchronization(bench: Bench) -> None:
    """The distribution stays; a decrease leaves Default first; a change of term holds for every part."""
    bench.says(term(10, end=NOW + 9 * DAY))
    bench.transfer(4)
    bench.says(term(7, end=NOW + 99 * DAY))
    assert (bench.standing()[0], bench.standing("Branch")[0]) == (3, 4)
    bench.time += 50 * DAY
    assert (bench.standing()[0], bench.standing("Branch")[0]) == (3, 4)
    bench.says(term(2, end=NOW + 99 * DAY))
    assert (bench.standing()[0], bench.standing("Branch")[0]) == (0, 2)


def test_what_cssm_names_no_more_is_gone_and_local_licenses_stay(bench: Bench) -> None:
    """Purchases that CSSM has taken back end; what was added on this server is no business of CSSM's."""
    bench.server.purchase(TAG, 1)
    bench.says(term(5))
    assert bench.standing()[0] == 6
    bench.server.commit(licenses.arrive(bench.server.state, "Lab", []))
    assert bench.standing()[0] == 1
    assert licenses.arrive(bench.server.state, "Lab", []) == []


def test_a_new_name_of_an_entitlement_is_taken_over_everywhere(bench: Bench) -> None:
    """An entitlement has one name in an account, the one that was told last."""
    bench.says(term(5))
    bench.transfer(2)
    told = [licenses.Entitlement(TAG, "DNA Premier", [term(5)])]
    bench.server.commit(licenses.arrive(bench.server.state, "Lab", told))
    assert {pool.name for pool in bench.server.state.pools.values()} == {"DNA Premier"}


# ---- instances --------------------------------------------------------------------------------------------
def test_usage_moves_with_its_instance(bench: Bench) -> None:
    """Transferred, its licenses count in the other virtual account, and the next report does so too."""
    state = bench.server.state
    bench.server.purchase(TAG, 5)
    bench.report(3)
    bench.server.commit(instances.transfer(state, bench.device.piid, "Branch"))
    assert (bench.standing(), bench.standing("Branch")) == (
        (5, 0, "In Compliance"),
        (0, 3, "Out Of Compliance"),
    )
    assert bench.report(4) == "out-of-compliance"
    bench.transfer(4)
    assert bench.report(4) == "in-compliance"
    assert bench.standing("Branch") == (4, 4, "In Compliance")
    with pytest.raises(CallerError) as caught:
        instances.transfer(state, bench.device.piid, "Branch")
    assert caught.value.code == "same-virtual-account"


def test_an_instance_is_found_by_its_identifier_or_its_name(bench: Bench) -> None:
    """A name that two have is ambiguous; one that nobody has is unknown."""
    state = bench.server.state
    other = bench.registered("B")
    for piid in (bench.device.piid, other.piid):
        bench.server.commit(instances.rename(state, piid, "pi37"))
    with pytest.raises(CallerError) as caught:
        instances.rename(state, "pi37", "x")
    assert (caught.value.code, caught.value.context["count"]) == ("instance-ambiguous", 2)
    bench.server.commit(instances.rename(state, other.piid, "pi38"))
    assert instances.instance_of(state, "pi38").piid == other.piid
    assert instances.rename(state, "pi38", "pi38") == []
    with pytest.raises(CallerError) as caught:
        instances.remove(state, "pi39")
    assert caught.value.code == "instance-unknown"
    with pytest.raises(CallerError) as caught:
        instances.rename(state, "pi38", "\x1b[2J")
    assert caught.value.code == "bad-name"


def test_a_removed_instance_is_unknown_and_may_register_again(bench: Bench) -> None:
    """Its licenses are free, its messages get the unknown-instance answer, and a new key is welcome."""
    bench.server.purchase(TAG, 5)
    bench.report(3)
    bench.server.commit(instances.remove(bench.server.state, bench.device.piid))
    assert bench.standing() == (5, 0, "In Compliance")
    for message in (bench.device.authorization({TAG: 1}), bench.device.deregistration()):
        assert bench.server.decide(bench.device.say(message)).unknown_piid == bench.device.piid
        assert bench.server.post(bench.device.bytes_of(message))[0] == 400
    assert bench.registered("A").piid in bench.server.state.instances
