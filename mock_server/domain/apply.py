"""How events change the state. Nothing here can refuse: what is in the journal has happened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import msgspec

from mock_server.domain import events
from mock_server.domain.state import (
    Account,
    Instance,
    Pool,
    Settings,
    State,
    Token,
    Tombstone,
    identity_key,
    pool_key,
)

__all__ = ["LicensingMachine"]

Touched = set[tuple[str, str]]

_SETTINGS: Final = ("settings", "")
_encode = msgspec.msgpack.Encoder().encode


def key_digest(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()


def _account_changed(state: State, event: events.AccountChanged, _at: float, touched: Touched) -> None:
    state.accounts[event.account.name] = event.account
    touched.add(("account", event.account.name))


def _account_synchronized(
    state: State, event: events.AccountSynchronized, at: float, touched: Touched
) -> None:
    account = state.accounts[event.name]
    account.last_sync, account.waiting = at, False
    touched.add(("account", event.name))


def _token_created(state: State, event: events.TokenCreated, _at: float, touched: Touched) -> None:
    state.tokens[event.digest] = event.token
    touched.add(("token", event.digest))


def _token_revoked(state: State, event: events.TokenRevoked, _at: float, touched: Touched) -> None:
    state.tokens[event.digest].revoked = True
    touched.add(("token", event.digest))


def _licenses_purchased(state: State, event: events.LicensesPurchased, _at: float, touched: Touched) -> None:
    new = event.pool
    key = pool_key(new.account, new.virtual_account, new.tag)
    known = state.pools.get(key)
    # A license may have been in use before any of it was purchased: then the instances know how much.
    new.in_use = known.in_use if known else _used_by_instances(state, new)
    state.pools[key] = new
    touched.add(("pool", key))


def _used_by_instances(state: State, pool: Pool) -> int:
    return sum(
        instance.usage.get(pool.tag, 0)
        for instance in state.instances.values()
        if (instance.account, instance.virtual_account) == (pool.account, pool.virtual_account)
    )


def _common_name_set(state: State, event: events.CommonNameSet, _at: float, touched: Touched) -> None:
    state.settings.common_name = event.name
    touched.add(_SETTINGS)
    for account in state.accounts.values():
        account.waiting = True
        touched.add(("account", account.name))


def _certificates_installed(
    state: State, event: events.CertificatesInstalled, _at: float, touched: Touched
) -> None:
    settings = state.settings
    settings.served_name, settings.generation = event.served_name, event.generation
    settings.certificates.update(event.certificates)
    touched.add(_SETTINGS)


def _clock_set(state: State, event: events.ClockSet, _at: float, touched: Touched) -> None:
    state.settings.clock_offset = event.offset
    touched.add(_SETTINGS)


def _instance_registered(
    state: State, event: events.InstanceRegistered, _at: float, touched: Touched
) -> None:
    instance = event.instance
    state.instances[instance.piid] = instance
    state.by_key[event.key_digest] = instance.piid
    state.by_identity[identity_key(instance.udi, instance.software_id)] = instance.piid
    state.tokens[event.token_digest].used += 1
    touched.update((("instance", instance.piid), ("token", event.token_digest)))


def _usage_reported(state: State, event: events.UsageReported, at: float, touched: Touched) -> None:
    instance = state.instances[event.piid]
    _use(state, instance, event.usage, touched)
    instance.last, instance.last_contact = event.last, at
    touched.add(("instance", event.piid))


def _instance_gone(state: State, event: events.InstanceGone, _at: float, touched: Touched) -> None:
    tombstone = event.tombstone
    instance = state.instances.pop(tombstone.piid)
    _use(state, instance, {}, touched)
    identity = identity_key(instance.udi, instance.software_id)
    if state.by_identity.get(identity) == instance.piid:
        del state.by_identity[identity]
    state.tombstones[tombstone.piid] = tombstone
    touched.update((("instance", tombstone.piid), ("tombstone", tombstone.piid)))


def _use(state: State, instance: Instance, usage: dict[str, int], touched: Touched) -> None:
    """Counts are absolute: the pools change by the difference to what the instance used before."""
    for tag in instance.usage.keys() | usage.keys():
        key = pool_key(instance.account, instance.virtual_account, tag)
        pool = state.pools.get(key)
        if pool is not None:
            pool.in_use += usage.get(tag, 0) - instance.usage.get(tag, 0)
            touched.add(("pool", key))
    instance.usage = usage


_APPLY: Final[dict[type[Any], Callable[[State, Any, float, Touched], None]]] = {
    events.AccountChanged: _account_changed,
    events.AccountSynchronized: _account_synchronized,
    events.TokenCreated: _token_created,
    events.TokenRevoked: _token_revoked,
    events.LicensesPurchased: _licenses_purchased,
    events.CommonNameSet: _common_name_set,
    events.CertificatesInstalled: _certificates_installed,
    events.ClockSet: _clock_set,
    events.InstanceRegistered: _instance_registered,
    events.UsageReported: _usage_reported,
    events.InstanceGone: _instance_gone,
}

_ROWS: Final[dict[str, type[Any]]] = {
    "settings": Settings,
    "account": Account,
    "token": Token,
    "pool": Pool,
    "instance": Instance,
    "tombstone": Tombstone,
}


class LicensingMachine:
    """The domain as the cluster sees it: fed with changes, kept as rows (journal.machine.Machine)."""

    def __init__(self) -> None:
        self.state = State()

    def reset(self) -> None:
        self.state = State()

    def load(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        self.reset()
        for kind, key, body in rows:
            value = msgspec.msgpack.decode(body, type=_ROWS[kind])
            if kind == "settings":
                self.state.settings = value
            else:
                self._table(kind)[key] = value
        state = self.state
        for piid, tombstone in state.tombstones.items():
            state.by_key[key_digest(tombstone.public_key)] = piid
        for piid, instance in state.instances.items():
            state.by_key[key_digest(instance.public_key)] = piid
            state.by_identity[identity_key(instance.udi, instance.software_id)] = piid

    def apply(self, payload: bytes) -> Collection[tuple[str, str]]:
        return self.apply_change(events.decode(payload))

    def apply_change(self, change: events.Change) -> Collection[tuple[str, str]]:
        touched: Touched = set()
        for event in change.events:
            _APPLY[type(event)](self.state, event, change.at, touched)
        return touched

    def row(self, kind: str, key: str) -> bytes | None:
        value = self.state.settings if kind == "settings" else self._table(kind).get(key)
        return None if value is None else _encode(value)

    def _table(self, kind: str) -> dict[str, Any]:
        table: dict[str, Any] = getattr(self.state, f"{kind}s")
        return table
