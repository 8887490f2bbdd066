"""The pools' bookkeeping, in place, for `apply`: lots come and go, and what is in use is exact at all times.

There is a pool for each entitlement in a virtual account that has lots of it, and, once the account knows the
entitlement, in each where an instance uses it: a shortage shows also where nothing was ever bought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace as replace_fields

from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT, Instance, Lot, Origin, Pool, State, pool_key

__all__ = ["Touched", "move", "move_all", "put", "replace", "use"]

Touched = set[tuple[str, str]]
"""Kind and key of the aggregates that a change has changed or removed."""


def put(state: State, pool: Pool, lot: Lot, touched: Touched) -> None:
    """The lot is now what this virtual account has of it; a quantity of 0 takes it away."""
    there = _ensure(state, pool.account, pool.virtual_account, pool.tag, pool.name, touched)
    _set(there, lot)
    there.overage_allowed = pool.overage_allowed
    _name(state, pool.account, pool.tag, pool.name, touched)


def replace(
    state: State, account: str, tag: str, name: str, lots: Mapping[str, Iterable[Lot]], touched: Touched
) -> None:
    """What the account has of the entitlement by CSSM is now `lots`, by virtual account."""
    for pool in _of_account(state, account, tag):
        pool.lots = {key: lot for key, lot in pool.lots.items() if lot.origin is not Origin.CSSM}
    nothing: Mapping[str, Iterable[Lot]] = {DEFAULT_VIRTUAL_ACCOUNT: ()}  # the account knows of it, at least
    for virtual_account, parts in (lots or nothing).items():
        pool = _ensure(state, account, virtual_account, tag, name, touched)
        for lot in parts:
            _set(pool, lot)
    _name(state, account, tag, name, touched)


def move(
    state: State,
    account: str,
    tag: str,
    quantities: Mapping[str, int],
    way: tuple[str, str],
    touched: Touched,
) -> None:
    """Move quantities by lot id from one virtual account to the other; the lots keep their ids."""
    source = state.pools[pool_key(account, way[0], tag)]
    target = _ensure(state, account, way[1], tag, source.name, touched)
    for lot_id, quantity in quantities.items():
        lot = source.lots[lot_id]
        there = target.lots.get(lot_id)
        _set(source, replace_fields(lot, quantity=lot.quantity - quantity))
        _set(target, replace_fields(lot, quantity=quantity + (there.quantity if there else 0)))
    touched.add(("pool", pool_key(account, way[0], tag)))


def move_all(state: State, account: str, way: tuple[str, str], touched: Touched) -> None:
    """Move all lots to another virtual account, and forget the pools of the first one."""
    gone = [
        pool for pool in state.pools.values() if (pool.account, pool.virtual_account) == (account, way[0])
    ]
    for pool in gone:
        quantities = {lot.id: lot.quantity for lot in pool.lots.values()}
        move(state, account, pool.tag, quantities, way, touched)
        del state.pools[pool_key(account, way[0], pool.tag)]


def use(state: State, instance: Instance, usage: dict[str, int], touched: Touched) -> None:
    """Counts are absolute: the pools change by the difference to what the instance used before."""
    for tag in instance.usage.keys() | usage.keys():
        difference = usage.get(tag, 0) - instance.usage.get(tag, 0)
        if not difference:
            continue
        pool = state.pools.get(pool_key(instance.account, instance.virtual_account, tag))
        if pool is None and (known := _of_account(state, instance.account, tag)):
            name = known[0].name
            pool = _ensure(state, instance.account, instance.virtual_account, tag, name, touched)
        if pool is not None:
            pool.in_use += difference
            touched.add(("pool", pool_key(instance.account, instance.virtual_account, tag)))
    instance.usage = usage


def _ensure(state: State, account: str, virtual_account: str, tag: str, name: str, touched: Touched) -> Pool:
    """The pool, made if there is none."""
    key = pool_key(account, virtual_account, tag)
    touched.add(("pool", key))
    if (pool := state.pools.get(key)) is not None:
        return pool
    if not _of_account(state, account, tag):
        # It may have been in use before the account had any of it: the instances know where and how much.
        for place, count in _in_use(state, account, tag).items():
            used_at = pool_key(account, place, tag)
            state.pools[used_at] = Pool(
                account=account, virtual_account=place, tag=tag, name=name, in_use=count
            )
            touched.add(("pool", used_at))
    made = Pool(account=account, virtual_account=virtual_account, tag=tag, name=name)
    return state.pools.setdefault(key, made)


def _in_use(state: State, account: str, tag: str) -> dict[str, int]:
    """Virtual account → how many its instances use."""
    found: dict[str, int] = {}
    for instance in state.instances.values():
        if instance.account == account and (count := instance.usage.get(tag, 0)):
            found[instance.virtual_account] = found.get(instance.virtual_account, 0) + count
    return found


def _of_account(state: State, account: str, tag: str) -> list[Pool]:
    keys = (pool_key(account, name, tag) for name in state.accounts[account].virtual_accounts)
    return [state.pools[key] for key in keys if key in state.pools]


def _name(state: State, account: str, tag: str, name: str, touched: Touched) -> None:
    """An entitlement has one name in an account."""
    for pool in _of_account(state, account, tag):
        pool.name = name
        touched.add(("pool", pool_key(account, pool.virtual_account, tag)))


def _set(pool: Pool, lot: Lot) -> None:
    if lot.quantity:
        pool.lots[lot.id] = lot
    else:
        pool.lots.pop(lot.id, None)
