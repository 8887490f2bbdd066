"""Product instances of one virtual account, found and sorted quickly: a page of 100,000 is there at once.

By name they are in order already (`State.by_place`). What else was made of that order is kept as long as the
order is the same. The order by last contact changes with every message: it is up to two seconds old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from mock_server.domain.state import Instance, Mode, State

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
    """What was made of one order."""

    state: State
    changes: int
    piids: list[str]
    texts: list[str] | None = None
    found: dict[tuple[str, str, bool], tuple[float, list[str]]] = field(default_factory=dict)


class InstanceIndex:
    def __init__(self) -> None:
        self._places: dict[tuple[str, str], _Place] = {}
        self._folded: dict[tuple[str, str], str] = {}

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
        key = (wanted, sort, policy)
        kept = here.found.get(key)
        if kept is None or (sort == "contact" and now - kept[0] > _FRESH):
            kept = (now, self._sorted(state, self._matching(here, place, wanted, policy), sort))
            if len(here.found) >= _KEPT:
                here.found.pop(next(iter(here.found)))
            here.found[key] = kept
        return Found(kept[1], descending)

    def _place(self, state: State, place: tuple[str, str]) -> _Place:
        here = self._places.get(place)
        if here is None or here.state is not state or here.changes != state.place_changes:
            order = state.by_place.get(place, [])
            here = _Place(state, state.place_changes, [piid for _, piid in order])
            self._places = {where: kept for where, kept in self._places.items() if kept.state is state}
            self._places[place] = here
        return here

    def _matching(self, here: _Place, place: tuple[str, str], wanted: str, policy: bool) -> list[str]:
        instances = here.state.instances
        piids = here.piids
        if wanted:
            if here.texts is None:
                here.texts = self._texts(here.state, here.state.by_place.get(place, []))
            piids = [piid for piid, text in zip(piids, here.texts, strict=True) if wanted in text]
        if policy:
            piids = [piid for piid in piids if instances[piid].mode is Mode.POLICY]
        return piids

    def _texts(self, state: State, order: Sequence[tuple[str, str]]) -> list[str]:
        """Name and type of each, as they are searched in. A registration must not fold all others again."""
        folded, instances = self._folded, state.instances
        if len(folded) > 2 * len(instances) + 1000:
            folded.clear()
        for one in order:
            if one not in folded:
                folded[one] = f"{one[0]}\n{product_type(instances[one[1]])}".casefold()
        return [folded[one] for one in order]

    @staticmethod
    def _sorted(state: State, piids: list[str], sort: Sort) -> list[str]:
        instances = state.instances
        if sort == "type":
            return sorted(piids, key=lambda piid: product_type(instances[piid]))
        if sort == "contact":
            return sorted(piids, key=lambda piid: instances[piid].last_contact)
        return piids
