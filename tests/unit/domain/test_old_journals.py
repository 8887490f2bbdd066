"""What an earlier release has written is read, with the meaning that it had."""

from __future__ import annotations

from typing import Any

import msgspec

from mock_server.domain import events, licenses
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import AccountStatus, Lot, Mode, Origin
from tests.unit.domain.world import NOW, loaded, rows, tag

encode = msgspec.msgpack.encode

# The forms of before accounts had a life and pools had lots.
ACCOUNT: dict[str, Any] = {
    "name": "Lab",
    "smart_account": "Lab Smart Account",
    "virtual_account": "On-Prem",
    "status": "active",
    "virtual_accounts": ["Default"],
    "last_sync": NOW,
    "waiting": False,
}
POOL: dict[str, Any] = {
    "account": "Lab",
    "virtual_account": "Default",
    "tag": tag(1),
    "name": "DNA",
    "purchased": 7,
    "in_use": 2,
}
TOKEN: dict[str, Any] = {
    "token_id": "2c5ea9c0-4b6f-4d6a-8f0e-3d1d2b5a7c11",
    "account": "Lab",
    "virtual_account": "Default",
    "description": "",
    "created_at": NOW,
    "expires_at": NOW + 86400,
    "uses": None,
    "used": 1,
    "export_controlled": False,
    "revoked": False,
}
LAST: dict[str, Any] = {
    "sequence": 1,
    "message_id": "m1",
    "meaning": "x",
    "result": {"type": "acknowledged"},
}
INSTANCE: dict[str, Any] = {
    "piid": "p1",
    "name": "pi37",
    "udi": {"pid": "C9300-24T", "sn": "FOC1"},
    "software_id": "regid.x,1.0_y",
    "account": "Lab",
    "virtual_account": "Default",
    "public_key": b"key",
    "certificate_serial": "1",
    "registered_at": NOW,
    "last_contact": NOW,
    "last": LAST,
    "usage": {tag(1): 2},
}
SETTINGS: dict[str, Any] = {
    "common_name": "vip.lab",
    "served_name": "vip.lab",
    "generation": 1,
    "certificates": {"product": ["AA"]},
}


def test_rows_of_an_earlier_release_are_loaded() -> None:
    """Its quantity becomes a local lot; the fields that it did not know have their defaults."""
    machine = LicensingMachine()
    stored = [
        ("settings", "", SETTINGS),
        ("account", "Lab", ACCOUNT),
        ("token", "d1", TOKEN),
        ("pool", "\x1f".join(("Lab", "Default", tag(1))), POOL),
        ("instance", "p1", INSTANCE),
    ]
    machine.load([(kind, key, encode(body)) for kind, key, body in stored])
    state = machine.state
    (pool,) = state.pools.values()
    assert licenses.standing(pool, NOW) == licenses.Standing(purchased=7, in_use=2)
    assert pool.lots == {"local": Lot(id="local", quantity=7, origin=Origin.LOCAL)}
    account = state.accounts["Lab"]
    assert (account.status, account.last_sync, account.email, account.schedule) == (
        AccountStatus.ACTIVE,
        NOW,
        "",
        None,
    )
    instance = state.instances["p1"]
    assert (instance.mode, instance.measured, instance.last_report) == (Mode.REGISTERED, {}, None)
    assert (account.policy, pool.overage_allowed, state.reports_of) == (None, False, {})
    assert (state.settings.clock_offset, state.tokens["d1"].created_by) == (0.0, "")
    assert rows(loaded(machine)) == rows(machine)


def change(*happened: dict[str, Any]) -> bytes:
    return encode({"version": 1, "at": NOW, "by": "console", "node": "primary", "events": list(happened)})


def test_changes_of_an_earlier_release_are_applied() -> None:
    """A journal from the first account to a replaced instance gives the state that it gave then."""
    machine = LicensingMachine()
    machine.apply(change({"type": "CommonNameSet", "name": "10.0.0.5"}))
    machine.apply(change({"type": "AccountChanged", "account": ACCOUNT}))
    machine.apply(change({"type": "TokenCreated", "digest": "d1", "token": {**TOKEN, "used": 0}}))
    machine.apply(change({"type": "LicensesPurchased", "pool": POOL}))
    registered = {"type": "InstanceRegistered", "key_digest": "k", "token_digest": "d1"}
    machine.apply(change({**registered, "instance": {**INSTANCE, "usage": {}}}))
    machine.apply(
        change({"type": "UsageReported", "piid": "p1", "usage": {tag(1): 3}, "last": LAST}),
    )
    machine.apply(change({"type": "LicensesPurchased", "pool": {**POOL, "purchased": 2}}))
    (pool,) = machine.state.pools.values()
    assert licenses.standing(pool, NOW) == licenses.Standing(purchased=2, in_use=3)
    machine.apply(change({"type": "LicensesPurchased", "pool": {**POOL, "purchased": 0}}))
    assert licenses.standing(pool, NOW) == licenses.Standing(purchased=0, in_use=3)
    grave = {"piid": "p1", "public_key": b"key", "last": None}
    machine.apply(change({"type": "InstanceGone", "tombstone": grave, "why": "replaced"}))
    assert (pool.in_use, list(machine.state.tombstones), machine.state.instances) == (0, ["p1"], {})
    assert machine.state.tokens["d1"].used == 1


def test_a_change_of_an_earlier_release_has_words() -> None:
    """The event log of a former release's gone instance names it by its identifier, as it did."""
    from mock_server.domain.words import describe

    grave = {"piid": "p1", "public_key": b"key", "last": None}
    payload = change({"type": "InstanceGone", "tombstone": grave, "why": "replaced"})
    (event,) = events.decode(payload).events
    assert describe(event) == "Product instance p1 replaced"
