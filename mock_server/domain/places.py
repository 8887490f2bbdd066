"""The order of instances in their virtual accounts, and rows that go with something: for `apply`."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any

from mock_server.domain.pools import Touched
from mock_server.domain.state import Instance, PlaceChange, State

__all__ = ["forget", "order", "put", "take"]


def forget(table: dict[str, Any], kind: str, of: Callable[[Any], bool], touched: Touched) -> None:
    """Remove the rows of which `of` is true."""
    for key in [key for key, value in table.items() if of(value)]:
        del table[key]
        touched.add((kind, key))


def put(state: State, instance: Instance) -> None:
    """Put it into the order of its virtual account's instances."""
    where = (instance.account, instance.virtual_account)
    bisect.insort(state.by_place.setdefault(where, []), (instance.name, instance.piid))
    _note(state, where, instance, came=True)


def take(state: State, instance: Instance) -> None:
    """Take it out of the order, as it was put there: before its name or place changes."""
    where = (instance.account, instance.virtual_account)
    place = state.by_place[where]
    del place[bisect.bisect_left(place, (instance.name, instance.piid))]
    if not place:
        del state.by_place[where]
    _note(state, where, instance, came=False)


def _note(state: State, where: tuple[str, str], instance: Instance, *, came: bool) -> None:
    state.place_changes += 1
    state.place_log.append(PlaceChange(state.place_changes, where, came, (instance.name, instance.piid)))


def order(state: State) -> None:
    """All anew, of all instances."""
    state.by_place.clear()
    state.place_log.clear()
    state.place_changes += 1
    for piid, instance in state.instances.items():
        where = (instance.account, instance.virtual_account)
        state.by_place.setdefault(where, []).append((instance.name, piid))
    for place in state.by_place.values():
        place.sort()
