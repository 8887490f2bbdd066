"""Whether servers and devices agree when a simulation ends: nothing lost, nothing doubled."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from mock_server.simulated_fleet.fleet import Device, SimulatedFleet
from smartlic_client.protocol.messages import RegistrationRequest

__all__ = ["Audit", "audit"]

_SHOWN: Final = 10


class Audit(msgspec.Struct):
    """Names of devices. `lost`: what the server had accepted of them is not there. `doubled`: a message of
    theirs had its effect twice. `differing`: the server has other counts than they told it.

    `registrations`: that were accepted in all; `copies_equal`: the two servers, row for row; `pools_right`:
    what is in use of each license is the sum over the instances.
    """

    lost: list[str]
    doubled: list[str]
    differing: list[str]
    instances: int
    registrations: int
    in_use: int
    copies_equal: bool
    pools_right: bool

    @property
    def ok(self) -> bool:
        return self.copies_equal and self.pools_right and not (self.lost or self.doubled or self.differing)

    def data(self) -> dict[str, Any]:
        named = {name: getattr(self, name) for name in ("lost", "doubled", "differing")}
        return {
            **{name: len(found) for name, found in named.items()},
            "instances": self.instances,
            "registrations": self.registrations,
            "licenses_in_use": self.in_use,
            "copies_equal": self.copies_equal,
            "pools_right": self.pools_right,
            "examples": {name: found[:_SHOWN] for name, found in named.items() if found},
        }


def audit(fleet: SimulatedFleet) -> Audit:
    state = fleet.pair.state
    known: set[str] = set()
    asking: set[str | None] = set()
    found = Audit([], list(fleet.pair.doubled), [], len(state.instances), 0, 0, False, False)
    for device in fleet.devices:
        if device is None:
            continue
        record = device.agent.record
        if record.identity is not None:
            known.add(record.identity.piid)
            _compare(fleet, device, record.identity.piid, found)
        elif isinstance(record.in_flight, RegistrationRequest):
            asking.add(record.udi.sn)  # it may have been accepted, and the answer was lost
    found.doubled += [
        one.name for piid, one in state.instances.items() if piid not in known and one.udi.sn not in asking
    ]
    used: Counter[str] = Counter()
    for instance in state.instances.values():
        used.update(instance.usage)
    found.registrations, found.in_use = fleet.pair.registered, used.total()
    found.pools_right = all(pool.in_use == used[pool.tag] for pool in state.pools.values())
    found.copies_equal = fleet.pair.equal()
    return found


def _compare(fleet: SimulatedFleet, device: Device, piid: str, found: Audit) -> None:
    record = device.agent.record
    name = record.hostname or str(record.udi)
    instance = fleet.pair.state.instances.get(piid)
    if instance is None or instance.last.sequence < device.sequence:
        found.lost.append(name)
    elif record.in_flight is None and not record.to_report and instance.usage != device.counts():
        found.differing.append(name)
