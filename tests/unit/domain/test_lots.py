"""Lots as numbers: terms, what is taken, and how CSSM's quantities lie in virtual accounts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.domain import lots
from mock_server.domain.state import Lot, LotKind
from tests.unit.domain.world import NOW

ORDER = ["Default", "Branch Süd", "a", "b"]
IDS = ["L1", "L2", "L3"]
quantities = st.dictionaries(st.sampled_from(IDS), st.integers(0, 50), max_size=3)
holdings = st.dictionaries(st.sampled_from(ORDER), quantities, max_size=4)

Held = dict[str, dict[str, int]]


def totals(held: Held) -> Counter[str]:
    """Lot id → quantity in all virtual accounts, without zeros."""
    return +sum((Counter(parts) for parts in held.values()), Counter())


# ---- distribution -----------------------------------------------------------------------------------------
@settings(max_examples=400)
@given(holdings, quantities)
def test_nothing_is_lost_and_nothing_doubled(held: Held, said: dict[str, int]) -> None:
    """Over all virtual accounts there is what CSSM said, nothing below zero, and the same if repeated."""
    after = lots.distribute(held, said, ORDER)
    assert totals(after) == +Counter(said)
    assert all(quantity > 0 for parts in after.values() for quantity in parts.values())
    assert lots.distribute(after, said, ORDER) == after


@settings(max_examples=400)
@given(holdings, quantities)
def test_only_what_changed_moves(held: Held, said: dict[str, int]) -> None:
    """More arrives in Default alone; less leaves the virtual accounts in their order, one after another."""
    after = lots.distribute(held, said, ORDER)
    for lot, total in said.items():
        before = [held.get(name, {}).get(lot, 0) for name in ORDER]
        now = [after.get(name, {}).get(lot, 0) for name in ORDER]
        if total >= sum(before):
            assert now[1:] == before[1:]
        else:
            changed = [place for place in range(len(ORDER)) if now[place] != before[place]]
            last = changed[-1]
            assert now[:last] == [0] * last
            assert now[last + 1 :] == before[last + 1 :]


def test_a_transfer_survives_synchronizations() -> None:
    """10 bought, 4 transferred: the 4 stay at 12 and at 5; at 3 Default is empty and 1 of the 4 goes back."""
    held = {"Default": {"L1": 6}, "a": {"L1": 4}}
    assert lots.distribute(held, {"L1": 12}, ORDER) == {"Default": {"L1": 8}, "a": {"L1": 4}}
    assert lots.distribute(held, {"L1": 5}, ORDER) == {"Default": {"L1": 1}, "a": {"L1": 4}}
    assert lots.distribute(held, {"L1": 3}, ORDER) == {"a": {"L1": 3}}
    assert lots.distribute(held, {"L2": 1}, ORDER) == {"Default": {"L2": 1}}


# ---- terms ------------------------------------------------------------------------------------------------
def test_a_term_holds_from_its_start_until_before_its_end() -> None:
    """Bounds are exact, and a lot without them always counts."""
    term = Lot(id="L", quantity=5, kind=LotKind.TERM, start=NOW, end=NOW + 10)
    counted = [lots.counted([term], at) for at in (NOW - 0.1, NOW, NOW + 9.9, NOW + 10)]
    assert counted == [0, 5, 5, 0]
    assert lots.counted([Lot(id="P", quantity=2), term], NOW + 11) == 2


# ---- what a transfer takes --------------------------------------------------------------------------------
times = st.none() | st.floats(NOW - 9, NOW + 9)
some_lots = st.lists(
    st.builds(
        Lot,
        id=st.sampled_from([f"L{n}" for n in range(9)]),
        quantity=st.integers(0, 20),
        kind=st.sampled_from(LotKind),
        start=times,
        end=times,
    ),
    unique_by=lambda lot: lot.id,
    max_size=5,
)


@settings(max_examples=300)
@given(some_lots, st.integers(1, 60))
def test_exactly_so_many_are_taken_or_none(offered: list[Lot], quantity: int) -> None:
    """What is taken adds up, is there, and has not ended; refused only if there are fewer."""
    taken = lots.take(offered, quantity, NOW)
    there = {lot.id: lot.quantity for lot in offered if not lots.ended(lot, NOW)}
    if taken is None:
        assert sum(there.values()) < quantity
    else:
        assert sum(taken.values()) == quantity
        assert all(0 < part <= there[lot] for lot, part in taken.items())


def test_perpetual_lots_go_first_and_then_what_ends_last() -> None:
    """The order is defined, whatever the order of the lots."""
    perpetual = Lot(id="z", quantity=2)
    soon = Lot(id="a", quantity=2, kind=LotKind.TERM, end=NOW + 5)
    late = Lot(id="b", quantity=2, kind=LotKind.TERM, end=NOW + 50)
    for order in ([perpetual, soon, late], [late, soon, perpetual]):
        assert lots.take(order, 3, NOW) == {"z": 2, "b": 1}
        assert lots.take(order, 5, NOW) == {"z": 2, "b": 2, "a": 1}
