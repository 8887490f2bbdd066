"""Product instances of a virtual account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from mock_server.api import permissions
from mock_server.api.calls import Call, Listing, Route, page
from mock_server.api.problems import DEVICE_AMBIGUOUS, DEVICE_TWICE, DEVICE_UNKNOWN
from mock_server.api.shapes import (
    Device,
    Devices,
    DevicesToRemove,
    DevicesToTransfer,
    Done,
    LicenseUsage,
    OneDevice,
    Page,
    Sudi,
)
from mock_server.domain import events, instances, licenses
from mock_server.domain.accounts import account_of
from mock_server.domain.state import Instance, State, pool_key
from mock_server.domain.words import date
from mock_server.serving import Serving
from smartlic_client.protocol.identity import Udi, device_digest

__all__ = ["ROUTES"]


_TELLING: Final = ("sn", "uuid", "mac_address", "suvi", "host_identifier", "pid", "vid")

T = TypeVar("T", bound=OneDevice)


# ---- the list ---------------------------------------------------------------------------------------------
async def list_devices(call: Call, asked: Page) -> Listing:
    state = call.state
    account_of(state, call.account, call.virtual_account)
    place = state.by_place.get((call.account, call.virtual_account), [])

    def shown(rows: Sequence[tuple[str, str]]) -> list[Device]:
        found = (call.state.instances.get(piid) for _, piid in rows)
        return _devices(call.serving, [one for one in found if one is not None and _lies_in(call, one)])

    return Listing("devices", len(place), page(asked, place), shown)


def _lies_in(call: Call, instance: Instance) -> bool:
    return permissions.device_there(instance, call.account, call.virtual_account)


def _devices(serving: Serving, found: Iterable[Instance]) -> list[Device]:
    state, now = serving.state, serving.now()
    known: dict[str, tuple[str, bool]] = {}
    return [_device(state, instance, known, now) for instance in found]


def _device(state: State, instance: Instance, known: dict[str, tuple[str, bool]], now: float) -> Device:
    udi = instance.udi
    used, short = [], False
    for tag, count in instance.usage.items():
        key = pool_key(instance.account, instance.virtual_account, tag)
        if key not in known:
            pool = state.pools.get(key)
            known[key] = (pool.name, bool(licenses.standing(pool, now).overage)) if pool else (tag, True)
        name, overage = known[key]
        short = short or overage
        used.append(LicenseUsage(license=name, quantity=count))
    return Device(
        display_name=f"UDI_PID:{udi.pid or ''}; UDI_SN:{udi.sn or ''}; ",
        instance_name=instance.name,
        host_name=instance.name,
        sudi=_sudi(udi),
        product_tag_name=instance.software_id,
        product_type=udi.pid or instance.software_id,
        virtual_account=instance.virtual_account,
        status="Out Of Compliance" if short else "In Compliance",
        registration_date=date(instance.registered_at) or "",
        last_contact_date=date(instance.last_contact) or "",
        license_usage=used,
    )


def _sudi(udi: Udi) -> Sudi:
    return Sudi(
        suvi=udi.suvi,
        uuid=udi.uuid,
        host_identifier=udi.host_identifier,
        udi_pid=udi.pid,
        udi_serial_number=udi.sn,
        udi_vid=udi.vid,
        mac_address=udi.mac_address,
    )


# ---- what is done to them ---------------------------------------------------------------------------------
async def transfer(call: Call, asked: DevicesToTransfer) -> Done:
    happened: list[events.Event] = []
    for one, instance in _named(call, asked.product_instances):
        happened += instances.transfer(call.state, instance.piid, one.target_virtual_account)
    await call.serving.commit(call.caller.name, happened)
    return Done(status_message=f"Product instances transferred: {len(happened)}.")


async def remove(call: Call, asked: DevicesToRemove) -> Done:
    happened: list[events.Event] = []
    for _, instance in _named(call, asked.product_instances):
        happened += instances.remove(call.state, instance.piid)
    await call.serving.commit(call.caller.name, happened)
    return Done(status_message=f"Product instances removed: {len(happened)}.")


def _named(call: Call, asked: Sequence[T]) -> list[tuple[T, Instance]]:
    """What each names in the path's virtual account, with what was said of it."""
    account_of(call.state, call.account, call.virtual_account)
    finder = _Finder(call, asked)
    found: dict[str, tuple[T, Instance]] = {}
    for one in asked:
        instance = finder.find(one)
        if instance.piid in found:
            raise DEVICE_TWICE(device=_spoken(one))
        found[instance.piid] = (one, instance)
    return list(found.values())


class _Finder:
    """Finds instances by their whole identity at once, and by a part of it with one look at the place."""

    def __init__(self, call: Call, asked: Sequence[OneDevice]) -> None:
        self._call = call
        self._asked = asked
        self._by_key: dict[tuple[str, str], list[Instance]] | None = None

    def find(self, one: OneDevice) -> Instance:
        state = self._call.state
        piid = state.by_identity.get(device_digest(_udi(one.sudi), one.product_tag_name))
        if piid is not None and _lies_in(self._call, state.instances[piid]):
            return state.instances[piid]
        where = self._call.virtual_account
        found = self._by_part(one)
        if not found:
            raise DEVICE_UNKNOWN(virtual_account=where, device=_spoken(one))
        if len(found) > 1:
            raise DEVICE_AMBIGUOUS(virtual_account=where, device=_spoken(one), count=len(found))
        return found[0]

    def _by_part(self, one: OneDevice) -> list[Instance]:
        key = _key(_udi(one.sudi))
        if key is None:
            return []
        if self._by_key is None:
            self._by_key = self._index()
        said = _fields(_udi(one.sudi))
        return [
            instance
            for instance in self._by_key.get(key, ())
            if said <= _fields(instance.udi) and one.product_tag_name in ("", instance.software_id)
        ]

    def _index(self) -> dict[tuple[str, str], list[Instance]]:
        """The place's instances by the fields that this call looks for."""
        keys = {key for one in self._asked if (key := _key(_udi(one.sudi)))}
        names = sorted({name for name, _ in keys})
        index: dict[tuple[str, str], list[Instance]] = {key: [] for key in keys}
        instances = self._call.state.instances
        for _, piid in self._call.state.by_place.get((self._call.account, self._call.virtual_account), ()):
            instance = instances[piid]
            for name in names:
                there = index.get((name, getattr(instance.udi, name)))
                if there is not None:
                    there.append(instance)
        return index


def _key(udi: Udi) -> tuple[str, str] | None:
    """The field that tells most about a product instance, of those that are given."""
    return next(((name, value) for name in _TELLING if (value := getattr(udi, name))), None)


def _udi(sudi: Sudi) -> Udi:
    return Udi(
        pid=sudi.udi_pid or None,
        sn=sudi.udi_serial_number or None,
        vid=sudi.udi_vid or None,
        uuid=sudi.uuid or None,
        suvi=sudi.suvi or None,
        host_identifier=sudi.host_identifier or None,
        mac_address=sudi.mac_address or None,
    )


def _fields(udi: Udi) -> set[tuple[str, str]]:
    return {(name, value) for name in udi.__struct_fields__ if (value := getattr(udi, name))}


def _spoken(one: OneDevice) -> str:
    said = {name: value for name, value in msgspec.structs.asdict(_udi(one.sudi)).items() if value}
    return ", ".join(f"{name} {value[:60]!r}" for name, value in said.items())[:200] or "without a sudi"


_DEVICES = "/api/v1/accounts/{account}/virtual-accounts/{virtual_account}/devices"

ROUTES = (
    Route(
        "GET",
        _DEVICES,
        "devices",
        "The product instances of a virtual account, by name.",
        Devices,
        list_devices,
        Page,
    ),
    Route(
        "POST",
        f"{_DEVICES}/transfer",
        "transferDevices",
        "Move product instances to other virtual accounts of the local account: all that are named, or none.",
        Done,
        transfer,
        DevicesToTransfer,
    ),
    Route(
        "POST",
        f"{_DEVICES}/remove",
        "removeDevices",
        "Forget product instances: all that are named, or none. Their licenses are free.",
        Done,
        remove,
        DevicesToRemove,
    ),
)
