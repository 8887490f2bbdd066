"""What is bought, where it lies, and whether it is enough: a function of the state and the time, no timer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from mock_server.domain import accounts, events, lots, problems
from mock_server.domain.state import LOCAL_LOT, Account, Lot, LotKind, Origin, Pool, State, pool_key
from smartlic_client.protocol.identity import MAX_COUNT, entitlement_tag

__all__ = [
    "IN_COMPLIANCE",
    "OUT_OF_COMPLIANCE",
    "Entitlement",
    "Standing",
    "arrive",
    "find",
    "knows",
    "purchase",
    "standing",
    "transfer",
]

IN_COMPLIANCE: Final = "In Compliance"
OUT_OF_COMPLIANCE: Final = "Out Of Compliance"


@dataclass(frozen=True)
class Standing:
    """A pool at one time. `balance`: a surplus, or below zero a shortage."""

    purchased: int
    in_use: int

    @property
    def balance(self) -> int:
        return self.purchased - self.in_use

    @property
    def overage(self) -> int:
        """How many more are in use than there are."""
        return max(0, -self.balance)

    @property
    def status(self) -> str:
        return OUT_OF_COMPLIANCE if self.overage else IN_COMPLIANCE


def standing(pool: Pool, now: float) -> Standing:
    return Standing(purchased=lots.counted(pool.lots.values(), now), in_use=pool.in_use)


def knows(state: State, account: Account, tag: str) -> bool:
    """Whether the account has, or had, the entitlement in any of its virtual accounts."""
    return any(pool_key(account.name, name, tag) in state.pools for name in account.virtual_accounts)


def find(state: State, account: Account, virtual_account: str, license_: str) -> Pool:
    """The pool of a license in a virtual account, by its entitlement tag, or by a name that one alone has."""
    by_tag = state.pools.get(pool_key(account.name, virtual_account, license_))
    if by_tag is not None:
        return by_tag
    where = (account.name, virtual_account)
    pools = state.pools.values()
    found = [one for one in pools if (one.account, one.virtual_account) == where and one.name == license_]
    if len(found) > 1:
        raise problems.LICENSE_AMBIGUOUS(license=license_, count=len(found))
    if found:
        return found[0]
    raise problems.LICENSE_UNKNOWN(license=license_, account=account.name, virtual_account=virtual_account)


# ---- what the account has ---------------------------------------------------------------------------------
def purchase(
    state: State,
    account: str,
    virtual_account: str,
    tag: str,
    name: str,
    quantity: int,
    *,
    overage_allowed: bool = False,
) -> list[events.Event]:
    """Local licenses of one entitlement, in a perpetual lot; `quantity` is an absolute number.

    `overage_allowed`: what is in use beyond all lots of the pool is overage, not out of compliance.
    """
    accounts.active(state, account, virtual_account)
    if not 0 <= quantity <= MAX_COUNT:
        raise problems.BAD_QUANTITY(quantity=quantity)
    pool = Pool(
        account=account,
        virtual_account=virtual_account,
        tag=entitlement_tag(tag),
        name=accounts.name_for(name, "a license"),
        lots={LOCAL_LOT: Lot(id=LOCAL_LOT, quantity=quantity, origin=Origin.LOCAL)},
        overage_allowed=overage_allowed,
    )
    return [events.LicensesPurchased(pool=pool)]


@dataclass(frozen=True)
class Entitlement:
    """What CSSM says that an account has of one entitlement: all lots, with absolute quantities."""

    tag: str
    name: str
    lots: Sequence[Lot]


def arrive(state: State, account: str, said: Iterable[Entitlement]) -> list[events.Event]:
    """CSSM has told all entitlements of the account. What it does not name, the account has no more."""
    of = accounts.account_of(state, account)
    wanted = {entitlement.tag: entitlement for entitlement in said}
    for pool in state.pools.values():
        if pool.account == account and any(lot.origin is Origin.CSSM for lot in pool.lots.values()):
            wanted.setdefault(pool.tag, Entitlement(pool.tag, pool.name, ()))
    happened: list[events.Event] = []
    for entitlement in wanted.values():
        before = _from_cssm(state, of, entitlement.tag)
        after = _laid_out(of, before, entitlement)
        same_name = all(
            pool.name == entitlement.name
            for pool in state.pools.values()
            if (pool.account, pool.tag) == (account, entitlement.tag)
        )
        if after != before or not same_name or not knows(state, of, entitlement.tag):
            happened.append(
                events.LotsArrived(account=account, tag=entitlement.tag, name=entitlement.name, lots=after)
            )
    return happened


def _from_cssm(state: State, account: Account, tag: str) -> dict[str, list[Lot]]:
    found = {}
    for name in account.virtual_accounts:
        pool = state.pools.get(pool_key(account.name, name, tag))
        parts = [lot for lot in pool.lots.values() if lot.origin is Origin.CSSM] if pool else []
        if parts:
            found[name] = sorted(parts, key=lambda lot: lot.id)
    return found


def _laid_out(
    account: Account, before: dict[str, list[Lot]], entitlement: Entitlement
) -> dict[str, list[Lot]]:
    held = {name: {lot.id: lot.quantity for lot in parts} for name, parts in before.items()}
    told = {lot.id: lot for lot in entitlement.lots}
    said = {lot.id: lot.quantity for lot in told.values()}
    laid = lots.distribute(held, said, account.virtual_accounts)
    return {
        name: [
            msgspec.structs.replace(told[key], quantity=quantity)
            for key, quantity in sorted(quantities.items())
        ]
        for name, quantities in laid.items()
    }


# ---- transfer ---------------------------------------------------------------------------------------------
def transfer(
    state: State,
    account: str,
    license_: str,
    way: tuple[str, str],
    quantity: int,
    *,
    kind: LotKind | None,
    now: float,
) -> list[events.Event]:
    """Move licenses from one virtual account to another of the same local account.

    `way`: from, to. `kind`: of lots of this kind only. What is in use does not move: either side may be short
    afterwards.
    """
    source, target = way
    of = accounts.active(state, account, source)
    accounts.active(state, account, target)
    if source == target:
        raise problems.SAME_VIRTUAL_ACCOUNT(virtual_account=target)
    if not 1 <= quantity <= MAX_COUNT:
        raise problems.BAD_TRANSFER(quantity=quantity)
    pool = find(state, of, source, license_)
    offered = [lot for lot in pool.lots.values() if kind is None or lot.kind is kind]
    taken = lots.take(offered, quantity, now)
    if taken is None:
        there = sum(lot.quantity for lot in offered if not lots.ended(lot, now))
        raise problems.NOT_SO_MANY(
            quantity=quantity, license=pool.name, virtual_account=source, there=there, kind=kind or "any"
        )
    return [
        events.LicensesTransferred(
            account=account, tag=pool.tag, name=pool.name, source=source, target=target, lots=taken
        )
    ]
