"""Lots of licenses, as numbers: what counts at a time, what can be taken, how they lie in virtual accounts.

CSSM tells absolute quantities by lot id; it knows nothing of local virtual accounts. What it sells arrives in
`Default`; what was transferred from there keeps its lot's id, so that a later synchronization leaves it where
it is. When CSSM takes some back, it is taken out of `Default` first, then out of the other virtual accounts
in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mock_server.domain.state import Lot, LotKind

__all__ = ["counted", "covers", "distribute", "ended", "take"]

Quantities = dict[str, int]
"""Lot id → quantity."""


def covers(lot: Lot, now: float) -> bool:
    """Whether the lot's term holds `now` (Unix seconds)."""
    return (lot.start is None or lot.start <= now) and not ended(lot, now)


def ended(lot: Lot, now: float) -> bool:
    return lot.end is not None and lot.end <= now


def counted(lots: Iterable[Lot], now: float) -> int:
    """How many licenses there are now."""
    return sum(lot.quantity for lot in lots if covers(lot, now))


def take(lots: Iterable[Lot], quantity: int, now: float) -> Quantities | None:
    """Of which lots to take `quantity`: the perpetual ones first, then those whose term ends last.

    None: there are not so many. Lots that have ended are not taken.
    """
    left = quantity
    taken: Quantities = {}
    for lot in sorted(lots, key=_preference):
        if left and not ended(lot, now) and lot.quantity:
            taken[lot.id] = min(left, lot.quantity)
            left -= taken[lot.id]
    return None if left else taken


def _preference(lot: Lot) -> tuple[bool, float, str]:
    forever = float("inf")
    return (lot.kind is not LotKind.PERPETUAL, -(forever if lot.end is None else lot.end), lot.id)


def distribute(
    held: Mapping[str, Mapping[str, int]], said: Mapping[str, int], order: Sequence[str]
) -> dict[str, Quantities]:
    """How the lots of one entitlement lie in the virtual accounts after CSSM has said its quantities.

    `held`: virtual account → lot id → quantity, before. `said`: lot id → quantity in all. `order`: all
    virtual accounts, `Default` first. The result has the form of `held`, without zeros.
    """
    after: dict[str, Quantities] = {name: {} for name in order}
    for lot, total in said.items():
        parts = [held.get(name, {}).get(lot, 0) for name in order]
        change = total - sum(parts)
        if change > 0:
            parts[0] += change
        for place, part in enumerate(parts):
            back = min(part, max(0, -change))
            change += back
            if part - back:
                after[order[place]][lot] = part - back
    return {name: quantities for name, quantities in after.items() if quantities}
