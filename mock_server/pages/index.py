"""Product instances of one virtual account, found and sorted quickly: a page of 100,000 is there at once.

By name they are in order already (`State.by_place`). What else was made of that order follows its changes, so
that a registration costs the next list little. The order by last contact changes with every message: it is up
to two seconds old.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from mock_server.domain.state import Instance, Mode, PlaceChange, State

__all__ = ["Found", "InstanceIndex", "Sort", "product_type"]

Sort = Literal["name", "type", "contact"]
_FRESH: Final = 2.0
_KEPT: Final = 64


def product_type(instance: Instance) -> str:
    return instance.udi.pid or instance.software_id


@dataclass(frozen=True)
class Found:
    """PIIDs in order, ascending."""

    piids: Sequence[str]
    descending: bool = False

    def __len__(self) -> int:
        return len(self.piids)

    def page(self, offset: int, limit: int) -> Sequence[str]:
        if not self.descending:
            return self.piids[offset : offset + limit]
        end = len(self.piids) - offset
        return self.piids[max(0, end - limit) : max(0, end)][::-1]


@dataclass
class _Place:
    """What was made of one order. `entries`: a copy of it; `texts`: what is searched in, beside it."""

    state: State
    changes: int
    entries: list[tuple[str, str]]
    piids: list[str]
    texts: list[str] | None = None
    found: dict[tuple[str, Sort, bool], tuple[float, list[str]]] = field(default_factory=dict)

    def follow(self, place: tuple[str, str]) -> bool:
        """Make the changes since then; False where there are too many to follow."""
        log = self.state.place_log
        missed = self.state.place_changes - self.changes
        if missed > len(log):
            return False
        for number in range(len(log) - missed, len(log)):
            if log[number].place == place:
                self._follow(log[number])
        self.changes = self.state.place_changes
        return True

    def _follow(self, change: PlaceChange) -> None:
        at = bisect.bisect_left(self.entries, change.entry)
        if change.came:
            self.entries.insert(at, change.entry)
            self.piids.insert(at, change.entry[1])
            if self.texts is not None:
                self.texts.insert(at, _text(self.state, change.entry))
        else:
            del self.entries[at], self.piids[at]
            if self.texts is not None:
                del self.texts[at]
        self.found.clear()


def _text(state: State, entry: tuple[str, str]) -> str:
    """Name and type, as they are searched in; of one that has gone since, nothing."""
    instance = state.instances.get(entry[1])
    return "" if instance is None else f"{entry[0]}\n{product_type(instance)}".casefold()


class InstanceIndex:
    def __init__(self) -> None:
        self._places: dict[tuple[str, str], _Place] = {}

    def find(
        self,
        state: State,
        place: tuple[str, str],
        *,
        search: str = "",
        sort: Sort = "name",
        descending: bool = False,
        policy: bool = False,
        now: float = 0.0,
    ) -> Found:
        """`place`: account and virtual account. `search`: part of a name or a product type. `policy`: only
        those of Smart Licensing Using Policy. `now`: seconds, for what may be a little old."""
        here = self._place(state, place)
        wanted = search.strip().casefold()
        if not wanted and sort == "name" and not policy:
            return Found(here.piids, descending)
        key: tuple[str, Sort, bool] = (wanted, sort, policy)
        kept = here.found.get(key)
        if kept is None or (sort == "contact" and now - kept[0] > _FRESH):
            kept = (now, self._sorted(state, self._matching(here, wanted, policy), sort))
            if len(here.found) >= _KEPT:
                here.found.pop(next(iter(here.found)))
            here.found[key] = kept
        return Found(kept[1], descending)

    def _place(self, state: State, place: tuple[str, str]) -> _Place:
        here = self._places.get(place)
        if here is None or here.state is not state or not here.follow(place):
            entries = list(state.by_place.get(place, ()))
            here = _Place(state, state.place_changes, entries, [piid for _, piid in entries])
            self._places = {where: kept for where, kept in self._places.items() if kept.state is state}
            self._places[place] = here
        return here

    @staticmethod
    def _matching(here: _Place, wanted: str, policy: bool) -> list[str]:
        instances = here.state.instances
        piids = here.piids
        if wanted:
            if here.texts is None:
                here.texts = [_text(here.state, entry) for entry in here.entries]
            piids = [piid for piid, text in zip(piids, here.texts, strict=True) if wanted in text]
        if policy:
            piids = [piid for piid in piids if instances[piid].mode is Mode.POLICY]
        return piids

    @staticmethod
    def _sorted(state: State, piids: list[str], sort: Sort) -> list[str]:
        instances = state.instances
        if sort == "type":
            return sorted(piids, key=lambda piid: product_type(instances[piid]))
        if sort == "contact":
            return sorted(piids, key=lambda piid: instances[piid].last_contact)
        return piids
